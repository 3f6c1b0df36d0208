/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol of an insert. A new context is made whole before it has a name (destination.c).
 *
 *                    step                               durable before       after a crash
 * new bucket page    1  COMMIT: the page's word         the whole page       without it, or with it
 * bucket page        1  the capability, flush, fence    -                    without it
 *                    2  COMMIT: its commit word, 1      the capability       without it, or with it
 */
#include "contexts.h"

#include <string.h>
#include <store/persist.h>
#include <twz/error.h>
#include <verify/context.h>

#include "content.h"
#include "destination.h"
#include "platform.h"

static const void *supply_page(void *ctx, uint32_t page)
{
    (void)page;
    return ctx;
}

/* --- new contexts --------------------------------------------------------------------------- */

/* Overrides beyond the first page stay absent: they read as zeros. */
static int fill_head(struct pool *pool, uint32_t row, const struct context_spec *spec)
{
    union {
        _Alignas(8) uint8_t page[TWZ_PAGE_SIZE];
        struct {
            uint64_t magic;
            uint32_t version, flags, default_mask, global_mask;
        } head;
    } first = { .page = { 0 } };

    first.head.magic = SEC_CONTEXT_MAGIC;
    first.head.version = SEC_CONTEXT_VERSION;
    first.head.default_mask = spec->default_mask;
    first.head.global_mask = spec->global_mask;
    return store_page_add_many(pool->store, row, 1, 1, supply_page, &first);
}

/* The `make` of an object_spec. */
static int make_context(void *ctx, struct pool *pool, objid_t *id)
{
    const struct context_spec *spec = ctx;
    /* The witness never holds, as in destination.c. */
    struct twz_create create = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = spec->perms,
        .kuid = spec->kuid,
        .kind = TWZ_KIND_SCTX,
        .witness = pool->names,
        .witness_off = TWZ_OBJ_META,
        .witness_value = UINT64_MAX,
    };
    uint32_t row;
    int err = plat_obj_create(&create, id);

    if (err < 0)
        return err;
    err = store_lookup(pool->store, *id, &row);
    if (err >= 0)
        err = fill_head(pool, row, spec);
    if (err >= 0)
        err = plat_obj_ctl(*id, TWZ_CTL_PERMANENT, 0);
    if (err < 0 && plat_obj_delete(*id, TWZ_DELETE_NOW) < 0)
        return -TWZ_EDAMAGED;
    return err;
}

int context_create(struct pool *pool, const char *path, const struct context_spec *spec,
                   objid_t *id)
{
    struct context_spec copy = *spec;
    const struct object_spec object = {
        .leaf = "context",
        .make = make_context,
        .ctx = &copy,
        .fresh = true,
        .values = { .mode = 0600 },
    };

    return destination_create(pool, path, &object, id);
}

/* --- reading -------------------------------------------------------------------------------- */

int context_read(const struct pool *pool, uint32_t row, struct sec_context *head,
                 const char **problem)
{
    struct store_stat stat;
    int err = store_obj_info(pool->store, row, &stat);

    *problem = NULL;
    if (err < 0)
        return err;
    if (stat.kind != TWZ_KIND_SCTX)
        return -TWZ_ETYPE;
    err = content_read(pool, row, TWZ_OBJ_BASE, head, sizeof(*head));
    if (err < 0)
        return err;
    *problem = sec_context_problem(head);
    return *problem ? -TWZ_EDAMAGED : 0;
}

int context_each(const struct pool *pool, uint32_t row, context_visitor visitor, void *ctx)
{
    struct store_page at = { .page = SEC_BUCKET_PAGE };
    uint32_t end = SEC_BUCKET_PAGE + SEC_BUCKETS;

    for (; store_page_next_before(pool->store, row, end, &at) >= 0 && at.page < end; at.page++) {
        const uint8_t *page;
        int err = content_page(pool, row, at.page, &page);

        if (err == 0)
            err = visitor(ctx, at.page - SEC_BUCKET_PAGE, (const void *)page);
        if (err != 0)
            return err;
    }
    return 0;
}

/* --- insert --------------------------------------------------------------------------------- */

static int add_bucket(struct pool *pool, uint32_t row, const struct sec_cap *cap)
{
    struct sec_bucket bucket = { .commit = { 1 } };

    bucket.cap[0] = *cap;
    /* COMMIT: the word of the page, which has the capability. */
    return store_page_add_many(pool->store, row, sec_bucket_page(cap->target), 1, supply_page,
                               &bucket);
}

static int insert_into(struct sec_bucket *bucket, objid_t id, const struct sec_cap *cap)
{
    uint32_t place;

    if (sec_bucket_problem(bucket, sec_bucket_of(cap->target), id))
        return -TWZ_EDAMAGED;
    if (sec_bucket_find(bucket, cap) != SEC_PLACES)
        return -TWZ_EEXIST;
    place = sec_bucket_free(bucket, cap);
    if (place == SEC_PLACES)
        return -TWZ_EFULL;
    persist_copy(&bucket->cap[place], cap, sizeof(*cap));
    persist_flush(&bucket->cap[place], sizeof(*cap));
    persist_fence();                             /* the capability, before its commit word */
    persist_commit64(&bucket->commit[place], 1); /* COMMIT: the context has the capability */
    return 0;
}

int context_insert(struct pool *pool, uint32_t row, objid_t id, const struct sec_cap *cap)
{
    struct store_page at;
    uint32_t page = sec_bucket_page(cap->target);
    int err = store_page_get(pool->store, row, page, &at);

    if (err < 0)
        return err;
    switch (at.state) {
    case STORE_ABSENT: return add_bucket(pool, row, cap);
    case STORE_PRESENT:
    case STORE_SHARED:
        err = store_page_break_cow(pool->store, row, page, &at.frame);
        return err < 0 ? err : insert_into(store_frame_ptr(pool->store, at.frame), id, cap);
    case STORE_POISONED: return -TWZ_EPOISON;
    default: return -TWZ_EDAMAGED;
    }
}
