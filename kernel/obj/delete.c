/* SPDX-License-Identifier: MIT */
/*
 * Owns the deletion of objects, and their pins.
 *
 *   step of obj_delete                                            after a power failure
 *   1  persistent: COMMIT: store_obj_delete, for the object and   before the commit: no change;
 *      then for each persistent one tied to it                    after: recovery frees the space
 *   2  the in-core object is marked deleted, so that its ID       a volatile object does not exist
 *      cannot be found
 *   3  each persistent object tied to it is marked, and freed
 *      if nothing uses it
 *   4  the existence reference and the pin are dropped
 *   5  the object's volatile children are deleted
 *   6  with `now`: the object is unmapped everywhere
 *
 * Steps 1 and 2 are one critical section, so a batch of a migration runs before both or after both.
 * Mappings stay usable until they are removed. The drop of the last reference frees the pages and
 * the row (incore_free).
 *
 * Lock order: table alone; object -> pool -> kmem.
 */
#include <kernel/kmem.h>
#include <kernel/log.h>
#include "inside.h"

/* --- volatile children ------------------------------------------------------------------------ */

/* Does one step: moves a grandchild up to the deleted parent, or deletes a child that has no
 * children. So a chain of any length needs no recursion. Returns false if there is no child. */
static bool delete_child_step(struct object *parent)
{
    struct object *child, *grandchild;

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
    if (obj_delete(child, false) < 0)
        log_printf("object " IDFMT " was deleted before its parent", IDPR(child->id));
    obj_put(child);
    return true;
}

static void delete_children(struct object *parent)
{
    while (delete_child_step(parent))
        arch_preemption_point();
}

/* --- pins ------------------------------------------------------------------------------------- */

static void drop_pin(struct object *obj)
{
    bool pinned;

    table_lock();
    pinned = obj->pinned;
    obj->pinned = false;
    table_unlock();
    if (pinned)
        obj_put(obj);
}

int obj_pin(struct object *obj, bool pin)
{
    int err = 0;

    if (!pin) {
        drop_pin(obj);
        return 0;
    }
    table_lock();
    if (!obj->pinned && obj_is_deleted(obj)) {
        err = -TWZ_EDELETED;
    } else if (!obj->pinned) {
        obj->pinned = true;
        obj_ref(obj); /* before the lock is released, because drop_pin may follow at once */
    }
    table_unlock();
    return err;
}

/* --- persistent objects that are tied to the deleted one -------------------------------------- */

#define CHUNK_ROWS   62u
#define DELETE_BATCH 64u /* chains visited in one batch */

/* The rows that store_obj_delete has deleted. */
struct row_chunk {
    struct row_chunk *next;
    uint64_t n;
    uint32_t row[CHUNK_ROWS];
};

struct row_list {
    struct row_chunk *first;
    uint64_t unlisted; /* number of rows for which there was no memory */
};

static void list_deleted_row(void *ctx, uint32_t row)
{
    struct row_list *list = ctx;
    struct row_chunk *chunk = list->first;

    if (!chunk || chunk->n == CHUNK_ROWS) {
        chunk = kmem_alloc(sizeof(*chunk));
        if (!chunk) {
            list->unlisted++;
            return;
        }
        chunk->next = list->first;
        list->first = chunk;
    }
    chunk->row[chunk->n++] = row;
}

static objid_t id_of_row(uint32_t row)
{
    struct store *store = pool_lock();
    objid_t id = store ? store_obj_id_of(store, row) : TWZ_OBJID_NONE;

    pool_unlock();
    return id;
}

/* Completes the deletion of the object of one row. Frees the object if nothing uses it; otherwise
 * drops its pin and deletes its volatile children. */
static void complete_row(uint32_t row)
{
    struct object *cached, *used;
    bool known = table_delete_row(id_of_row(row), row, &cached, &used);

    if (!known && row_release(row) < 0)
        log_printf("pool: the space of row %u could not be released", row);
    if (cached)
        incore_free(cached);
    if (used) {
        drop_pin(used);
        delete_children(used);
        obj_put(used);
    }
}

static void mark_if_deleted(struct object *obj, void *ctx)
{
    struct store *store = pool_lock();
    struct store_stat stat;

    (void)ctx;
    if (store && store_obj_info(store, obj->row, &stat) == 0 && stat.state == STORE_DELETED)
        obj_mark_deleted(obj);
    pool_unlock();
}

/* Marks the in-core objects of unlisted rows deleted, so that look-ups fail. Recovery frees their
 * space. */
static void mark_unlisted(uint64_t count)
{
    uint32_t bucket = 0;

    while (table_visit_stored(bucket, DELETE_BATCH, mark_if_deleted, NULL)) {
        bucket += DELETE_BATCH;
        arch_preemption_point();
    }
    log_printf("pool: %llu tied objects stay until recovery", (unsigned long long)count);
}

/* Completes the deletion of all rows but `own`, whose in-core object the caller references. */
static void complete_rows(struct row_list *list, uint32_t own)
{
    struct row_chunk *chunk = list->first, *next;

    for (; chunk; chunk = next) {
        for (uint64_t i = 0; i < chunk->n; i++)
            if (chunk->row[i] != own)
                complete_row(chunk->row[i]);
        next = chunk->next;
        kmem_free(chunk, sizeof(*chunk));
        arch_preemption_point();
    }
    if (list->unlisted > 0)
        mark_unlisted(list->unlisted);
}

/* --- deletion --------------------------------------------------------------------------------- */

/* Does steps 1 and 2. */
static int commit_deletion(struct object *obj, struct row_list *list)
{
    struct store *store;
    int err = 0;

    spin_lock(&obj->tree.lock);
    if (obj_is_persistent(obj)) {
        store = pool_lock();
        err = store
                  ? store_obj_delete(store, obj->row, list_deleted_row, list) /* COMMIT: deleted */
                  : -TWZ_ENOTSUP;
        pool_unlock();
    }
    if (err == 0 && !obj_mark_deleted(obj))
        err = -TWZ_EDELETED;
    spin_unlock(&obj->tree.lock);
    return err;
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
    struct row_list list = { .first = NULL };
    int err = commit_deletion(obj, &list);

    complete_rows(&list, obj->row);
    if (err < 0 && !(err == -TWZ_EDELETED && now))
        return err;
    drop_existence(obj);
    drop_pin(obj);
    delete_children(obj);
    if (now)
        addrspace_unmap_everywhere(&obj->tree, 0);
    return 0;
}
