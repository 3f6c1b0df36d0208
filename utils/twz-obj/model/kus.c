/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol of making a ku. Its name follows (destination.c).
 *
 *   step                                             durable before     after a crash
 *   1  fill the drafts of the ku and of its tree     -                  nothing of them is left
 *   2  COMMIT: store_seal makes objects of both      all pages          both exist, or neither
 */
#include "kus.h"

#include <sign/ku.h>
#include <string.h>
#include <twz/error.h>
#include <verify/statement.h>

#include "content.h"
#include "destination.h"
#include "fail.h"
#include "host_platform.h"

/* Every page of a ku has its bytes. So has the object, then, because its ID follows from them. */
static bool has_content(const struct pool *pool, uint32_t row, const struct sec_ku *ku)
{
    struct ku_page page[KU_PAGES];

    ku_pages(ku, page);
    for (unsigned i = 0; i < KU_PAGES; i++) {
        const uint8_t *bytes;

        if (content_page(pool, row, page[i].number, &bytes) < 0 ||
            memcmp(bytes, page[i].bytes, TWZ_PAGE_SIZE) != 0)
            return false;
    }
    return true;
}

int ku_read(const struct pool *pool, objid_t kuid, struct sec_ku *ku)
{
    struct store_stat stat;
    uint32_t row;
    int err = store_lookup(pool->store, kuid, &row);

    if (err >= 0)
        err = store_obj_info(pool->store, row, &stat);
    if (err >= 0 && (!(stat.flags & STORE_OBJ_SEALED) || !objid_is_none(stat.kuid)))
        return -TWZ_ETYPE;
    if (err >= 0)
        err = content_read(pool, row, TWZ_OBJ_BASE, ku, sizeof(*ku));
    if (err < 0)
        return err;
    if (ku_check(ku) != SEC_REASON_NONE)
        return -TWZ_ETYPE;
    return objid_equal(ku_objid(ku), kuid) && has_content(pool, row, ku) ? 0 : -TWZ_EDAMAGED;
}

/* --- making one ---------------------------------------------------------------------------- */

static const void *supply_page(void *ctx, uint32_t page)
{
    (void)page;
    return ctx;
}

static int add_page(struct pool *pool, uint32_t row, uint32_t page, const void *bytes)
{
    _Alignas(16) uint8_t copy[TWZ_PAGE_SIZE];

    memcpy(copy, bytes, sizeof(copy));
    return store_page_add_many(pool->store, row, page, 1, supply_page, copy);
}

struct drafts {
    struct pool *pool;
    uint32_t row, tree; /* STORE_NO_ROW: none */
};

/* A ku_store. */
static int add_node(void *ctx, uint32_t page, const void *bytes)
{
    const struct drafts *drafts = ctx;

    return add_page(drafts->pool, drafts->tree, page, bytes);
}

static int make_draft(struct pool *pool, const struct store_create *create, uint32_t *row)
{
    int err = store_draft(pool->store, create, store_obj_id(create), row);

    if (err < 0)
        *row = STORE_NO_ROW;
    return err;
}

static int make_tree(struct drafts *drafts, const struct ku_page page[KU_PAGES],
                     uint8_t root[TREE_DIGEST])
{
    struct store_create create = { .perms = KU_PERMS, .kind = TWZ_KIND_DATA };
    int err;

    if (host_random(create.nonce, sizeof(create.nonce)) != TOOL_OK)
        return -TWZ_EIO;
    err = make_draft(drafts->pool, &create, &drafts->tree);
    return err < 0 ? err : ku_tree(page, root, add_node, drafts);
}

static int make_content(struct drafts *drafts, const struct ku_page page[KU_PAGES],
                        const uint8_t root[TREE_DIGEST])
{
    struct store_create create = { .perms = KU_PERMS, .kind = TWZ_KIND_DATA, .seal = root };
    int err = make_draft(drafts->pool, &create, &drafts->row);

    for (unsigned i = 0; err >= 0 && i < KU_PAGES; i++)
        err = add_page(drafts->pool, drafts->row, page[i].number, page[i].bytes);
    return err;
}

/* Frees what a draft has; it never was an object. */
static void drop_draft(struct pool *pool, uint32_t row)
{
    while (row != STORE_NO_ROW && store_obj_release_some(pool->store, row, 64) > 0)
        ;
}

static int seal(struct pool *pool, const struct sec_ku *ku)
{
    struct drafts drafts = { pool, STORE_NO_ROW, STORE_NO_ROW };
    struct ku_page page[KU_PAGES];
    uint8_t root[TREE_DIGEST];
    int err;

    ku_pages(ku, page);
    err = make_tree(&drafts, page, root);
    if (err >= 0)
        err = make_content(&drafts, page, root);
    if (err >= 0)
        err = store_seal(pool->store, drafts.row, drafts.tree); /* COMMIT: the ku exists */
    if (err < 0) {
        drop_draft(pool, drafts.row);
        drop_draft(pool, drafts.tree);
        return err;
    }
    pool->changes += 2;
    return 0;
}

/* The `make` of an object_spec. */
static int make_ku(void *ctx, struct pool *pool, objid_t *id)
{
    const struct sec_ku *ku = ctx;
    struct sec_ku existing;
    int err;

    *id = ku_objid(ku);
    err = ku_read(pool, *id, &existing);
    if (err == 0)
        return 1;
    return err == -TWZ_ENOOBJ ? seal(pool, ku) : err;
}

int ku_create(struct pool *pool, const char *path, const struct sec_ku *ku, objid_t *kuid)
{
    struct sec_ku copy = *ku;
    const struct object_spec object = {
        .leaf = "ku",
        .make = make_ku,
        .ctx = &copy,
        .fresh = true,
        .values = { .mode = 0444 },
    };

    return destination_create(pool, path, &object, kuid);
}
