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
 *   - An object is freed only when no page of it may be dirty in a cache: before that, the
 *     write-back below has ended, and no address space has mapped the object with WRITE since.
 *
 * The write-back at the last use (of modes RELEASE and PERIODIC) and of an evicted object is
 * deferred work. It keeps the last reference, or takes one, so the object stays in the table, and a
 * look-up gets it as it is. At its end it drops the reference; if the object was written meanwhile,
 * that begins anew.
 *
 * Lock order: table -> shard -> pool -> kmem -> phys. In this file, the object's lock must be taken
 * only while no lock of the table is held.
 */
#include <kernel/accounts.h>
#include <kernel/defer.h>
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
    obj->release_row = OBJ_NO_ROW;
    obj->record = PHYS_NONE;
    obj->kpages = PHYS_NONE;
    obj->tree.pt.top = PHYS_NONE;
    obj->tree.refs = 1;
    obj->stamp = obj_draw_stamp();
    return obj;
}

int row_release_some(uint32_t row, struct account *payer)
{
    struct store *store = pool_lock();
    uint64_t bytes = 0;
    int err = 0;

    if (store) {
        bytes = STORE_OBJECT_BYTES + store_obj_frames(store, row) * STORE_FRAME_SIZE;
        err = store_obj_release_some(store, row, 1);
    }
    pool_unlock();
    if (err == 0)
        account_uncharge(payer, TWZ_ACCOUNT_POOL, bytes);
    return err;
}

void incore_set_payer(struct object *obj, struct account *payer)
{
    obj->payer = payer;
    obj->account = payer ? payer->id : TWZ_OBJID_NONE;
    obj->tree.pt.payer = payer;
}

void incore_move_payer(struct object *obj, struct account *payer)
{
    struct account *before = obj->payer;

    if (payer == before)
        return;
    account_charge_always(payer, TWZ_ACCOUNT_KERNEL, INCORE_BYTES);
    incore_set_payer(obj, payer);
    account_uncharge(before, TWZ_ACCOUNT_KERNEL, INCORE_BYTES);
}

void incore_discard(struct object *obj)
{
    struct account *payer = obj->payer;

    atomic_fetch_sub_explicit(&nobjects, 1, memory_order_relaxed);
    kmem_free(obj, sizeof(*obj));
    account_uncharge(payer, TWZ_ACCOUNT_KERNEL, INCORE_BYTES);
}

struct row_release {
    struct deferred work;
    struct account *payer;
    uint32_t row;
};

static bool release_step(struct deferred *work)
{
    struct row_release *r = CONTAINER_OF(work, struct row_release, work);
    int err = row_release_some(r->row, r->payer);

    if (err > 0)
        return true;
    if (err < 0)
        log_printf("pool: the space of row %u could not be released", r->row);
    kmem_free(r, sizeof(*r));
    return false;
}

struct row_release *row_release_prepare(uint32_t row, struct account *payer)
{
    struct row_release *r = kmem_alloc(sizeof(*r));

    if (r)
        *r = (struct row_release){ .work.step = release_step, .payer = payer, .row = row };
    return r;
}

void row_release_drop(struct row_release *r)
{
    kmem_free(r, sizeof(*r));
}

void row_release_start(struct row_release *r)
{
    defer(&r->work);
}

/* --- destruction ------------------------------------------------------------------------------ */

/* Frees the pages, then the row. */
static bool destroy_step(struct deferred *work)
{
    struct object *obj = CONTAINER_OF(work, struct object, work);
    int err = 0;

    if (page_drop_some(obj, &obj->work_at))
        return true;
    if (obj_is_persistent(obj) && obj_is_deleted(obj))
        err = row_release_some(obj->row, obj->payer);
    if (err > 0)
        return true;
    if (err < 0)
        log_printf("object " IDFMT ": its space could not be released", IDPR(obj->id));
    if (!phys_is_none(obj->kpages))
        phys_free(obj->kpages, obj->korder);
    if (obj->sealed)
        sealed_destroy(obj->sealed);
    if (obj->kind == TWZ_KIND_ACCOUNT && (!obj_is_persistent(obj) || obj_is_deleted(obj)))
        accounts_end(obj->id);
    incore_discard(obj);
    return false;
}

void incore_free(struct object *obj)
{
    obj->work_at = 0;
    obj->work.step = destroy_step;
    defer(&obj->work);
}

/* --- write-back at the last use --------------------------------------------------------------- */

static bool clean_step(struct deferred *work)
{
    struct object *obj = CONTAINER_OF(work, struct object, clean);
    bool more = false;

    spin_lock(&obj->tree.lock);
    if (obj_is_persistent(obj) && !obj_is_deleted(obj))
        more = page_clean_locked(obj, &obj->clean_at);
    spin_unlock(&obj->tree.lock);
    if (!more)
        obj_release(&obj->tree);
    return more;
}

