/* SPDX-License-Identifier: MIT */
/*
 * Owns the death of objects, and what it depends on: ties and pins.
 *
 * Death. obj_mark_deleted makes the ID dead for every look-up at once; mappings go on working until they
 * go (deferred), or are taken down here (now). The existence reference of a volatile object falls
 * with it. Of a persistent one the store has committed the death before obj_mark_deleted; its frames
 * return when the last reference falls, or at recovery.
 *
 * Ties. Persistent to persistent is the store's; a volatile child is in its parent's list and holds
 * a reference on it. tie_* fields and the pin are guarded by the table's lock.
 *
 * Locks: table -> pool; obj->tree.lock -> pool, two objects' for a tie.
 */
#include <kernel/kmem.h>
#include <kernel/log.h>
#include "inside.h"

/* --- ties ---------------------------------------------------------------------------------- */

/* One step: a grandchild moves up to the dead parent, or a child without children dies. False: no
 * child is left. So a chain of any length needs no recursion. */
static bool tie_step(struct object *parent)
{
    struct object *child, *grandchild;

    table_lock();
    child = parent->tie_children;
    if (!child) {
        table_unlock();
        return false;
    }
    grandchild = child->tie_children;
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
        log_printf("object " IDFMT " was dead before its parent", IDPR(child->id));
    obj_put(child);
    return true;
}

void tie_parent_died(struct object *parent)
{
    while (tie_step(parent))
        arch_preemption_point();
}

/* --- pins --------------------------------------------------------------------------------- */

static void unpin(struct object *obj)
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
        unpin(obj);
        return 0;
    }
    table_lock();
    if (!obj->pinned && obj_is_deleted(obj)) {
        err = -TWZ_EDELETED;
    } else if (!obj->pinned) {
        obj->pinned = true;
        obj_ref(obj); /* in this hold: who unpins drops it */
    }
    table_unlock();
    return err;
}

/* --- death ----------------------------------------------------------------------------------- */

#define DIED_CHUNK   62u
#define DELETE_BATCH 64u /* buckets looked through in one go */

/* Rows of tied objects that died with a parent, in chunks. */
struct died_chunk {
    struct died_chunk *next;
    uint64_t n;
    uint32_t row[DIED_CHUNK];
};

struct died {
    struct died_chunk *first;
    uint64_t more; /* not noted for want of memory: recovery will return their space */
};

static void note_died(void *ctx, uint32_t row)
{
    struct died *died = ctx;
    struct died_chunk *chunk = died->first;

    if (!chunk || chunk->n == DIED_CHUNK) {
        chunk = kmem_alloc(sizeof(*chunk));
        if (!chunk) {
            died->more++;
            return;
        }
        chunk->next = died->first;
        died->first = chunk;
    }
    chunk->row[chunk->n++] = row;
}

/* A persistent object that died with its parent: its record, and its space where none uses it. */
static void free_died_row(uint32_t row)
{
    struct object *cached, *used;
    bool known;

    table_lock();
    cached = table_delete_row_locked(row, &known);
    used = !cached && known ? table_find_row_locked(row) : NULL;
    if (used)
        obj_ref(used);
    table_unlock();
    if (!known && row_release(row) < 0)
        log_printf("pool: the space of row %u could not be released", row);
    if (cached)
        incore_free(cached);
    if (used) {
        unpin(used);
        tie_parent_died(used);
        obj_put(used);
    }
}

static void mark_if_dead(struct object *obj, void *ctx)
{
    struct store *store = pool_lock();
    struct store_stat stat;

    (void)ctx;
    if (store && store_obj_info(store, obj->row, &stat) == 0 && stat.state == STORE_DEAD)
        obj_mark_deleted(obj);
    pool_unlock();
}

/* There was no memory to note all that died: their IDs are dead, their space waits for recovery. */
static void mark_unlisted(uint64_t count)
{
    uint32_t bucket = 0;

    while (table_each_stored(bucket, DELETE_BATCH, mark_if_dead, NULL)) {
        bucket += DELETE_BATCH;
        arch_preemption_point();
    }
    log_printf("pool: %llu tied objects stay until recovery", (unsigned long long)count);
}

/* All that died but `own`, whose record the caller holds. */
static void free_died(struct died *died, uint32_t own)
{
    struct died_chunk *chunk = died->first, *next;
    uint64_t i;

    for (; chunk; chunk = next) {
        for (i = 0; i < chunk->n; i++)
            if (chunk->row[i] != own)
                free_died_row(chunk->row[i]);
        next = chunk->next;
        kmem_free(chunk, sizeof(*chunk));
        arch_preemption_point();
    }
    if (died->more > 0)
        mark_unlisted(died->more);
}

/* The death itself, in one hold of the object's lock, so that no move is between its halves. */
static int die(struct object *obj, struct died *died)
{
    struct store *store;
    int err = 0;

    spin_lock(&obj->tree.lock);
    if (obj_is_persistent(obj)) {
        store = pool_lock();
        err = store ? store_obj_delete(store, obj->row, note_died, died) : -TWZ_ENOTSUP;
        pool_unlock();
    }
    if (err == 0 && !obj_mark_deleted(obj))
        err = -TWZ_EDELETED;
    spin_unlock(&obj->tree.lock);
    return err;
}

void obj_drop_existence(struct object *obj)
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
    struct died died = { .first = NULL };
    int err = die(obj, &died);

    free_died(&died, obj->row);
    if (err < 0 && !(err == -TWZ_EDELETED && now))
        return err;
    obj_drop_existence(obj);
    unpin(obj);
    tie_parent_died(obj);
    if (now)
        subtree_unmap_all(&obj->tree, 0);
    return 0;
}
