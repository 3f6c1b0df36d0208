/* SPDX-License-Identifier: MIT */
/*
 * Owns the live change of an object between volatile and persistent. Its ID stays, views of it
 * stay, and programs go on using it meanwhile.
 *
 * In: the store makes an object of the same nonce, hence the same ID, provisional with a witness
 * that never comes true; page by page moves from DRAM to the pool; COMMIT: store_obj_permanent. A
 * power failure before that leaves nothing. Out: page by page moves from the pool to DRAM; COMMIT:
 * store_obj_delete. A power failure before that leaves the object as the pool has it.
 *
 * While it moves, the object counts as persistent, but a leaf that is a DRAM frame (or a hole) is
 * the truth about its page (page.c). Pages that appear during a move in are the pool's, during a
 * move out DRAM's; so what lies behind obj->moved is done for good. A page is moved with no
 * processor able to write it, under the object's lock. Ranges, copies and ties are refused
 * (-TWZ_EBUSY); delete is not. The state is the object's, not the caller's: whoever calls goes
 * on with it.
 *
 * A pool that is full turns a move in into a move out, which ends with that error.
 *
 * Locks: table -> obj->tree.lock -> pool, phys.
 */
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <kernel/random.h>
#include <lib/string.h>
#include <store/persist.h>
#include "inside.h"

#define MIGRATE_BATCH 16u /* pages copied in one go */

/* --- in --------------------------------------------------------------------------------------- */

/* The store's part of the object, provisional. Pool lock held. */
static int make_stored(struct object *obj, struct store *store)
{
    struct store_create create = { .nonce = { obj->nonce[0], obj->nonce[1] },
                                   .kuid = obj->kuid,
                                   .perms = obj->perms_id,
                                   .kind = obj->kind,
                                   .persist = obj->persist,
                                   .witness = store_super_get(store)->roots.names,
                                   .witness_off = TWZ_OBJ_BASE };
    struct store_update narrow = { .which = STORE_UPDATE_PERMS, .perms = obj->perms };
    uint32_t row;
    objid_t id;
    int err;

    random_bytes(&create.witness_value, sizeof(create.witness_value));
    err = store_obj_create(store, &create, &row, &id);
    if (err < 0)
        return err;
    kassert(objid_equal(id, obj->id));
    obj->row = row;
    return obj->perms != obj->perms_id ? store_obj_update(store, row, &narrow) : 0;
}

/* Table's and object's locks held. */
static int begin_in(struct object *obj)
{
    struct store *store = pool_lock();
    int err = -TWZ_ENOTSUP;

    if (obj->kind == TWZ_KIND_DATA && !obj->tie_parent && store)
        err = make_stored(obj, store);
    pool_unlock();
    if (err < 0 && !obj_is_persistent(obj))
        return err == -TWZ_EEXIST ? -TWZ_EBUSY : err; /* its former place is still being released */
    table_insert_row_locked(obj);
    __atomic_fetch_or(&obj->flags, TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL, __ATOMIC_ACQ_REL);
    obj->migrating = err < 0 ? MIGRATE_TO_DRAM : MIGRATE_TO_NVM;
    obj->migrate_error = err;
    obj->migrated = 1;
    return 0;
}

static const void *dram_page(void *ctx, uint32_t page)
{
    const struct object *obj = ctx;

    return arch_virt(arch_ptree_lookup(&obj->tree.pt, page, NULL));
}

/* One page that nobody can write any more, into the pool. Its leaf goes; *old is the caller's to
 * let go of after the shootdown. */
static int page_in(struct object *obj, struct store *store, uint32_t page, unsigned flags,
                   phys_t *old)
{
    int err;

    if ((flags & ARCH_PT_HOLE) != 0) {
        err = store_page_discard(store, obj->row, page, 1, STORE_HOLE);
    } else {
        err = store_page_add_many(store, obj->row, page, 1, dram_page, obj);
        if (err == 0 && (flags & ARCH_PT_PROTECT) != 0)
            err = store_page_protect(store, obj->row, page, 1, 1);
    }
    if (err < 0) {
        *old = PHYS_NONE;
        return err;
    }
    arch_ptree_unmap(&obj->tree.pt, page, 1);
    obj->pages -= phys_is_none(*old) ? 0 : 1;
    return 0;
}

/* Leaves of [first, end) lose the right to be written, everywhere. */
static void freeze(struct object *obj, uint32_t first, uint32_t end)
{
    uint32_t page = first;
    unsigned flags;
    phys_t frame;

    for (; arch_ptree_next(&obj->tree.pt, &page, end, &frame, &flags); page++)
        if ((flags & ARCH_PT_WRITE) != 0 && !pool_has(frame) &&
            arch_ptree_map(&obj->tree.pt, page, frame, ARCH_PT_COW) < 0)
            panic("a leaf that is there cannot be written");
    subtree_shoot_locked(&obj->tree, first, end - first);
}

