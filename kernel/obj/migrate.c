/* SPDX-License-Identifier: MIT */
/*
 * Owns migration: the live change of an object between volatile and persistent. The object keeps
 * its ID and its mappings, and programs use the object meanwhile.
 *
 *   to NVM                                                     after a power failure
 *   1  the store creates an unnamed provisional object with    recovery frees that object, whatever
 *      the same nonce, so the same ID                          words are damaged
 *   2  batch by batch, each page is write-protected, copied    as after step 1
 *      to the pool, and unmapped
 *   3  COMMIT: store_obj_permanent                             the object is persistent
 *
 *   to DRAM                                                    after a power failure
 *   1  the object gets its existence reference                 the object is as the pool has it
 *   2  batch by batch, each page is unmapped, flushed, and     the same; stores to the DRAM copies
 *      copied to DRAM                                          are lost
 *   3  COMMIT: store_obj_delete_begin; then the row is         the object does not exist
 *      released, as deferred work
 *
 * A page that the media lost does not hold a migration up. In DRAM its leaf is lost (ARCH_PT_LOST),
 * in the pool its page word is POISONED: an access faults in both, until the page is discarded.
 *
 * During a migration the object counts as persistent. A leaf that is in DRAM, a hole or lost is the
 * truth about its page (page/stored.c). A fault adds a new page in the pool during a migration to
 * NVM, and in DRAM during a migration to DRAM. So all pages below obj->migrated have migrated.
 * While a page is copied, the kernel holds the object's lock, and no core can write the page.
 *
 * During a migration, ranges, copies, ties and pins fail with -TWZ_EBUSY; deletion succeeds. The
 * state is in the object, so any caller of obj_migrate continues the migration. If a migration to
 * NVM fails, for example because the pool is full, it becomes a migration to DRAM. That migration
 * ends with the error of the first.
 *
 * Lock order: table -> object -> pool -> kmem -> phys.
 */
#include <kernel/accounts.h>
#include <kernel/panic.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <lib/string.h>
#include <store/persist.h>
#include "inside.h"

/* Pages copied in one batch: to the pool a page takes about 5,000 instructions, to DRAM 2,500. */
#define TO_NVM_BATCH  4u
#define TO_DRAM_BATCH 8u
#define SCAN_BATCH    1024u /* leaves or page words scanned in one batch */

/* --- to NVM ----------------------------------------------------------------------------------- */

/* The account that the row names. An object whose account does not exist keeps its name. */
static objid_t account_in_store(const struct object *obj, const struct account *payer)
{
    if (payer)
        return payer->id;
    return obj->payer ? TWZ_OBJID_NONE : obj->account;
}

/* Step 1: gives the object a row, with the account, the revocation epoch and the permissions that
 * it has. If a later part fails, the object keeps the row. */
static int create_row(struct object *obj, struct store *store, struct account *payer)
{
    struct store_create create = { .nonce = { obj->nonce[0], obj->nonce[1] },
                                   .kuid = obj->kuid,
                                   .perms = obj->perms_id,
                                   .kind = obj->kind,
                                   .persist = obj->persist,
                                   .account = account_in_store(obj, payer),
                                   .class_ = obj->class_,
                                   .unnamed = true };
    struct store_update narrow = { .which = STORE_UPDATE_PERMS, .perms = obj->perms };
    uint32_t row;
    int err;

    err = store_obj_create_as(store, &create, obj->id, &row);
    if (err < 0)
        return err;
    incore_move_payer(obj, payer);
    obj->row = row;
    if (!pool_lock())
        err = -TWZ_ENOTSUP;
    if (err == 0 && obj->revocation_epoch > 0)
        err = store_obj_revoke(store, row, obj->revocation_epoch);
    if (err == 0 && obj->perms != obj->perms_id)
        err = store_obj_update(store, row, &narrow);
    pool_unlock();
    return err;
}

/* The same, charged to the account that pays for the object in the pool. */
static int create_charged_row(struct object *obj, struct store *store)
{
    struct account *payer = account_persistent(obj->payer);
    int err = accounts_charge_new(payer);

    if (err < 0)
        return err;
    err = create_row(obj, store, payer);
    if (!obj_is_persistent(obj))
        account_uncharge(payer, TWZ_ACCOUNT_POOL, STORE_OBJECT_BYTES);
    return err;
}

/* Does step 1 to NVM. The caller must hold the table's and the object's lock. */
static int begin_to_nvm(struct object *obj)
{
    struct store *store = pool_store();
    int err = -TWZ_ENOTSUP;

    if (obj->kind == TWZ_KIND_DATA && !obj_is_flat(obj) && !obj->tie_parent && store)
        err = create_charged_row(obj, store);
    if (err < 0 && !obj_is_persistent(obj))
        return err == -TWZ_EEXIST ? -TWZ_EBUSY : err; /* the former row is still being released */
    __atomic_fetch_or(&obj->flags, TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL, __ATOMIC_ACQ_REL);
    obj->migrating = err < 0 ? MIGRATE_TO_DRAM : MIGRATE_TO_NVM;
    obj->migrate_error = err;
    obj->migrated = 1;
    return 0;
}