/* Starts the write-back. It takes over a reference. The caller must hold the table's lock, and the
 * object must have no other reference, so nothing maps it. */
static void clean_later(struct object *obj)
{
    obj->written = false;
    obj->clean_at = 1;
    obj->clean.step = clean_step;
    defer(&obj->clean);
}

/* --- references ------------------------------------------------------------------------------- */

/* Removes the least recently used object from the cache. Returns it if it can be freed at once. */
static struct object *evict_locked(objid_t id)
{
    struct object *old = table_uncache_oldest_locked(id);

    if (!old)
        return NULL;
    if (old->written) {
        old->evicting = true;
        obj_ref(old);
        clean_later(old);
        return NULL;
    }
    table_remove_locked(old);
    return old;
}

/* Caches, cleans, evicts or removes an object whose last reference was dropped. Returns an object
 * to free, or NULL; in *parent the one that it was tied to. The caller must hold the shard's lock.
 * */
static struct object *retire_locked(struct object *obj, struct object **parent)
{
    bool evicting = obj->evicting;

    if (!obj_is_persistent(obj) || obj_is_deleted(obj)) {
        flush_unwatch(obj);
        table_remove_locked(obj);
        *parent = tie_cut_locked(obj);
        return obj;
    }
    if (obj->written && obj->persist != TWZ_PERSIST_EXPLICIT) {
        obj_ref(obj);
        clean_later(obj);
        return NULL;
    }
    flush_unwatch(obj);
    obj->evicting = false;
    if (evicting && !obj->written) {
        table_remove_locked(obj);
        return obj;
    }
    table_cache_locked(obj);
    return evict_locked(obj->id);
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
    if (done && last)
        *unused = retire_locked(obj, parent);
    shard_unlock(obj->id);
    return done;
}

/* Drops the caller's reference, which may be the last one. */
void obj_release(struct subtree *tree)
{
    struct object *obj = obj_of_tree(tree);
    struct object *unused = NULL, *parent = NULL;

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

/* --- look-up ---------------------------------------------------------------------------------- */

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
    incore_set_payer(obj, accounts_charge_id(stat.account, TWZ_ACCOUNT_KERNEL, INCORE_BYTES));
    obj->account = stat.account;
    obj->hash_tree = stat.hash_tree;
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
    if ((stat.flags & STORE_OBJ_SEALED) != 0) {
        obj->flags |= TWZ_OBJ_SEALED;
        obj->sealed = sealed_create(stat.seal);
        if (!obj->sealed) {
            incore_discard(obj);
            return -TWZ_ENOMEM;
        }
    }
    table_insert_locked(obj);
    *out = obj;
    return 0;
}

/* As obj_get; of a sealed object, its hash tree may be missing. */
static int get_object(objid_t id, struct object **out)
{
    struct object *obj;
    int err = 0;

    shard_lock(id);
    obj = table_find_locked(id);
    if (!obj) {
        err = load_locked(id, out);
    } else if (obj->creating) {
        err = -TWZ_ENOOBJ;
    } else if (obj_is_deleted(obj)) {
        err = -TWZ_EDELETED;
    } else {
        if (obj->cached)
            table_uncache_locked(obj);
        obj->evicting = false;
        obj_ref(obj);
        *out = obj;
    }
    shard_unlock(id);
    return err;
}

/* --- hash trees ------------------------------------------------------------------------------- */

/* Returns true if no program can ever have WRITE on the object: its ID rules that out by default,
 * and no key can sign a capability for it. */
static bool is_tree(const struct object *obj)
{
    return obj_is_persistent(obj) && obj->kind == TWZ_KIND_DATA && !obj->sealed &&
           (obj->perms_id & ~TWZ_READ) == 0 && objid_is_none(obj->kuid) &&
           (obj->flags & TWZ_OBJ_PROVISIONAL) == 0;
}

/* Finds the hash tree of a sealed object. Without it the object can be described and deleted, but
 * none of its pages can be verified. */
static void find_tree(struct object *obj)
{
    struct object *tree;

    if (objid_is_none(obj->hash_tree) || get_object(obj->hash_tree, &tree) < 0)
        return;
    if (is_tree(tree))
        sealed_set_tree(obj->sealed, tree);
    else
        obj_put(tree);
}

int obj_get(objid_t id, struct object **out)
{
    int err = get_object(id, out);

    if (err == 0 && (*out)->sealed && !sealed_has_tree((*out)->sealed))
        find_tree(*out);
    return err;
}