/* Where this piece starts and ends; false: nothing to do up to *end. */
static bool window_in(const struct object *obj, uint32_t *page, uint32_t *end)
{
    unsigned flags;
    phys_t frame;

    *page = obj->migrated;
    *end = *page + SCAN_BATCH < TWZ_PAGE_RECORD ? *page + SCAN_BATCH : TWZ_PAGE_RECORD;
    if (!arch_ptree_next(&obj->tree.pt, page, *end, &frame, &flags))
        return false;
    *end = *page + MIGRATE_BATCH < *end ? *page + MIGRATE_BATCH : *end;
    return true;
}

static void piece_in(struct object *obj)
{
    phys_t old[MIGRATE_BATCH], frame;
    uint32_t page, end, n = 0;
    struct store *store;
    unsigned flags;
    int err = 0;

    if (!window_in(obj, &page, &end)) {
        obj->migrated = end;
        return;
    }
    page_unmap_zeros_locked(obj, page, end - page);
    freeze(obj, page, end);
    store = pool_lock();
    for (; err == 0 && arch_ptree_next(&obj->tree.pt, &page, end, &frame, &flags); page++) {
        if (pool_has(frame))
            continue;
        old[n] = frame;
        err = store ? page_in(obj, store, page, flags, &old[n++]) : -TWZ_ENOTSUP;
    }
    pool_unlock();
    subtree_shoot_locked(&obj->tree, obj->migrated, end - obj->migrated);
    while (n-- > 0)
        if (!phys_is_none(old[n]))
            page_frame_put(old[n]);
    obj->migrated = end;
    if (err < 0) {
        obj->migrating = MIGRATE_TO_DRAM;
        obj->migrate_error = err;
        obj->migrated = 1;
    }
}

static int finish_in(struct object *obj)
{
    struct store *store = pool_lock();
    int err = store ? store_obj_permanent(store, obj->row) : -TWZ_ENOTSUP; /* COMMIT */

    pool_unlock();
    if (err < 0)
        return err;
    __atomic_fetch_and(&obj->flags, ~TWZ_OBJ_PROVISIONAL, __ATOMIC_ACQ_REL);
    obj->migrating = MIGRATE_NONE;
    page_record_update_locked(obj);
    if (obj->persist == TWZ_PERSIST_PERIODIC)
        flush_watch();
    return 0;
}

/* --- out -------------------------------------------------------------------------------------- */

static int begin_out(struct object *obj)
{
    struct store_stat stat;
    struct store *store = pool_lock();
    int err = store ? store_obj_has_tied(store, obj->row) : -TWZ_ENOTSUP;

    if (err == 0)
        err = store_obj_info(store, obj->row, &stat);
    if (err == 0 && !objid_is_none(stat.tie_parent))
        err = 1;
    pool_unlock();
    if (err != 0)
        return err > 0 ? -TWZ_EBUSY : err;
    if (obj->kind != TWZ_KIND_DATA)
        return -TWZ_ENOTSUP;
    if (!obj->exists)
        obj_ref(obj); /* some pages will only be here */
    obj->exists = true;
    obj->migrating = MIGRATE_TO_DRAM;
    obj->migrate_error = 0;
    obj->migrated = 1;
    return 0;
}

static int page_out(struct object *obj, struct store *store, struct store_page *p)
{
    unsigned flags = (p->flags & STORE_FLAG_READONLY) != 0 ? ARCH_PT_PROTECT : ARCH_PT_WRITE;
    phys_t frame;
    int err;

    badpage_mark(store, obj, p);
    if (p->state == STORE_HOLE)
        return arch_ptree_map(&obj->tree.pt, p->page, PHYS_NONE, ARCH_PT_HOLE);
    if (p->state != STORE_PRESENT && p->state != STORE_SHARED)
        return -TWZ_EPOISON;
    frame = phys_alloc(0);
    if (phys_is_none(frame))
        return -TWZ_ENOMEM;
    memcpy(arch_virt(frame), pool_frame_read(p->frame), TWZ_PAGE_SIZE);
    err = arch_ptree_map(&obj->tree.pt, p->page, frame, flags);
    if (err < 0)
        phys_free(frame, 0);
    else
        obj->pages++;
    return err;
}

/* True: the leaf of that page is DRAM's already (or a hole): moved, or never moved in. */
static bool is_out(const struct object *obj, uint32_t page)
{
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);

    return (flags & ARCH_PT_HOLE) != 0 || (!phys_is_none(frame) && !pool_has(frame));
}

/* Leaves of the pool, at most MOVE_BATCH, and those that show zeros, go from [first, end); DRAM's
 * stay. What was written through them is flushed: the move may never come to its end. */
static void hide(struct object *obj, uint32_t first, uint32_t end)
{
    phys_t dirty[MIGRATE_BATCH], frame;
    uint32_t page = first, n = 0;
    unsigned flags;

    page_unmap_zeros_locked(obj, first, end - first);
    for (; arch_ptree_next(&obj->tree.pt, &page, end, &frame, &flags); page++) {
        if (phys_is_none(frame) || !pool_has(frame))
            continue;
        arch_ptree_unmap(&obj->tree.pt, page, 1);
        if ((flags & ARCH_PT_DIRTY) != 0 && n < MIGRATE_BATCH)
            dirty[n++] = frame;
    }
    subtree_shoot_locked(&obj->tree, first, end - first);
    while (n-- > 0)
        persist_flush(arch_virt_nvm(dirty[n]), TWZ_PAGE_SIZE);
    persist_fence();
}