/* Callback of store_page_add_many: returns the bytes for a page of the row. */
static const void *bytes_of_leaf(void *ctx, uint32_t page)
{
    const struct object *obj = ctx;

    return arch_virt(arch_ptree_lookup(&obj->tree.pt, page, NULL));
}

/* Callback of store_page_replace for a page that is lost. */
static uint32_t lost_content(void *ctx, uint32_t page, const void **bytes)
{
    (void)ctx;
    (void)page;
    (void)bytes;
    return STORE_POISONED;
}

/* Stores one page in the row: a hole, a lost page, or a copy. */
static int store_leaf(struct object *obj, struct store *store, uint32_t page, unsigned flags)
{
    int err;

    if ((flags & ARCH_PT_HOLE) != 0)
        return store_page_discard(store, obj->row, page, 1, STORE_HOLE);
    if ((flags & ARCH_PT_LOST) != 0)
        err = store_page_replace(store, obj->row, page, 1, lost_content, NULL, NULL);
    else
        err = store_page_add_many(store, obj->row, page, 1, bytes_of_leaf, obj);
    if (err == 0 && (flags & ARCH_PT_PROTECT) != 0)
        err = store_page_protect(store, obj->row, page, 1, true);
    return err;
}

/* Copies one write-protected page to the pool and unmaps the page. The caller must complete the
 * shootdown and then drop the frame *old, unless that is PHYS_NONE. An error sets *old to
 * PHYS_NONE. */
static int copy_page_to_nvm(struct object *obj, struct store *store, uint32_t page, unsigned flags,
                            phys_t *old)
{
    struct pool_charge c;
    int err = pool_charge(obj, 1 + CHARGE_NODES, &c);

    if (err == 0) {
        err = store_leaf(obj, store, page, flags);
        (void)pool_charge_end(obj, &c);
    }
    if (err < 0) {
        *old = PHYS_NONE;
        return err;
    }
    arch_ptree_unmap(&obj->tree.pt, page, 1);
    obj->pages -= phys_is_none(*old) ? 0 : 1;
    return 0;
}
/* Makes the DRAM leaves of [first, end) read-only on all cores. */
static void write_protect_leaves(struct object *obj, uint32_t first, uint32_t end)
{
    uint32_t page = first;
    unsigned flags;
    phys_t frame;

    for (; arch_ptree_next(&obj->tree.pt, &page, end, &frame, &flags); page++)
        if ((flags & ARCH_PT_WRITE) != 0 && !pool_has(frame) &&
            arch_ptree_map(&obj->tree.pt, page, frame, ARCH_PT_COW) < 0)
            panic("an existing leaf cannot be replaced");
    subtree_shoot_locked(&obj->tree, first, end - first);
}

/* Finds the pages of this batch: [*page, *end). Returns false if there is no leaf below *end. */
static bool find_batch_to_nvm(const struct object *obj, uint32_t *page, uint32_t *end)
{
    unsigned flags;
    phys_t frame;

    *page = obj->migrated;
    *end = *page + SCAN_BATCH < TWZ_PAGE_RECORD ? *page + SCAN_BATCH : TWZ_PAGE_RECORD;
    if (!arch_ptree_next(&obj->tree.pt, page, *end, &frame, &flags))
        return false;
    *end = *page + TO_NVM_BATCH < *end ? *page + TO_NVM_BATCH : *end;
    return true;
}

/* Does one batch of step 2 to NVM. An error turns the migration back. */
static void migrate_batch_to_nvm(struct object *obj)
{
    phys_t old[TO_NVM_BATCH], frame;
    uint32_t page, end, n = 0;
    struct store *store;
    unsigned flags;
    int err = 0;

    if (!find_batch_to_nvm(obj, &page, &end)) {
        obj->migrated = end;
        return;
    }
    page_unmap_zeros_locked(obj, page, end - page);
    write_protect_leaves(obj, page, end);
    store = pool_store();
    for (; err == 0 && arch_ptree_next(&obj->tree.pt, &page, end, &frame, &flags); page++) {
        if (pool_has(frame))
            continue;
        old[n] = frame;
        err = store ? copy_page_to_nvm(obj, store, page, flags, &old[n++]) : -TWZ_ENOTSUP;
    }
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

static int commit_to_nvm(struct object *obj)
{
    struct store *store = pool_lock();
    int err = store ? store_obj_permanent(store, obj->row) : -TWZ_ENOTSUP; /* COMMIT: persistent */

    pool_unlock();
    if (err < 0)
        return err;
    __atomic_fetch_and(&obj->flags, ~TWZ_OBJ_PROVISIONAL, __ATOMIC_ACQ_REL);
    obj->migrating = MIGRATE_NONE;
    page_record_update_locked(obj);
    if (obj->tree.nmappings > 0)
        obj_written_locked(obj);
    return 0;
}

/* --- to DRAM ---------------------------------------------------------------------------------- */

/* Does step 1 to DRAM. An object with ties in the store must stay persistent. */
static int begin_to_dram(struct object *obj)
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
    if (obj->kind != TWZ_KIND_DATA || obj->sealed)
        return -TWZ_ENOTSUP;
    if (!obj->exists)
        obj_ref(obj); /* some pages of the object will be in DRAM only */
    obj->exists = true;
    obj->migrating = MIGRATE_TO_DRAM;
    obj->migrate_error = 0;
    obj->migrated = 1;
    return 0;
}

