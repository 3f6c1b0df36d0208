/* SPDX-License-Identifier: MIT */
/*
 * Owns the life of objects: birth, death, ties, pins, and what stat tells.
 *
 * Birth. The nonce is random and the kernel's choice; the ID follows from it. Persistent ones are
 * made by the store first (its commit is the birth), then get a record.
 *
 * Death. record_kill makes the ID dead for every look-up at once; hangers go on working until they
 * go (deferred), or are taken down here (now). The existence reference of a volatile object falls
 * with it. Of a persistent one the store has committed the death before record_kill; its frames
 * return when the last reference falls, or at recovery.
 *
 * Ties. Persistent to persistent is the store's; a volatile child is in its parent's list and holds
 * a reference on it. tie_* fields are guarded by the table's lock.
 *
 * Locks: table -> pool; obj->tree.lock -> pool, two objects' for a tie. Whether and where the store
 * has an object (obj->slot) changes only with both the table's lock and its own held (move.c), so
 * either of them keeps it as it is.
 */
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/random.h>
#include <lib/string.h>
#include <verify/hash.h>
#include "inside.h"

static int make_volatile(const struct obj_spec *spec, struct object *obj)
{
    random_bytes(obj->nonce, sizeof(obj->nonce));
    obj->id = hash_objid(obj->nonce, spec->perms, spec->kuid);
    table_lock();
    obj_ref(obj);
    obj->held = true;
    table_insert_locked(obj);
    table_unlock();
    return 0;
}

static int make_persistent(const struct obj_spec *spec, struct object *obj)
{
    struct store_create create = { .kuid = spec->kuid,
                                   .tie_parent = spec->tie,
                                   .perms = spec->perms,
                                   .kind = spec->kind,
                                   .persist = spec->persist };
    struct store *store;
    int ret = -TWZ_ENOTSUP;

    random_bytes(create.nonce, sizeof(create.nonce));
    if ((spec->flags & TWZ_OBJ_PROVISIONAL) != 0) {
        create.witness = spec->witness;
        create.witness_off = spec->witness_off;
        create.witness_value = spec->witness_value;
    }
    obj->nonce[0] = create.nonce[0];
    obj->nonce[1] = create.nonce[1];
    table_lock();
    store = pool_lock();
    if (store != NULL)
        ret = store_obj_create(store, &create, &obj->slot, &obj->id);
    pool_unlock();
    if (ret == 0)
        table_insert_locked(obj);
    table_unlock();
    if (ret == 0 && spec->persist == TWZ_PERSIST_PERIODIC)
        flush_watch();
    return ret;
}

static bool spec_ok(const struct obj_spec *spec)
{
    uint32_t flags = spec->flags;

    if ((flags & ~(TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL)) != 0 || (spec->perms & ~TWZ_PERMS) != 0)
        return false;
    if (spec->persist > TWZ_PERSIST_PERIODIC)
        return false;
    if ((flags & TWZ_OBJ_PROVISIONAL) != 0)
        return (flags & TWZ_OBJ_PERSIST) != 0 && !objid_none(spec->witness);
    return true;
}

static int tie_new(struct object *obj, objid_t parent_id)
{
    struct object *parent;
    int ret = obj_get(parent_id, &parent);

    if (ret < 0)
        return ret;
    ret = obj_tie(obj, parent);
    obj_put(parent);
    return ret;
}

int obj_create(const struct obj_spec *spec, struct object **out)
{
    bool persistent = (spec->flags & TWZ_OBJ_PERSIST) != 0;
    struct object *obj;
    int ret;

    if (!spec_ok(spec))
        return -TWZ_EINVAL;
    obj = record_alloc();
    if (obj == NULL)
        return -TWZ_ENOMEM;
    obj->kuid = spec->kuid;
    obj->kind = spec->kind;
    obj->perms_id = spec->perms;
    obj->perms = spec->perms;
    obj->persist = spec->persist;
    obj->flags = spec->flags;
    ret = persistent ? make_persistent(spec, obj) : make_volatile(spec, obj);
    if (ret < 0) {
        kmem_free(obj, sizeof(*obj));
        return ret;
    }
    if (!persistent && !objid_none(spec->tie))
        ret = tie_new(obj, spec->tie);
    if (ret < 0) {
        if (obj_delete(obj, false) < 0)
            log_printf("object " IDFMT " could not be taken back", IDPR(obj->id));
        obj_put(obj);
        return ret;
    }
    *out = obj;
    return 0;
}

bool record_kill(struct object *obj)
{
    uint32_t old = __atomic_fetch_or(&obj->flags, TWZ_OBJ_DELETED, __ATOMIC_ACQ_REL);

    return (old & TWZ_OBJ_DELETED) == 0;
}

