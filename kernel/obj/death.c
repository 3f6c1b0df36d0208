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

bool obj_mark_deleted(struct object *obj)
{
    uint32_t old = __atomic_fetch_or(&obj->flags, TWZ_OBJ_DELETED, __ATOMIC_ACQ_REL);

    return (old & TWZ_OBJ_DELETED) == 0;
}

/* --- ties ---------------------------------------------------------------------------------- */

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

static void link_locked(struct object *child, struct object *parent)
{
    obj_ref(parent);
    child->tie_parent = parent;
    child->tie_prev = NULL;
    child->tie_next = parent->tie_children;
    if (child->tie_next)
        child->tie_next->tie_prev = child;
    parent->tie_children = child;
}

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
        link_locked(grandchild, parent);
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
        link_locked(child, parent);
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

    if (!obj_is_persistent(child) || child->moving != MOVE_NONE || parent->moving != MOVE_NONE)
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
    objects_lock(child, other);
    err = tie_stored_locked(child, other);
    objects_unlock(child, other);
    return err;
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
    struct object *idle, *used;
    bool known;

    table_lock();
    idle = table_delete_row_locked(row, &known);
    used = !idle && known ? table_find_row_locked(row) : NULL;
    if (used)
        obj_ref(used);
    table_unlock();
    if (!known && row_release(row) < 0)
        log_printf("pool: the space of row %u could not be released", row);
    if (idle)
        incore_free(idle);
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
    bool held;

    table_lock();
    held = obj->held;
    obj->held = false;
    table_unlock();
    if (held)
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