/* Gives a page that the media lost its leaf in DRAM. */
static int lose_page(struct object *obj, uint32_t page, unsigned flags)
{
    int err =
        arch_ptree_map(&obj->tree.pt, page, PHYS_NONE, ARCH_PT_LOST | (flags & ARCH_PT_PROTECT));

    if (err == 0)
        obj->has_lost = true;
    return err;
}

/* Copies one page of the pool to a new DRAM frame, and maps that frame. */
static int copy_page_to_dram(struct object *obj, struct store *store, struct store_page *p)
{
    unsigned flags = (p->flags & STORE_FLAG_READONLY) != 0 ? ARCH_PT_PROTECT : ARCH_PT_WRITE;
    phys_t frame;
    int err;

    badpage_mark(store, obj, p);
    if (p->state == STORE_HOLE)
        return arch_ptree_map(&obj->tree.pt, p->page, PHYS_NONE, ARCH_PT_HOLE);
    if (p->state != STORE_PRESENT && p->state != STORE_SHARED)
        return lose_page(obj, p->page, flags);
    err = phys_alloc_for(obj->payer, 0, &frame);
    if (err < 0)
        return err;
    err = page_read_frame(arch_virt(frame), pool_frame_phys(p->frame), 0, TWZ_PAGE_SIZE);
    if (err == 0)
        err = arch_ptree_map(&obj->tree.pt, p->page, frame, flags);
    if (err == 0) {
        obj->pages++;
        return 0;
    }
    phys_free(frame, 0);
    if (err != -TWZ_EPOISON)
        return err;
    badpage_mark(store, obj, p);
    return lose_page(obj, p->page, flags);
}

/* Returns true if the leaf is a DRAM frame, a hole or lost. The page then has migrated, or was
 * never in the pool. */
static bool is_in_dram(const struct object *obj, uint32_t page)
{
    unsigned flags = 0;
    phys_t frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);

    return (flags & (ARCH_PT_HOLE | ARCH_PT_LOST)) != 0 ||
           (!phys_is_none(frame) && !pool_has(frame));
}

/* Unmaps pool frames and the frame of zeros in [first, end). At most TO_DRAM_BATCH of these pages
 * may be in the pool. Dirty pages are flushed, because the migration may never commit. */
static void unmap_pool_leaves(struct object *obj, uint32_t first, uint32_t end)
{
    phys_t dirty[TO_DRAM_BATCH], frame;
    uint32_t page = first, n = 0;
    unsigned flags;

    page_unmap_zeros_locked(obj, first, end - first);
    for (; arch_ptree_next(&obj->tree.pt, &page, end, &frame, &flags); page++) {
        if (phys_is_none(frame) || !pool_has(frame))
            continue;
        arch_ptree_unmap(&obj->tree.pt, page, 1);
        if ((flags & ARCH_PT_DIRTY) != 0 && n < TO_DRAM_BATCH)
            dirty[n++] = frame;
    }
    subtree_shoot_locked(&obj->tree, first, end - first);
    while (n-- > 0)
        persist_flush(arch_virt_nvm(dirty[n]), TWZ_PAGE_SIZE);
    persist_fence(); /* the pages must be durable before programs use them in DRAM */
}

/* Advances p->page to the next page that the store has, or to `end` if there is none below it. */
static int find_stored_page(struct store *store, const struct object *obj, struct store_page *p,
                            uint32_t end)
{
    int err = p->page < end ? store_page_next_before(store, obj->row, end, p) : 0;

    if (err < 0 && err != -TWZ_ENOOBJ)
        return err;
    if (err == -TWZ_ENOOBJ || p->page > end)
        p->page = end;
    return 0;
}

