/* SPDX-License-Identifier: MIT */
/* The platform inside the system: calls, clock, sleeping, owners of locks. map.c maps objects. */
#include <twz/sec.h>

#include "guest.h"

int plat_obj_create(const struct twz_create *create, objid_t *id)
{
    return (int)twz_sys_obj_create(create, id);
}

int plat_obj_stat(objid_t id, struct twz_stat *stat)
{
    return (int)twz_sys_obj_stat(id, stat);
}

int plat_obj_ctl(objid_t id, uint64_t op, uint64_t arg)
{
    return (int)twz_sys_obj_ctl(id, op, arg);
}

uint32_t twz_private_perms(void)
{
    return objid_is_none(guest_context()) ? GUEST_RIGHTS : 0;
}

int guest_keep(objid_t id, uint32_t rights)
{
    return (int)twz_sys_sec_change(TWZ_OBJID_NONE, TWZ_SEC_KEEP, id, rights);
}

int guest_create_volatile(uint32_t kind, objid_t tie, objid_t holder, objid_t account, objid_t *id)
{
    struct twz_create create = {
        .perms = twz_private_perms(),
        .kind = kind,
        .tie = tie,
        .holder = holder,
        .keep = objid_is_none(holder) ? 0 : GUEST_RIGHTS,
        .account = account,
    };

    return plat_obj_create(&create, id);
}

int plat_random(void *buf, size_t len)
{
    return (int)twz_sys_random(buf, len);
}

objid_t plat_names_root(void)
{
    return system_page()->names_root;
}

int64_t *plat_error(void)
{
    return (int64_t *)(void *)&twz_thread_repr_base()->user[TWZ_USER_ERROR];
}

/* --- clock ------------------------------------------------------------------------------------ */

/* The monotonic clock; *wall: to be added for the wall clock. clock_seq is odd while the kernel
 * changes them (twz/kso.h). */
static uint64_t read_clock(int64_t *wall)
{
    const struct twz_system *s = system_page();
    uint64_t seq, ns;

    do {
        uint32_t lo, hi;

        seq = __atomic_load_n(&s->clock_seq, __ATOMIC_ACQUIRE);
        __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
        ns = (uint64_t)(((unsigned __int128)((uint64_t)hi << 32 | lo) * s->clock_mult) >>
                        s->clock_shift);
        ns += (uint64_t)s->clock_offset;
        *wall = s->wall_offset;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((seq & 1) || __atomic_load_n(&s->clock_seq, __ATOMIC_RELAXED) != seq);
    return ns;
}

uint64_t twz_clock(void)
{
    int64_t wall;

    return read_clock(&wall);
}

uint64_t twz_clock_wall(void)
{
    int64_t wall;
    uint64_t ns = read_clock(&wall);

    return ns + (uint64_t)wall;
}

uint64_t plat_time(void)
{
    return twz_clock_wall();
}

uint64_t guest_deadline_in(uint64_t ns)
{
    uint64_t now = twz_clock();

    return ns < TWZ_FOREVER - now ? now + ns : TWZ_FOREVER;
}

/* --- sleeping and waking ---------------------------------------------------------------------- */

int twz_sync_wait(const uint64_t *word, uint64_t value, uint64_t deadline)
{
    return (int)twz_sys_thread_wait((uint64_t)(uintptr_t)word, value, deadline, TWZ_SYNC_64);
}

int twz_sync_wait32(const uint32_t *word, uint32_t value, uint64_t deadline)
{
    return (int)twz_sys_thread_wait((uint64_t)(uintptr_t)word, value, deadline, TWZ_SYNC_32);
}

int twz_sync_wake(const uint64_t *word, uint64_t count)
{
    return (int)twz_sys_thread_wake((uint64_t)(uintptr_t)word, count);
}

int twz_sync_wake_wait(const uint64_t *wake, const uint64_t *word, uint64_t value,
                       uint64_t deadline)
{
    return (int)twz_sys_thread_wake_wait((uint64_t)(uintptr_t)wake, (uint64_t)(uintptr_t)word,
                                         value, deadline, TWZ_SYNC_64);
}

void plat_wait(const uint64_t *word, uint64_t value, uint64_t ns)
{
    (void)twz_sync_wait(word, value, guest_deadline_in(ns));
}

void plat_wake(const uint64_t *word, uint64_t count)
{
    (void)twz_sync_wake(word, count);
}

void plat_pause(void)
{
    __asm__ volatile("pause");
}

/* --- owners of locks -------------------------------------------------------------------------- */

uint64_t plat_owner(void)
{
    uint64_t generation = twz_thread_repr_base()->generation;

    return (system_page()->resume_count << 32 | (uint32_t)generation) & ~(1ull << 63);
}

bool plat_owner_is_alive(uint64_t owner)
{
    int64_t ret;

    if (owner == plat_owner())
        return 1;
    ret = twz_sys_thread_ctl(TWZ_OBJID_NONE, TWZ_THREAD_ALIVE, owner, 0);
    return ret != 0; /* an error decides nothing, so the owner counts as alive */
}
