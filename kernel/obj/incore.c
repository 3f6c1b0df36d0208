/* SPDX-License-Identifier: MIT */
/*
 * Owns in-core objects: their allocation, their references, and loading them from the store.
 *
 * Each mapping, pin, thread, waiter and running call holds a reference. A volatile object has one
 * more, the existence reference, which its deletion drops. Invariants:
 *
 *   - The count falls from 1 to 0, and rises from 0, only under the lock of the ID's shard
 *     (obj_release, obj_get). A look-up therefore never finds an object that is being freed.
 *   - A holder that sees a count of 1 under that lock is the only one, unless the object is tied:
 *     the parent's deletion finds it in the parent's list, under the table's lock. So the last
 *     reference of a tied object is dropped under both locks, and the object leaves the list.
 *   - At 0, a persistent object that is not deleted is cached, and every other one is freed.
 *   - An evicted object is flushed after the shard's lock is released. obj_get must wait for this
 *     flush before it loads the ID again. Otherwise a flush of the new in-core object would miss
 *     the stores made through the old one.
 *
 * Lock order: table -> shard -> pool -> kmem -> phys. In this file, the object's lock must be taken
 * only while no lock of the table is held.
 */
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include "inside.h"

static _Atomic uint64_t nobjects;

uint64_t obj_count(void)
{
    return atomic_load_explicit(&nobjects, memory_order_relaxed);
}

struct object *incore_alloc(void)
{
    struct object *obj = kmem_alloc(sizeof(*obj));

    if (!obj)
        return NULL;
    atomic_fetch_add_explicit(&nobjects, 1, memory_order_relaxed);
    obj->row = OBJ_NO_ROW;
    obj->record = PHYS_NONE;
    obj->kpages = PHYS_NONE;
    obj->tree.pt.top = PHYS_NONE;
    obj->tree.refs = 1;
    return obj;
}

int row_release(uint32_t row)
{
    int err;

    do {
        struct store *store = pool_lock();

        err = store ? store_obj_release_some(store, row, 1) : 0;
        pool_unlock();
        arch_preemption_point();
    } while (err > 0);
    return err;
}

void incore_discard(struct object *obj)
{
    atomic_fetch_sub_explicit(&nobjects, 1, memory_order_relaxed);
    kmem_free(obj, sizeof(*obj));
}

void incore_free(struct object *obj)
{
    page_drop_all(obj);
    if (obj->evicting)
        table_end_eviction(obj);
    if (!phys_is_none(obj->kpages))
        phys_free(obj->kpages, obj->korder);
    if (obj_is_persistent(obj) && obj_is_deleted(obj) && row_release(obj->row) < 0)
        log_printf("object " IDFMT ": its space could not be released", IDPR(obj->id));
    incore_discard(obj);
}

/*
 * Drops a reference. After the last one, *unused is the object to free, if any, and *parent the one
 * that it was tied to. Returns false, and does nothing, if the caller must hold the table's lock:
 * `tied` says that it does.
 */
static bool drop_reference(struct object *obj, bool tied, struct object **unused,
                           struct object **parent)
{
    bool last, done;

    shard_lock(obj->id);
    last = atomic_load_explicit(&obj->tree.refs, memory_order_acquire) == 1;
    done = !last || tied || !obj->tie_parent;
    if (done) {
        uint32_t before = atomic_fetch_sub_explicit(&obj->tree.refs, 1, memory_order_acq_rel);

        last = before == 1;
        kassert(before > 1 || (last && list_is_empty(&obj->tree.mappings) && !obj->cached));
    }
    if (done && last) {
        if (obj_is_persistent(obj) && !obj_is_deleted(obj)) {
            *unused = table_cache_locked(obj);
        } else {
            table_remove_locked(obj);
            *parent = tie_cut_locked(obj);
            *unused = obj;
        }
    }
    shard_unlock(obj->id);
    return done;
}

/* Drops the caller's reference, which may be the last one. */
void obj_release(struct subtree *tree)
{
    struct object *obj = obj_of_tree(tree);
    struct object *unused = NULL, *parent = NULL;

    if (obj->persist == TWZ_PERSIST_RELEASE && obj_is_persistent(obj))
        page_flush_unmapped(obj);
    if (!drop_reference(obj, false, &unused, &parent)) {
        table_lock();
        (void)drop_reference(obj, true, &unused, &parent);
        table_unlock();
    }
    if (unused)
        incore_free(unused);
    if (parent)
        obj_put(parent);
}

/* Loads a persistent object that is in the store and not in the table. Returns a reference in
 * *out. */
static int load_locked(objid_t id, struct object **out)
{
    struct store_stat stat;
    struct store *store;
    struct object *obj;
    uint32_t row = 0;
    int err = -TWZ_ENOOBJ;

    store = pool_lock();
    if (store)
        err = store_lookup(store, id, &row);
    if (err == 0)
        err = store_obj_info(store, row, &stat);
    pool_unlock();
    if (err < 0)
        return err;
    obj = incore_alloc();
    if (!obj)
        return -TWZ_ENOMEM;
    obj->id = id;
    obj->kuid = stat.kuid;
    obj->nonce[0] = stat.nonce[0];
    obj->nonce[1] = stat.nonce[1];
    obj->account = stat.account;
    obj->class_ = stat.class_;
    obj->revocation_epoch = stat.revoke_epoch;
    obj->kind = stat.kind;
    obj->perms_id = stat.perms_id;
    obj->perms = stat.perms;
    obj->persist = stat.persist;
    obj->row = row;
    obj->flags = TWZ_OBJ_PERSIST;
    if (stat.state == STORE_PROVISIONAL)
        obj->flags |= TWZ_OBJ_PROVISIONAL;
    if (stat.persist == TWZ_PERSIST_PERIODIC)
        flush_watch();
    table_insert_locked(obj);
    *out = obj;
    return 0;
}

int obj_get(objid_t id, struct object **out)
{
    struct object *obj;
    int err = 0;

    shard_lock(id);
    while (!(obj = table_find_locked(id)) && table_is_evicting_locked(id)) {
        shard_unlock(id);
        arch_preemption_point();
        shard_lock(id);
    }
    if (!obj) {
        err = load_locked(id, out);
    } else if (obj->creating) {
        err = -TWZ_ENOOBJ;
    } else if (obj_is_deleted(obj)) {
        err = -TWZ_EDELETED;
    } else {
        if (obj->cached)
            table_uncache_locked(obj);
        obj_ref(obj);
        *out = obj;
    }
    shard_unlock(id);
    return err;
}