/* --- ties ---------------------------------------------------------------------------------- */

struct object *tie_cut_locked(struct object *child)
{
    struct object *parent = child->tie_parent;

    if (parent == NULL)
        return NULL;
    if (child->tie_prev != NULL)
        child->tie_prev->tie_next = child->tie_next;
    else
        parent->tie_children = child->tie_next;
    if (child->tie_next != NULL)
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
    if (child->tie_next != NULL)
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
    if (child == NULL) {
        table_unlock();
        return false;
    }
    grandchild = child->tie_children;
    if (grandchild != NULL) {
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
    int ret = 0;

    table_lock();
    while (up != NULL && up != child && depth++ < TIE_DEPTH)
        up = up->tie_parent;
    if (up == child)
        ret = -TWZ_EINVAL;
    else if (up != NULL)
        ret = -TWZ_EFULL;
    else if (record_dead(child) || (parent != NULL && record_dead(parent)))
        ret = -TWZ_EDELETED;
    else if (obj_is_persistent(child))
        ret = -TWZ_EBUSY; /* it began to move just now: move.c wants no volatile tie */
    if (ret < 0) {
        table_unlock();
        return ret;
    }
    old = tie_cut_locked(child);
    if (parent != NULL)
        link_locked(child, parent);
    table_unlock();
    if (old != NULL)
        obj_put(old);
    return 0;
}

/* Both locks held: neither starts or stops being the store's meanwhile. parent == child: none. */
static int tie_stored_locked(struct object *child, struct object *parent)
{
    struct store *store;
    int ret = -TWZ_ENOTSUP;

    if (!obj_is_persistent(child) || child->moving != MOVE_NONE || parent->moving != MOVE_NONE)
        return -TWZ_EBUSY;
    if (!obj_is_persistent(parent))
        return -TWZ_EINVAL;
    store = pool_lock();
    if (store != NULL)
        ret = store_obj_tie(store, child->slot, parent != child ? parent->id : TWZ_OBJID_NONE);
    pool_unlock();
    return ret;
}

int obj_tie(struct object *child, struct object *parent)
{
    struct object *other = parent != NULL ? parent : child;
    int ret;

    if (!obj_is_persistent(child))
        return tie_volatile(child, parent);
    if (parent == child)
        return -TWZ_EINVAL;
    objects_lock(child, other);
    ret = tie_stored_locked(child, other);
    objects_unlock(child, other);
    return ret;
}

/* --- death ----------------------------------------------------------------------------------- */

#define DIED_CHUNK 62u

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

