/* SPDX-License-Identifier: MIT */
/*
 * Owns the death of objects, and what it depends on: ties and pins.
 *
 * Death. record_kill makes the ID dead for every look-up at once; hangers go on working until they
 * go (deferred), or are taken down here (now). The existence reference of a volatile object falls
 * with it. Of a persistent one the store has committed the death before record_kill; its frames
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

bool record_kill(struct object *obj)
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
        arch_breathe();
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
    else if (record_dead(child) || (parent && record_dead(parent)))
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
        err = store_obj_tie(store, child->slot, parent != child ? parent->id : TWZ_OBJID_NONE);
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
    if (!obj->pinned && record_dead(obj)) {
        err = -TWZ_EDELETED;
    } else if (!obj->pinned) {
        obj->pinned = true;
        obj_ref(obj); /* in this hold: who unpins drops it */
    }
    table_unlock();
    return err;
}

/* --- death ----------------------------------------------------------------------------------- */

#define DIED_CHUNK 62u
#define BURY_PIECE 64u /* buckets looked through in one go */

/* Slots of tied objects that died with a parent, in chunks. */
struct died_chunk {
    struct died_chunk *next;
    uint64_t n;
    uint32_t slot[DIED_CHUNK];
};

struct died {
    struct died_chunk *first;
    uint64_t more; /* not noted for want of memory: recovery will return their space */
};

static void note_died(void *ctx, uint32_t slot)
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
    chunk->slot[chunk->n++] = slot;
}

/* A persistent object that died with its parent: its record, and its space where none uses it. */
static void bury_slot(uint32_t slot)
{
    struct object *idle, *used;
    bool known;

    table_lock();
    idle = table_bury_locked(slot, &known);
    used = !idle && known ? table_find_slot_locked(slot) : NULL;
    if (used)
        obj_ref(used);
    table_unlock();
    if (!known && slot_release(slot) < 0)
        log_printf("pool: the space of slot %u could not be released", slot);
    if (idle)
        record_free(idle);
    if (used) {
        unpin(used);
        tie_parent_died(used);
        obj_put(used);
    }
}

static void kill_if_dead(struct object *obj, void *ctx)
{
    struct store *store = pool_lock();
    struct store_stat stat;

    (void)ctx;
    if (store && store_obj_info(store, obj->slot, &stat) == 0 && stat.state == STORE_DEAD)
        record_kill(obj);
    pool_unlock();
}

/* There was no memory to note all that died: their IDs are dead, their space waits for recovery. */
static void bury_unnoted(uint64_t count)
{
    uint32_t bucket = 0;

    while (table_each_stored(bucket, BURY_PIECE, kill_if_dead, NULL)) {
        bucket += BURY_PIECE;
        arch_breathe();
    }
    log_printf("pool: %llu tied objects stay until recovery", (unsigned long long)count);
}

/* All that died but `own`, whose record the caller holds. */
static void bury_died(struct died *died, uint32_t own)
{
    struct died_chunk *chunk = died->first, *next;
    uint64_t i;

    for (; chunk; chunk = next) {
        for (i = 0; i < chunk->n; i++)
            if (chunk->slot[i] != own)
                bury_slot(chunk->slot[i]);
        next = chunk->next;
        kmem_free(chunk, sizeof(*chunk));
        arch_breathe();
    }
    if (died->more > 0)
        bury_unnoted(died->more);
}

/* The death itself, in one hold of the object's lock, so that no move is between its halves. */
static int die(struct object *obj, struct died *died)
{
    struct store *store;
    int err = 0;

    spin_lock(&obj->tree.lock);
    if (obj_is_persistent(obj)) {
        store = pool_lock();
        err = store ? store_obj_delete(store, obj->slot, note_died, died) : -TWZ_ENOTSUP;
        pool_unlock();
    }
    if (err == 0 && !record_kill(obj))
        err = -TWZ_EDELETED;
    spin_unlock(&obj->tree.lock);
    return err;
}

void record_unhold(struct object *obj)
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

    bury_died(&died, obj->slot);
    if (err < 0 && !(err == -TWZ_EDELETED && now))
        return err;
    record_unhold(obj);
    unpin(obj);
    tie_parent_died(obj);
    if (now)
        subtree_unhang_all(&obj->tree, 0);
    return 0;
}
