/* SPDX-License-Identifier: MIT */
/*
 * Guards (twz/guard.h). The thread's innermost guard is in a word of the thread, so that the
 * functions below need no argument. Only its thread uses a guard.
 */
#include <twz/guard.h>

#include "platform.h"

void twz_guard_begin(struct twz_guard *g)
{
    g->locks = 0;
    g->objects = 0;
    g->watched = 0;
    g->error = 0;
    g->outer = *plat_guard();
    *plat_guard() = g;
}

void twz_guard_end(struct twz_guard *g)
{
    *plat_guard() = g->outer;
    twz_catch_end(&g->fault);
}

struct twz_guard *twz_guard_leave(void)
{
    struct twz_guard *g = *plat_guard();

    if (g)
        twz_guard_end(g);
    return g;
}

void twz_guard_enter(struct twz_guard *g)
{
    if (!g)
        return;
    plat_catch_again(&g->fault);
    *plat_guard() = g;
}

/* --- what the operation holds ----------------------------------------------------------------- */

void twz_guard_lock(struct twz_mutex *mutex)
{
    struct twz_guard *g = *plat_guard();

    if (g && g->locks < TWZ_GUARD_LOCKS)
        g->lock[g->locks++] = mutex;
}

void twz_guard_acquire(struct twz_mutex *mutex)
{
    struct twz_guard *g = *plat_guard();
    const struct twz_fault busy = { .kind = TWZ_FAULT_PAGE, .addr = (uint64_t)(uintptr_t)mutex };
    int err = g ? twz_mutex_lock_for(mutex, TWZ_GUARD_WAIT) : twz_mutex_lock(mutex);

    if (err < 0) {
        g->error = err;
        twz_fault_raise(&busy); /* to the guard's catch */
    }
    twz_guard_lock(mutex);
}

void twz_guard_unlock(struct twz_mutex *mutex)
{
    struct twz_guard *g = *plat_guard();

    for (uint32_t i = g ? g->locks : 0; i > 0; i--) {
        if (g->lock[i - 1] == mutex) {
            g->lock[i - 1] = g->lock[--g->locks];
            return;
        }
    }
}

void twz_guard_watch(const void *start)
{
    struct twz_guard *g = *plat_guard();

    for (uint32_t i = 0; g && i < g->watched; i++) {
        if (g->watch[i] == start)
            return;
    }
    if (g && g->watched < TWZ_GUARD_WATCHED)
        g->watch[g->watched++] = start;
}

void twz_guard_opened(const twzobj *obj)
{
    struct twz_guard *g = *plat_guard();

    if (g && g->objects < TWZ_GUARD_OBJECTS)
        g->object[g->objects++] = *obj;
}

void twz_guard_closed(const twzobj *obj)
{
    struct twz_guard *g = *plat_guard();

    for (uint32_t i = g ? g->objects : 0; i > 0; i--) {
        if (g->object[i - 1].start == obj->start && g->object[i - 1].rights == obj->rights) {
            g->object[i - 1] = g->object[--g->objects];
            return;
        }
    }
}

/* --- a fault ---------------------------------------------------------------------------------- */

static bool is_in(const struct twz_fault *fault, const uint8_t *start)
{
    return fault->addr >> TWZ_OBJ_SHIFT == (uint64_t)(uintptr_t)start >> TWZ_OBJ_SHIFT;
}

static bool is_known(const struct twz_guard *g, const struct twz_fault *fault)
{
    if (fault->kind != TWZ_FAULT_OBJECT && fault->kind != TWZ_FAULT_PERM &&
        fault->kind != TWZ_FAULT_PAGE)
        return false;
    for (uint32_t i = 0; i < g->objects; i++) {
        if (is_in(fault, g->object[i].start))
            return true;
    }
    for (uint32_t i = 0; i < g->watched; i++) {
        if (is_in(fault, g->watch[i]))
            return true;
    }
    return false;
}

static void try_unlock(void *mutex)
{
    twz_mutex_unlock(mutex);
}

/* The word of a lock may lie on the page that faulted: then no thread can use the lock. */
static void release_all(struct twz_guard *g)
{
    struct twz_fault ignored;

    for (uint32_t i = g->locks; i > 0; i--)
        (void)twz_try(try_unlock, g->lock[i - 1], &ignored);
    for (uint32_t i = g->objects; i > 0; i--)
        plat_unmap(g->object[i - 1].start, g->object[i - 1].id, g->object[i - 1].rights);
}

int twz_guard_fault(struct twz_guard *g)
{
    const bool known = is_known(g, &g->fault.fault);

    *plat_guard() = g->outer;
    release_all(g);
    if (g->error)
        return g->error;
    if (!known) {
        twz_fault_raise(&g->fault.fault);
        return -TWZ_EFAULT;
    }
    switch (g->fault.fault.reason) {
    case TWZ_REASON_NOSPC: return -TWZ_ENOSPC;
    case TWZ_REASON_NOMEM: return -TWZ_ENOMEM;
    case TWZ_REASON_QUOTA: return -TWZ_EQUOTA;
    case TWZ_REASON_DAMAGED:
    case TWZ_REASON_MISMATCH: return -TWZ_EDAMAGED;
    default: break;
    }
    switch (g->fault.fault.kind) {
    case TWZ_FAULT_PERM: return -TWZ_EDENIED;
    case TWZ_FAULT_OBJECT: return -TWZ_EDELETED;
    default: return -TWZ_EIO;
    }
}
