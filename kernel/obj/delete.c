/* SPDX-License-Identifier: MIT */
/*
 * Owns the deletion of objects.
 *
 *   step of a deletion                                            after a power failure
 *   1  persistent: COMMIT: store_obj_delete_begin                 before the commit: no change;
 *                                                                 after: recovery frees the space
 *   2  the in-core object is marked deleted, so that its ID       a volatile object does not exist
 *      cannot be found
 *   3  the existence reference and the pins are dropped, and
 *      a service can be called no more
 *   4  COMMIT: store_obj_delete_tied for each persistent object   recovery does steps 4 and 5
 *      tied to it; the in-core one is marked, and freed if
 *      nothing uses it
 *   5  the object's volatile children are deleted
 *   6  with `now`: the object is unmapped everywhere
 *
 * Steps 1 and 2 are one critical section, so a batch of a migration runs before both or after both.
 * Steps 4 to 6 are deferred work (kernel/defer.h), which holds a reference. Mappings stay usable
 * until they are removed. The drop of the last reference frees the pages and the row (incore_free).
 *
 * Lock order: table alone; object -> pool -> kmem.
 */
#include <kernel/accounts.h>
#include <kernel/defer.h>
#include <kernel/log.h>
#include <kernel/upcall.h>
#include "inside.h"

/* --- volatile children ------------------------------------------------------------------------ */

/* Does one step: moves a grandchild up to the deleted parent, or deletes a child that has no
 * children. So a chain of any length needs no recursion. Returns false if there is no child. */
static bool delete_child_step(struct object *parent)
{
    struct object *child, *grandchild;
    int err;

    table_lock();
    child = LIST_FIRST(&parent->tie_children, struct object, tie_link);
    if (!child) {
        table_unlock();
        return false;
    }
    grandchild = LIST_FIRST(&child->tie_children, struct object, tie_link);
    if (grandchild) {
        tie_cut_locked(grandchild);
        tie_link_locked(grandchild, parent);
        table_unlock();
        obj_put(child);
        return true;
    }
    obj_ref(child);
    tie_cut_locked(child);
    table_unlock();
    obj_put(parent);
    err = obj_delete(child, false);
    if (err < 0 && err != -TWZ_EDELETED) /* another call may delete it at the same time */
        log_printf("object " IDFMT ": not deleted with its parent", IDPR(child->id));
    obj_put(child);
    return true;
}

/* --- persistent objects that are tied to the deleted one -------------------------------------- */

/* Estimated instructions of one step. */
#define COST_TIED    1500u
#define COST_CHILD   3000u
#define COST_RELEASE 12000u

static void spend(uint32_t *budget, uint32_t cost)
{
    *budget -= cost < *budget ? cost : *budget;
}

static void delete_dependents(struct object *obj, bool now);

/* Ends what keeps a deleted object in use until it is undone. */
static void drop_holds(struct object *obj)
{
    pins_drop(obj);
    if (obj->kind == TWZ_KIND_SERVICE)
        upcall.service_deleted(obj);
}

/* Returns the ID of a deleted row, and in *payer the account that pays for it. */
static objid_t id_of_row(uint32_t row, struct account **payer)
{
    struct store_stat stat = { .id = TWZ_OBJID_NONE };
    struct store *store = pool_lock();

    if (store && store_obj_info(store, row, &stat) < 0)
        stat.account = stat.id = TWZ_OBJID_NONE;
    pool_unlock();
    *payer = accounts_charge_id(stat.account, TWZ_ACCOUNT_POOL, 0);
    return stat.id;
}

/* Completes the deletion of the object of one row. Frees the object if nothing uses it; otherwise
 * drops its pins and deletes its volatile children. Returns true if the caller must release the
 * row, because there is no in-core object; in *payer the account that pays for it. */
static bool complete_row(uint32_t row, struct account **payer)
{
    bool used;
    objid_t id = id_of_row(row, payer);
    struct object *obj = table_delete_row(id, row, &used);

    upcall.object_deleted(id, obj);
    if (!obj)
        return true;
    if (used) {
        drop_holds(obj);
        delete_dependents(obj, false);
        obj_put(obj);
    } else {
        incore_free(obj);
    }
    return false;
}

/* Does step 4 for some objects. Returns true if some are left. */
static bool delete_tied(struct object *obj, uint32_t *budget)
{
    while (*budget > 0) {
        struct store *store;
        uint32_t row;
        int more = 0;

        if (obj->release_row != OBJ_NO_ROW) {
            more = row_release_some(obj->release_row, obj->release_payer);
            obj->release_row = more > 0 ? obj->release_row : OBJ_NO_ROW;
            spend(budget, COST_RELEASE);
            continue;
        }
        store = pool_lock();
        if (store && obj_is_persistent(obj))
            more = store_obj_delete_tied(store, obj->row, &row); /* COMMIT: deleted */
        pool_unlock();
        if (more <= 0)
            return false;
        if (row != obj->row && complete_row(row, &obj->release_payer))
            obj->release_row = row;
        spend(budget, COST_TIED);
    }
    return true;
}

/* Does step 5 for some objects. Returns true if some are left. */
static bool delete_children(struct object *obj, uint32_t *budget)
{
    while (*budget > 0) {
        if (!delete_child_step(obj))
            return false;
        spend(budget, COST_CHILD);
    }
    return true;
}

/* --- deletion --------------------------------------------------------------------------------- */

/* Does a batch of steps 4 to 6. */
static bool dependents_step(struct deferred *work)
{
    struct object *obj = CONTAINER_OF(work, struct object, work);
    uint32_t budget = DEFERRED_STEP;

    if (delete_tied(obj, &budget) || delete_children(obj, &budget))
        return true;
    if (obj->unmap_now && addrspace_unmap_excess(&obj->tree, 0, NULL, &budget))
        return true;
    obj_put(obj);
    return false;
}

/* Must be called once for an object, by the caller that has marked it deleted. */
static void delete_dependents(struct object *obj, bool now)
{
    obj_ref(obj);
    obj->unmap_now = now;
    obj->work.step = dependents_step;
    defer(&obj->work);
}

/* Does steps 1 and 2. Returns 1 if persistent objects are tied to this one, else 0. */
static int commit_deletion(struct object *obj)
{
    struct store *store;
    int ret = 0;

    spin_lock(&obj->tree.lock);
    if (obj_is_persistent(obj)) {
        store = pool_lock();
        ret = store ? store_obj_delete_begin(store, obj->row) /* COMMIT: deleted */
                    : -TWZ_ENOTSUP;
        pool_unlock();
    }
    if (ret >= 0 && !obj_mark_deleted(obj))
        ret = -TWZ_EDELETED;
    spin_unlock(&obj->tree.lock);
    return ret;
}

/* After step 2 an object gets no more children. */
static bool has_children(struct object *obj)
{
    bool has;

    table_lock();
    has = !list_is_empty(&obj->tie_children);
    table_unlock();
    return has;
}

static void drop_existence(struct object *obj)
{
    bool exists;

    table_lock();
    exists = obj->exists;
    obj->exists = false;
    table_unlock();
    if (exists)
        obj_put(obj);
}

int obj_delete(struct object *obj, bool now)
{
    int tied = commit_deletion(obj);

    if (tied < 0)
        return tied;
    upcall.object_deleted(obj->id, obj);
    drop_existence(obj);
    drop_holds(obj);
    if (tied > 0 || now || has_children(obj))
        delete_dependents(obj, now);
    return 0;
}
