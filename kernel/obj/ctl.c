/* SPDX-License-Identifier: MIT */
/*
 * Owns the properties of an object: obj_stat reads them and obj_ctl changes them. The store commits
 * a change before the in-core object shows it.
 *
 * Lock order: object -> pool.
 */
#include <kernel/page.h>
#include "inside.h"

#define COUNT_BATCH  32u   /* pages counted in one batch */
#define COUNT_WINDOW 1024u /* page words scanned in one batch */

/* Counts the pages of one batch. Returns false if there are no more pages, or the rest cannot be
 * read. */
static bool count_batch_locked(struct object *obj, struct store_page *p, uint64_t *pages)
{
    struct store *store = pool_lock();
    uint32_t end = p->page + COUNT_WINDOW;
    int err = -TWZ_ENOTSUP;

    for (uint32_t i = 0; store && i < COUNT_BATCH; i++) {
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

/* Counts the object's pages in the store. The object may change between two batches. */
static uint64_t count_stored_pages(struct object *obj)
{
    struct store_page p = { .page = 1 };
    uint64_t pages = 0;
    bool more;

    do {
        spin_lock(&obj->tree.lock);
        more = obj_is_persistent(obj) && count_batch_locked(obj, &p, &pages);
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
                              .class_ = obj->class_,
                              .account = obj->account,
                              .tree = obj->hash_tree };
    spin_lock(&obj->tree.lock);
    out->flags = obj->flags | (obj->pinned ? TWZ_OBJ_PINNED : 0);
    out->perms = obj->perms;
    out->persist = obj->persist;
    out->uses = obj->tree.nmappings + (obj->pinned ? 1u : 0u);
    out->pages = obj->pages;
    persistent = obj_is_persistent(obj);
    spin_unlock(&obj->tree.lock);
    if (persistent)
        out->pages = count_stored_pages(obj);
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
    if (err == 0)
        __atomic_fetch_and(&obj->flags, ~TWZ_OBJ_PROVISIONAL, __ATOMIC_ACQ_REL);
    return err;
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
    obj->perms = perms;
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
        err = set_persist_mode_locked(obj, (uint32_t)arg);
    else if (op == TWZ_CTL_PERMS && (arg & ~(uint64_t)TWZ_PERMS) == 0)
        err = reduce_perms_locked(obj, (uint32_t)arg);
    spin_unlock(&obj->tree.lock);
    if (err == 0 && op == TWZ_CTL_PERMS)
        addrspace_unmap_everywhere(&obj->tree, (unsigned)arg);
    if (err == 0 && op == TWZ_CTL_MODE && arg == TWZ_PERSIST_PERIODIC)
        flush_watch();
    return err;
}