/* Does one batch of step 2 to DRAM. After an error, the next call tries the batch again. */
static int migrate_batch_to_dram(struct object *obj)
{
    uint32_t end = obj->migrated + SCAN_BATCH, n = 0;
    struct store_page p = { .page = obj->migrated };
    struct store *store = pool_store();
    int err = store ? find_stored_page(store, obj, &p, end) : -TWZ_ENOTSUP;

    end = end < TWZ_PAGE_RECORD ? end : TWZ_PAGE_RECORD;
    if (err == 0 && p.page < end)
        end = p.page + TO_DRAM_BATCH < end ? p.page + TO_DRAM_BATCH : end;
    if (err == 0)
        unmap_pool_leaves(obj, obj->migrated, end);
    while (err == 0 && p.page < end && n++ < TO_DRAM_BATCH) {
        if (!is_in_dram(obj, p.page))
            err = copy_page_to_dram(obj, store, &p);
        p.page++;
        if (err == 0)
            err = find_stored_page(store, obj, &p, end);
    }
    if (err == 0)
        obj->migrated = end;
    return err;
}

/* Does step 3 to DRAM. The caller must hold the table's and the object's lock. After it has
 * released them, it must start *release. */
static int commit_to_dram(struct object *obj, struct row_release **release)
{
    struct row_release *r = row_release_prepare(obj->row, obj->payer);
    struct store *store;
    int err;

    if (!r)
        return -TWZ_ENOMEM;
    store = pool_lock();
    err = store ? store_obj_has_tied(store, obj->row) : -TWZ_ENOTSUP;
    if (err == 0)
        err = store_obj_delete_begin(store, obj->row); /* COMMIT: volatile */
    pool_unlock();
    if (err != 0) {
        row_release_drop(r);
        return err > 0 ? -TWZ_EBUSY : err;
    }
    *release = r;
    obj->row = OBJ_NO_ROW;
    __atomic_fetch_and(&obj->flags, ~(TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL), __ATOMIC_ACQ_REL);
    obj->migrating = MIGRATE_NONE;
    page_record_update_locked(obj);
    return 0;
}

/* --- both ------------------------------------------------------------------------------------- */

/* Returns true if step 2 is not complete. */
static bool has_pages_left(const struct object *obj)
{
    return obj->migrating != MIGRATE_NONE && obj->migrated < TWZ_PAGE_RECORD;
}

static int migrate_batch(struct object *obj)
{
    int err = 0;

    if (obj->migrating == MIGRATE_TO_NVM)
        migrate_batch_to_nvm(obj);
    else
        err = migrate_batch_to_dram(obj);
    return err < 0 ? err : 1;
}

/* Does step 1 or 3. The caller must hold the table's and the object's lock. After it has released
 * them, it must start *release if that is set. Returns 1 if the caller must call again. */
static int begin_or_commit_locked(struct object *obj, bool persistent, struct row_release **release)
{
    int err = 0;

    if (obj->migrating == MIGRATE_TO_NVM)
        return commit_to_nvm(obj);
    if (obj->migrating == MIGRATE_TO_DRAM)
        return commit_to_dram(obj, release);
    if (obj_is_persistent(obj) == persistent)
        return 0;
    if (obj->pins > 0)
        return -TWZ_EBUSY; /* a pinned object keeps its frames */
    if (phys_is_none(obj->tree.pt.top))
        err = arch_ptree_init(&obj->tree.pt);
    if (err == 0)
        err = persistent ? begin_to_nvm(obj) : begin_to_dram(obj);
    return err < 0 ? err : 1;
}

/* Does step 1 or 3, and drops the existence reference after a migration to NVM. */
static int begin_or_commit(struct object *obj, bool persistent)
{
    struct row_release *release = NULL;
    bool is_stored;
    int err = 1;

    table_lock();
    spin_lock(&obj->tree.lock);
    if (obj_is_deleted(obj))
        err = -TWZ_EDELETED;
    else if (!has_pages_left(obj))
        err = begin_or_commit_locked(obj, persistent, &release);
    /* The migration that has ended may have been in the other direction. */
    if (err == 0 && obj_is_persistent(obj) != persistent)
        err = obj->migrate_error < 0 ? obj->migrate_error : 1;
    is_stored = obj->migrating == MIGRATE_NONE && obj_is_persistent(obj) && obj->exists && err >= 0;
    /* Must be in this critical section, because a migration to DRAM may begin right after it. */
    if (is_stored)
        obj->exists = false;
    spin_unlock(&obj->tree.lock);
    table_unlock();
    if (release)
        row_release_start(release);
    if (is_stored)
        obj_put(obj);
    return err;
}

int obj_migrate(struct object *obj, bool persistent)
{
    int err = 0;

    spin_lock(&obj->tree.lock);
    if (has_pages_left(obj))
        err = obj_is_deleted(obj) ? -TWZ_EDELETED : migrate_batch(obj);
    spin_unlock(&obj->tree.lock);
    return err != 0 ? err : begin_or_commit(obj, persistent);
}