    if (chunk == NULL || chunk->n == DIED_CHUNK) {
        chunk = kmem_alloc(sizeof(*chunk));
        if (chunk == NULL) {
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
    used = idle == NULL && known ? table_find_slot_locked(slot) : NULL;
    if (used != NULL)
        obj_ref(used);
    table_unlock();
    if (!known && slot_release(slot) < 0)
        log_printf("pool: the space of slot %u could not be released", slot);
    if (idle != NULL)
        record_free(idle);
    if (used != NULL) {
        tie_parent_died(used);
        obj_put(used);
    }
}

/* All that died but `own`, whose record the caller holds. */
static void bury_died(struct died *died, uint32_t own)
{
    struct died_chunk *chunk = died->first, *next;
    uint64_t i;

    for (; chunk != NULL; chunk = next) {
        for (i = 0; i < chunk->n; i++)
            if (chunk->slot[i] != own)
                bury_slot(chunk->slot[i]);
        next = chunk->next;
        kmem_free(chunk, sizeof(*chunk));
        arch_breathe();
    }
    if (died->more > 0)
        log_printf("pool: %llu tied objects stay until recovery", (unsigned long long)died->more);
}

/* The death itself, in one hold of the object's lock, so that no move is between its halves. */
static int die(struct object *obj, struct died *died)
{
    struct store *store;
    int ret = 0;

    spin_lock(&obj->tree.lock);
    if (obj_is_persistent(obj)) {
        store = pool_lock();
        ret = store != NULL ? store_obj_delete(store, obj->slot, note_died, died) : -TWZ_ENOTSUP;
        pool_unlock();
    }
    if (ret == 0 && !record_kill(obj))
        ret = -TWZ_EDELETED;
    spin_unlock(&obj->tree.lock);
    return ret;
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
    int ret = die(obj, &died);

    bury_died(&died, obj->slot);
    if (ret == -TWZ_EDELETED && now)
        ret = 0;
    if (ret < 0)
        return ret;
    record_unhold(obj);
    ret = obj_pin(obj, false);
    if (ret < 0)
        return ret;
    tie_parent_died(obj);
    if (now)
        subtree_unhang_all(&obj->tree);
    return 0;
}

/* --- the rest --------------------------------------------------------------------------------- */

int obj_pin(struct object *obj, bool pin)
{
    bool change;

    table_lock();
    change = obj->pinned != pin;
    if (change && pin && record_dead(obj)) {
        table_unlock();
        return -TWZ_EDELETED;
    }
    obj->pinned = pin;
    if (change && pin)
        obj_ref(obj); /* in this hold: who unpins drops it */
    table_unlock();
    if (change && !pin)
        obj_put(obj);
    return 0;
}

int obj_stat(struct object *obj, struct twz_stat *out)
{
    struct store_stat stat;
    struct store *store;
    int ret = 0;

    *out = (struct twz_stat){ .id = obj->id,
                              .kuid = obj->kuid,
                              .kind = obj->kind,
                              .revocation_epoch = obj->revocation_epoch,
                              .account = obj->account };
    spin_lock(&obj->tree.lock);
    out->flags = obj->flags | (obj->pinned ? TWZ_OBJ_PINNED : 0);
    out->perms = obj->perms;
    out->persist = obj->persist;
    out->uses = obj->tree.nhangers + (obj->pinned ? 1u : 0u);
    out->pages = obj->pages;
    if (obj_is_persistent(obj)) {
        store = pool_lock();
        ret = store != NULL ? store_obj_stat(store, obj->slot, &stat) : -TWZ_ENOTSUP;
        pool_unlock();
        out->pages = ret < 0 ? 0 : stat.pages;
    }
    spin_unlock(&obj->tree.lock);
    return ret;
}

static int update_store_locked(struct object *obj, const struct store_update *update)
{
    struct store *store;
    int ret = -TWZ_ENOTSUP;

    if (!obj_is_persistent(obj))
        return 0;
    store = pool_lock();
    if (store != NULL)
        ret = store_obj_update(store, obj->slot, update);
    pool_unlock();
    return ret;
}

static int make_permanent_locked(struct object *obj)
{
    struct store *store;
    int ret;

    if (!obj_is_persistent(obj))
        return -TWZ_EINVAL;
    if (obj->moving != MOVE_NONE)
        return -TWZ_EBUSY;
    store = pool_lock();
    ret = store != NULL ? store_obj_permanent(store, obj->slot) : -TWZ_ENOTSUP;
    pool_unlock();
    if (ret == 0)
        __atomic_fetch_and(&obj->flags, ~TWZ_OBJ_PROVISIONAL, __ATOMIC_ACQ_REL);
    return ret;
}

/* Fewer default permissions; what hangs with more is the caller's to take down. */
static int narrow_locked(struct object *obj, uint32_t perms)
{
    struct store_update update = { .which = STORE_UPDATE_PERMS, .perms = perms };
    int ret;

    if ((perms & ~obj->perms) != 0)
        return -TWZ_EDENIED;
    ret = update_store_locked(obj, &update);
    if (ret < 0)
        return ret;
    obj->perms = perms;
    page_record_update_locked(obj);
    return 0;
}

static int set_mode_locked(struct object *obj, uint32_t mode)
{
    struct store_update update = { .which = STORE_UPDATE_PERSIST, .persist = mode };
    int ret = update_store_locked(obj, &update);

    if (ret < 0)
        return ret;
    obj->persist = mode;
    page_record_update_locked(obj);
    return 0;
}

int obj_ctl(struct object *obj, uint64_t op, uint64_t arg)
{
    int ret = -TWZ_EINVAL;

    if (op == TWZ_CTL_PERSIST)
        return arg > 1 ? -TWZ_EINVAL : obj_move(obj, arg == 1);
    spin_lock(&obj->tree.lock);
    if (op == TWZ_CTL_PERMANENT)
        ret = make_permanent_locked(obj);
    else if (op == TWZ_CTL_MODE && arg <= TWZ_PERSIST_PERIODIC)
        ret = set_mode_locked(obj, (uint32_t)arg);
    else if (op == TWZ_CTL_PERMS && (arg & ~(uint64_t)TWZ_PERMS) == 0)
        ret = narrow_locked(obj, (uint32_t)arg);
    spin_unlock(&obj->tree.lock);
    if (ret == 0 && op == TWZ_CTL_PERMS)
        subtree_unhang_all(&obj->tree);
    if (ret == 0 && op == TWZ_CTL_MODE && arg == TWZ_PERSIST_PERIODIC)
        flush_watch();
    return ret;
}
