/* SPDX-License-Identifier: MIT */
/*
 * Owns ties. A tie binds the life of a child to that of its parent. The tie of a persistent child,
 * whose parent must be persistent too, is in the store. A volatile child has a parent of either
 * kind. It is in the list of that parent, and holds a reference on the parent.
 *
 * Lock order: table only, for volatile children; object (two: lower address first) -> pool.
 */
#include <kernel/page.h>
#include <kernel/pool.h>
#include "inside.h"

struct object *tie_cut_locked(struct object *child)
{
    struct object *parent = child->tie_parent;

    if (!parent)
        return NULL;
    list_remove(&parent->tie_children, &child->tie_link);
    child->tie_parent = NULL;
    return parent;
}

void tie_link_locked(struct object *child, struct object *parent)
{
    obj_ref(parent);
    child->tie_parent = parent;
    list_add_first(&parent->tie_children, &child->tie_link);
}

#define TIE_DEPTH 256u /* longest chain of volatile ties above a child */

/* Ties a volatile child, or unties it if parent is NULL. A walk from parent upwards finds a
 * circle. */
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
        err = -TWZ_EBUSY; /* child has begun to migrate; migrate.c allows no volatile tie */
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

/* Ties a persistent child, or unties it if parent is child. The caller must hold both objects'
 * locks, so that neither object can begin or end a migration. */
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
