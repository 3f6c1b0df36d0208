/* SPDX-License-Identifier: MIT */
/*
 * Slots of the view. Which object is where is kept twice: in the view's own table, where slots are
 * claimed by exchanging an entry's flags from 0 to TWZ_VE_TAKEN (several copies of this library,
 * the program's and the runtime's, share one view), and in this copy's table of mappings, which
 * counts uses. A mapping that nobody uses stays for a while, since names are looked up again and
 * again; IDLE_MAX of them at most, and none of an object that this copy deleted.
 *
 * Lock: `lock` guards the table of mappings; the view's table needs none.
 */
#include <twz/mutex.h>

#include "guest.h"

#define MAPS      2048u /* power of two */
#define IDLE_MAX  64u
#define IDLE_KEEP 32u

enum state { FREE, USED, DYING };

struct map {
    objid_t id;
    uint32_t rights;
    uint32_t slot;
    uint32_t uses;
    uint32_t state;
    uint64_t idle_since; /* count of releases */
};

static struct twz_mutex lock;
static struct map maps[MAPS];
static uint32_t idle;
static uint64_t releases;
static uint32_t next_slot = TWZ_SLOT_FIRST;

static void take_lock(void)
{
    int died = twz_mutex_lock(&lock);

    (void)died; /* a killed thread may have left a slot behind, nothing worse */
}

/* --- the view's table ------------------------------------------------------------------------- */

void entry_write(struct twz_view_entry *entry, objid_t id, uint64_t flags)
{
    entry->id = id;
    __atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
}

static uint32_t slot_claim(void)
{
    for (uint32_t i = TWZ_SLOT_FIRST; i < TWZ_SLOTS; i++) {
        uint32_t slot = next_slot++;
        uint64_t none = 0;

        if (next_slot >= TWZ_SLOTS)
            next_slot = TWZ_SLOT_FIRST;
        if (__atomic_compare_exchange_n(&view_entry(slot)->flags, &none, TWZ_VE_TAKEN, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return slot;
    }
    return 0;
}

static void slot_free(uint32_t slot)
{
    struct twz_view_entry *entry = view_entry(slot);

    twz_ptr_forget(slot_start(slot));
    __atomic_store_n(&entry->flags, TWZ_VE_TAKEN, __ATOMIC_RELEASE);
    (void)twz_sys_kso_invalidate(view_id(), slot, 1);
    __atomic_store_n(&entry->flags, 0, __ATOMIC_RELEASE);
}

/* --- mappings --------------------------------------------------------------------------------- */

static uint32_t hash(objid_t id, uint32_t rights)
{
    return (objid_hash(id) + rights) & (MAPS - 1);
}

/* Open addressing; the table is never more than half full. */
static struct map *find(objid_t id, uint32_t rights, struct map **room)
{
    uint32_t at = hash(id, rights);

    for (uint32_t i = 0; i < MAPS; i++, at = (at + 1) & (MAPS - 1)) {
        struct map *m = &maps[at];

        if (m->state == FREE) {
            *room = m;
            return NULL;
        }
        if (m->rights == rights && objid_equal(m->id, id))
            return m;
    }
    *room = NULL;
    return NULL;
}

/* Take one out and move later ones of its run up. */
static void drop(struct map *m)
{
    uint32_t hole = (uint32_t)(m - maps);
    uint32_t at = hole;

    slot_free(m->slot);
    for (;;) {
        uint32_t home;

        maps[hole].state = FREE;
        do {
            at = (at + 1) & (MAPS - 1);
            if (maps[at].state == FREE)
                return;
            home = hash(maps[at].id, maps[at].rights);
        } while (((at - home) & (MAPS - 1)) < ((at - hole) & (MAPS - 1)));
        maps[hole] = maps[at];
        hole = at;
    }
}

/* One look through the table for many: all but the IDLE_KEEP that were used last. drop() moves a
 * later one up to where it stood, so the same place is looked at again. */
static void drop_old_idle(void)
{
    for (uint32_t i = 0; i < MAPS; i++) {
        struct map *m = &maps[i];

        while (m->state == USED && m->uses == 0 && m->idle_since + IDLE_KEEP <= releases) {
            idle--;
            drop(m);
        }
    }
}

/* Is there such an object, and may we look at it? The cheapest call that finds it: to flush none of
 * its pages. (obj_stat counts them all.) That an object of its kind has nothing to flush, or is
 * busy, is no reason not to map it. */
static int exists(objid_t id)
{
    int err = (int)twz_sys_obj_range(id, TWZ_RANGE_PERSIST, TWZ_OBJ_BASE, 0);

    return err == -TWZ_EINVAL || err == -TWZ_EBUSY ? 0 : err;
}

static int map_new(objid_t id, uint32_t rights, struct map *room)
{
    uint32_t slot;
    int err = exists(id);

    if (err < 0)
        return err;
    slot = room ? slot_claim() : 0;
    if (slot == 0)
        return -TWZ_EFULL;
    entry_write(view_entry(slot), id, TWZ_VE_VALID | rights);
    *room = (struct map){ .id = id, .rights = rights, .slot = slot, .uses = 0, .state = USED };
    return 0;
}

int plat_map(objid_t id, uint32_t rights, uint8_t **start)
{
    struct map *room = NULL;
    struct map *m;
    int err = 0;

    take_lock();
    m = find(id, rights, &room);
    if (m) {
        idle -= m->uses == 0;
    } else {
        err = map_new(id, rights, room);
        m = room;
    }
    if (err >= 0) {
        m->uses++;
        *start = slot_start(m->slot);
    }
    twz_mutex_unlock(&lock);
    return err;
}

void plat_unmap(uint8_t *start, objid_t id, uint32_t rights)
{
    struct map *room;
    struct map *m;

    (void)start;
    take_lock();
    m = find(id, rights, &room);
    if (!m || m->uses == 0 || --m->uses > 0) {
        twz_mutex_unlock(&lock);
        return;
    }
    if (m->state == DYING) {
        drop(m);
    } else {
        m->idle_since = ++releases;
        if (++idle > IDLE_MAX)
            drop_old_idle();
    }
    twz_mutex_unlock(&lock);
}

int plat_id_at(const void *addr, objid_t *id, uint32_t *rights)
{
    uint64_t slot = (uint64_t)(uintptr_t)addr >> TWZ_OBJ_SHIFT;
    const struct twz_view_entry *entry;
    uint64_t flags;

    if (slot >= TWZ_SLOTS)
        return -TWZ_ENOOBJ;
    entry = view_entry((uint32_t)slot);
    flags = __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE);
    if (!(flags & TWZ_VE_VALID))
        return -TWZ_ENOOBJ;
    *id = entry->id;
    *rights = (uint32_t)flags & (TWZ_READ | TWZ_WRITE | TWZ_EXEC);
    return 0;
}

/* The object is to die: what nobody uses must not keep it, nor what is used until now. */
static void forget(objid_t id)
{
    static const uint32_t kinds[] = { TWZ_READ, TWZ_READ | TWZ_WRITE, TWZ_READ | TWZ_EXEC };
    struct map *room;

    take_lock();
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct map *m = find(id, kinds[i], &room);

        if (m && m->uses == 0) {
            idle--;
            drop(m);
        } else if (m) {
            m->state = DYING;
        }
    }
    twz_mutex_unlock(&lock);
}

int plat_obj_delete(objid_t id, uint64_t flags)
{
    forget(id);
    return (int)twz_sys_obj_delete(id, flags);
}
