/* SPDX-License-Identifier: MIT */
/*
 * Owns the birth of objects, what stat tells, and what obj_ctl changes.
 *
 * Birth. The nonce is random and the kernel's choice; the ID follows from it. Persistent ones are
 * made by the store first (its commit is the birth), then get a record.
 *
 * Locks: table -> pool; obj->tree.lock -> pool. Whether and where the store has an object
 * (obj->row) changes only with both the table's lock and its own held (move.c), so either keeps it
 * as it is.
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
    obj->exists = true;
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
    int err = -TWZ_ENOTSUP;

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
    if (store)
        err = store_obj_create(store, &create, &obj->row, &obj->id);
    pool_unlock();
    if (err == 0)
        table_insert_locked(obj);
    table_unlock();
    if (err == 0 && spec->persist == TWZ_PERSIST_PERIODIC)
        flush_watch();
    return err;
}

static bool spec_ok(const struct obj_spec *spec)
{
    uint32_t flags = spec->flags;

    if ((flags & ~(TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL)) != 0 || (spec->perms & ~TWZ_PERMS) != 0)
        return false;
    if (spec->persist > TWZ_PERSIST_PERIODIC)
        return false;
    if ((flags & TWZ_OBJ_PROVISIONAL) != 0)
        return (flags & TWZ_OBJ_PERSIST) != 0 && !objid_is_none(spec->witness);
    return true;
}

static int tie_new(struct object *obj, objid_t parent_id)
{
    struct object *parent;
    int err = obj_get(parent_id, &parent);

    if (err < 0)
        return err;
    err = obj_tie(obj, parent);
    obj_put(parent);
    return err;
}

int obj_create(const struct obj_spec *spec, struct object **out)
{
    bool persistent = (spec->flags & TWZ_OBJ_PERSIST) != 0;
    struct object *obj;
    int err;

    if (!spec_ok(spec))
        return -TWZ_EINVAL;
    obj = incore_alloc();
    if (!obj)
        return -TWZ_ENOMEM;
    obj->kuid = spec->kuid;
    obj->kind = spec->kind;
    obj->perms_id = spec->perms;
    obj->perms = spec->perms;
    obj->persist = spec->persist;
    obj->flags = spec->flags;
    err = persistent ? make_persistent(spec, obj) : make_volatile(spec, obj);
    if (err < 0) {
        kmem_free(obj, sizeof(*obj));
        return err;
    }
    if (!persistent && !objid_is_none(spec->tie))
        err = tie_new(obj, spec->tie);
    if (err < 0) {
        if (obj_delete(obj, false) < 0)
            log_printf("object " IDFMT " could not be taken back", IDPR(obj->id));
        obj_put(obj);
        return err;
    }
    *out = obj;
    return 0;
}

#define COUNT_BATCH  32u   /* pages counted in one go */
#define COUNT_WINDOW 1024u /* and looked at */

/* False: that was all, or the rest cannot be read. */
static bool count_some_locked(struct object *obj, struct store_page *p, uint64_t *pages)
{
    struct store *store = pool_lock();
    uint32_t end = p->page + COUNT_WINDOW, i;
    int err = -TWZ_ENOTSUP;

    for (i = 0; store && i < COUNT_BATCH; i++) {
        err = store_page_next_before(store, obj->row, end, p);
        if (err < 0)
            break;
        *pages += p->state != STORE_HOLE;
        p->page++;
    }
    pool_unlock();
    if (err == -TWZ_ENOOBJ && end <= TWZ_PAGE_META) {
        p->page = end;
        err = 0;
    }
    return err == 0;
}

/* What the store has of it, counted piece by piece while others go on. */
static uint64_t count_stored(struct object *obj)
{
    struct store_page p = { .page = 1 };
    uint64_t pages = 0;
    bool more;

    do {
        spin_lock(&obj->tree.lock);
        more = obj_is_persistent(obj) && count_some_locked(obj, &p, &pages);
        spin_unlock(&obj->tree.lock);
        arch_preemption_point();
    } while (more);
    return pages;
}

void obj_stat(struct object *obj, struct twz_stat *out)
{
    bool persistent;

    *out = (struct twz_stat){ .id = obj->id,
                              .kuid = obj->kuid,
                              .kind = obj->kind,
                              .revocation_epoch = obj->revocation_epoch,
                              .account = obj->account };
    spin_lock(&obj->tree.lock);
    out->flags = obj->flags | (obj->pinned ? TWZ_OBJ_PINNED : 0);
    out->perms = obj->perms;
    out->persist = obj->persist;
    out->uses = obj->tree.nmappings + (obj->pinned ? 1u : 0u);
    out->pages = obj->pages;
    persistent = obj_is_persistent(obj);
    spin_unlock(&obj->tree.lock);
    if (persistent)
        out->pages = count_stored(obj);
}

static int update_store_locked(struct object *obj, const struct store_update *update)
{
    struct store *store;
    int err = -TWZ_ENOTSUP;

    if (!obj_is_persistent(obj))
        return 0;
    store = pool_lock();
    if (store)
        err = store_obj_update(store, obj->row, update);
    pool_unlock();
    return err;
}

static int make_permanent_locked(struct object *obj)
{
    struct store *store;
    int err;

    if (!obj_is_persistent(obj))
        return -TWZ_EINVAL;
    if (obj->migrating != MIGRATE_NONE)
        return -TWZ_EBUSY;
    store = pool_lock();
    err = store ? store_obj_permanent(store, obj->row) : -TWZ_ENOTSUP;
    pool_unlock();
    if (err == 0)
        __atomic_fetch_and(&obj->flags, ~TWZ_OBJ_PROVISIONAL, __ATOMIC_ACQ_REL);
    return err;
}

/* Fewer default permissions; what hangs with more is the caller's to take down. */
static int narrow_locked(struct object *obj, uint32_t perms)
{
    struct store_update update = { .which = STORE_UPDATE_PERMS, .perms = perms };
    int err;

    if ((perms & ~obj->perms) != 0)
        return -TWZ_EDENIED;
    err = update_store_locked(obj, &update);
    if (err < 0)
        return err;
    obj->perms = perms;
    page_record_update_locked(obj);
    return 0;
}

static int set_mode_locked(struct object *obj, uint32_t mode)
{
    struct store_update update = { .which = STORE_UPDATE_PERSIST, .persist = mode };
    int err = update_store_locked(obj, &update);

    if (err < 0)
        return err;
    obj->persist = mode;
    page_record_update_locked(obj);
    return 0;
}

int obj_ctl(struct object *obj, uint64_t op, uint64_t arg)
{
    int err = -TWZ_EINVAL;

    if (op == TWZ_CTL_PERSIST)
        return arg > 1 ? -TWZ_EINVAL : obj_migrate(obj, arg == 1);
    spin_lock(&obj->tree.lock);
    if (op == TWZ_CTL_PERMANENT)
        err = make_permanent_locked(obj);
    else if (op == TWZ_CTL_MODE && arg <= TWZ_PERSIST_PERIODIC)
        err = set_mode_locked(obj, (uint32_t)arg);
    else if (op == TWZ_CTL_PERMS && (arg & ~(uint64_t)TWZ_PERMS) == 0)
        err = narrow_locked(obj, (uint32_t)arg);
    spin_unlock(&obj->tree.lock);
    if (err == 0 && op == TWZ_CTL_PERMS)
        subtree_unmap_all(&obj->tree, (unsigned)arg);
    if (err == 0 && op == TWZ_CTL_MODE && arg == TWZ_PERSIST_PERIODIC)
        flush_watch();
    return err;
}
