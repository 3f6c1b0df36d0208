/* SPDX-License-Identifier: MIT */
/*
 * Owns ties. Persistent to persistent is the store's; a volatile child is in its parent's list and
 * holds a reference on it. tie_* fields are guarded by the table's lock.
 *
 * Locks: table -> pool; obj->tree.lock -> pool, two objects' for a tie.
 */
#include <kernel/page.h>
#include <kernel/pool.h>
#include "inside.h"

struct object *tie_cut_locked(struct object *child)
{
    struct object *parent = child->tie_parent;

    if (!parent)
        return NULL;
    if (child->tie_prev)
        child->tie_prev->tie_next = child->tie_next;
    else
        parent->tie_children = child->tie_next;
    if (child->tie_next)
        child->tie_next->tie_prev = child->tie_prev;
    child->tie_parent = NULL;
    child->tie_next = NULL;
    child->tie_prev = NULL;
    return parent;
}

void tie_link_locked(struct object *child, struct object *parent)
{
    obj_ref(parent);
    child->tie_parent = parent;
    child->tie_prev = NULL;
    child->tie_next = parent->tie_children;
    if (child->tie_next)
        child->tie_next->tie_prev = child;
    parent->tie_children = child;
}

#define TIE_DEPTH 256u /* volatile parents above one another */

static int tie_volatile(struct object *child, struct object *parent)
{
    struct object *up = parent, *old;
    unsigned depth = 0;
    int err = 0;

    table_lock();
    while (up && up != child && depth++ < TIE_DEPTH)
        up = up->tie_parent;
    if (up == child)
        err = -TWZ_EINVAL;
    else if (up)
        err = -TWZ_EFULL;
    else if (obj_is_deleted(child) || (parent && obj_is_deleted(parent)))
        err = -TWZ_EDELETED;
    else if (obj_is_persistent(child))
        err = -TWZ_EBUSY; /* it began to move just now: move.c wants no volatile tie */
    if (err < 0) {
        table_unlock();
        return err;
    }
    old = tie_cut_locked(child);
    if (parent)
        tie_link_locked(child, parent);
    table_unlock();
    if (old)
        obj_put(old);
    return 0;
}

/* Both locks held: neither starts or stops being the store's meanwhile. parent == child: none. */
static int tie_stored_locked(struct object *child, struct object *parent)
{
    struct store *store;
    int err = -TWZ_ENOTSUP;

    if (!obj_is_persistent(child) || child->migrating != MIGRATE_NONE ||
        parent->migrating != MIGRATE_NONE)
        return -TWZ_EBUSY;
    if (!obj_is_persistent(parent))
        return -TWZ_EINVAL;
    store = pool_lock();
    if (store)
        err = store_obj_tie(store, child->row, parent != child ? parent->id : TWZ_OBJID_NONE);
    pool_unlock();
    return err;
}

int obj_tie(struct object *child, struct object *parent)
{
    struct object *other = parent ? parent : child;
    int err;

    if (!obj_is_persistent(child))
        return tie_volatile(child, parent);
    if (parent == child)
        return -TWZ_EINVAL;
    obj_lock_pair(child, other);
    err = tie_stored_locked(child, other);
    obj_unlock_pair(child, other);
    return err;
}