/* The next page that the store has, from p->page on; `end` where there is none before it. */
static int next_stored(struct store *store, const struct object *obj, struct store_page *p,
                       uint32_t end)
{
    int err = p->page < end ? store_page_next_before(store, obj->row, end, p) : 0;

    if (err < 0 && err != -TWZ_ENOOBJ)
        return err;
    if (err == -TWZ_ENOOBJ || p->page > end)
        p->page = end;
    return 0;
}

static int piece_out(struct object *obj)
{
    uint32_t end = obj->migrated + SCAN_BATCH, n = 0;
    struct store_page p = { .page = obj->migrated };
    struct store *store = pool_lock();
    int err = store ? next_stored(store, obj, &p, end) : -TWZ_ENOTSUP;

    end = end < TWZ_PAGE_RECORD ? end : TWZ_PAGE_RECORD;
    if (err == 0 && p.page < end)
        end = p.page + MIGRATE_BATCH < end ? p.page + MIGRATE_BATCH : end;
    if (err == 0)
        hide(obj, obj->migrated, end);
    while (err == 0 && p.page < end && n++ < MIGRATE_BATCH) {
        if (!is_out(obj, p.page))
            err = page_out(obj, store, &p);
        p.page++;
        if (err == 0)
            err = next_stored(store, obj, &p, end);
    }
    pool_unlock();
    if (err == 0)
        obj->migrated = end;
    return err;
}

/* Table's and object's locks held; *row is the caller's to release. */
static int finish_out(struct object *obj, uint32_t *row)
{
    struct store *store = pool_lock();
    int err = store ? store_obj_has_tied(store, obj->row) : -TWZ_ENOTSUP;

    if (err == 0)
        err = store_obj_delete(store, obj->row, NULL, NULL); /* COMMIT */
    pool_unlock();
    if (err != 0)
        return err > 0 ? -TWZ_EBUSY : err;
    *row = obj->row;
    table_remove_row_locked(obj);
    obj->row = OBJ_NO_ROW;
    __atomic_fetch_and(&obj->flags, ~(TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL), __ATOMIC_ACQ_REL);
    obj->migrating = MIGRATE_NONE;
    page_record_update_locked(obj);
    return 0;
}

/* --- both ------------------------------------------------------------------------------------- */

static bool under_way(const struct object *obj)
{
    return obj->migrating != MIGRATE_NONE && obj->migrated < TWZ_PAGE_RECORD;
}

/* Object's lock held. 1: more to do. */
static int piece(struct object *obj)
{
    int err = 0;

    if (obj->migrating == MIGRATE_TO_NVM)
        piece_in(obj);
    else
        err = piece_out(obj);
    return err < 0 ? err : 1;
}

/* The beginning or the end, table's and object's locks held. *row: to be released afterwards. 1:
 * more to do. */
static int turn(struct object *obj, bool persistent, uint32_t *row)
{
    int err = 0;

    if (obj->migrating == MIGRATE_TO_NVM)
        return finish_in(obj);
    if (obj->migrating == MIGRATE_TO_DRAM)
        return finish_out(obj, row);
    if (obj_is_persistent(obj) == persistent)
        return 0;
    if (phys_is_none(obj->tree.pt.top))
        err = arch_ptree_init(&obj->tree.pt);
    if (err == 0)
        err = persistent ? begin_in(obj) : begin_out(obj);
    return err < 0 ? err : 1;
}

static int begin_or_end(struct object *obj, bool persistent)
{
    uint32_t row = OBJ_NO_ROW;
    bool arrived;
    int err = 1;

    table_lock();
    spin_lock(&obj->tree.lock);
    if (obj_is_deleted(obj))
        err = -TWZ_EDELETED;
    else if (!under_way(obj))
        err = turn(obj, persistent, &row);
    if (err == 0 && obj_is_persistent(obj) != persistent) /* the other way, which is done now */
        err = obj->migrate_error < 0 ? obj->migrate_error : 1;
    arrived = obj->migrating == MIGRATE_NONE && obj_is_persistent(obj) && obj->exists && err >= 0;
    if (arrived)
        obj->exists = false; /* in this hold, or a move out that begins now would count on it */
    spin_unlock(&obj->tree.lock);
    table_unlock();
    if (row != OBJ_NO_ROW && row_release(row) < 0)
        log_printf("object " IDFMT ": its space could not be released", IDPR(obj->id));
    if (arrived)
        obj_put(obj);
    return err;
}

int obj_migrate(struct object *obj, bool persistent)
{
    int err = 0;

    spin_lock(&obj->tree.lock);
    if (under_way(obj))
        err = obj_is_deleted(obj) ? -TWZ_EDELETED : piece(obj);
    spin_unlock(&obj->tree.lock);
    return err != 0 ? err : begin_or_end(obj, persistent);
}
