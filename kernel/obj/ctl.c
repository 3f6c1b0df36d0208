/* SPDX-License-Identifier: MIT */
/*
 * Owns the properties of an object: obj_stat reads them and obj_ctl changes them. The store commits
 * a change before the in-core object shows it.
 *
 * Lock order: object -> pool.
 */
#include <kernel/page.h>
#include "inside.h"

static uint64_t count_stored_pages_locked(struct object *obj)
{
    struct store_stat stat = { .pages = 0 };
    struct store *store = pool_lock();

    if (store && store_obj_info(store, obj->row, &stat) < 0)
        stat.pages = 0;
    pool_unlock();
    return stat.pages;
}

void obj_stat(struct object *obj, struct twz_stat *out)
{
    *out = (struct twz_stat){ .id = obj->id,
                              .kuid = obj->kuid,
                              .kind = obj->kind,
                              .revocation_epoch = obj->revocation_epoch,
                              .class_ = obj->class_,
                              .account = obj->account,
                              .tree = obj->hash_tree };
    spin_lock(&obj->tree.lock);
    out->flags = obj->flags | (obj->pins > 0 ? TWZ_OBJ_PINNED : 0);
    out->perms = obj->perms;
    out->persist = obj->persist;
    out->uses = obj->tree.nmappings + obj->pins;
    out->pages = obj_is_persistent(obj) ? count_stored_pages_locked(obj) : obj->pages;
    spin_unlock(&obj->tree.lock);
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
    err = store ? store_obj_permanent(store, obj->row) : -TWZ_ENOTSUP; /* COMMIT: permanent */
    pool_unlock();
    if (err < 0)
        return err;
    __atomic_fetch_and(&obj->flags, ~TWZ_OBJ_PROVISIONAL, __ATOMIC_ACQ_REL);
    page_record_update_locked(obj);
    return 0;
}

/* Reduces the default permissions. The caller must then unmap the mappings that have more
 * rights. */
static int reduce_perms_locked(struct object *obj, uint32_t perms)
{
    struct store_update update = { .which = STORE_UPDATE_PERMS, .perms = perms };
    int err;

    if ((perms & ~obj->perms) != 0)
        return -TWZ_EDENIED;
    err = update_store_locked(obj, &update);
    if (err < 0)
        return err;
    __atomic_store_n(&obj->perms, perms, __ATOMIC_RELAXED);
    obj_renew_stamp(obj);
    page_record_update_locked(obj);
    return 0;
}

static int set_persist_mode_locked(struct object *obj, uint32_t mode)
{
    struct store_update update = { .which = STORE_UPDATE_PERSIST, .persist = mode };
    int err = update_store_locked(obj, &update);

    if (err < 0)
        return err;
    obj->persist = mode;
    page_record_update_locked(obj);
    if (obj->tree.nmappings > 0)
        obj_written_locked(obj);
    return 0;
}

/* --- permissions ------------------------------------------------------------------------------ */

/* Reduces the default permissions, then owes the removal. The memory for that is allocated first,
 * because nothing may fail after the commit. */
static int reduce_perms(struct object *obj, uint32_t perms)
{
    struct obj_unmap *unmap = obj_unmap_prepare();
    int err;

    if (!unmap)
        return -TWZ_ENOMEM;
    spin_lock(&obj->tree.lock);
    err = reduce_perms_locked(obj, perms);
    spin_unlock(&obj->tree.lock);
    return obj_unmap_finish(unmap, obj, err);
}

/* The floor first: an object that is made after the commit begins above every epoch of before. */
static int raise_epoch_locked(struct object *obj, uint64_t epoch)
{
    struct store *store = pool_lock();
    int err = store ? store_mono_raise(store, STORE_MONO_REVOKE, epoch) : 0;

    if (err == 0 && obj_is_persistent(obj))
        err = store_obj_revoke(store, obj->row, epoch); /* COMMIT: earlier epochs are void */
    pool_unlock();
    if (err < 0)
        return err;
    __atomic_store_n(&obj->revocation_epoch, epoch, __ATOMIC_RELEASE);
    obj_renew_stamp(obj);
    page_record_update_locked(obj);
    return 0;
}

int obj_revoke(struct object *obj, uint64_t epoch)
{
    struct obj_unmap *unmap = obj_unmap_prepare();
    int err = 0;

    if (!unmap)
        return -TWZ_ENOMEM;
    spin_lock(&obj->tree.lock);
    if (obj_is_deleted(obj))
        err = -TWZ_EDELETED;
    else if (epoch > obj->revocation_epoch)
        err = raise_epoch_locked(obj, epoch);
    spin_unlock(&obj->tree.lock);
    return obj_unmap_finish(unmap, obj, err);
}

int obj_ctl(struct object *obj, uint64_t op, uint64_t arg)
{
    int err = -TWZ_EINVAL;

    if (op == TWZ_CTL_PERSIST)
        return arg > 1 ? -TWZ_EINVAL : obj_migrate(obj, arg == 1);
    if (op == TWZ_CTL_PERMS)
        return (arg & ~(uint64_t)TWZ_PERMS) != 0 ? -TWZ_EINVAL : reduce_perms(obj, (uint32_t)arg);
    spin_lock(&obj->tree.lock);
    if (op == TWZ_CTL_PERMANENT)
        err = make_permanent_locked(obj);
    else if (op == TWZ_CTL_MODE && arg <= TWZ_PERSIST_PERIODIC)
        err = set_persist_mode_locked(obj, (uint32_t)arg);
    spin_unlock(&obj->tree.lock);
    return err;
}
