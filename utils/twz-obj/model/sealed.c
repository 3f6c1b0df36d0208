/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol: the tree and the sealed object are drafts until store_seal commits both
 * (kernel/store/create.c). Wherever the process ends before, nothing of them is left.
 */
#include "sealed.h"

#include <stdlib.h>
#include <string.h>
#include <twz/error.h>
#include <verify/tree.h>

#include "content.h"
#include "host_platform.h"
#include "window.h"

/* A walk over the pages of an object that makes its tree. */
struct tree_walk {
    const struct pool *pool;
    uint32_t row;
    struct tree_build build;
    uint8_t root[TREE_DIGEST];
    /* Gets each page of the tree in turn. */
    int (*store)(struct tree_walk *walk, uint32_t page, const uint8_t *node);
    /* For store. */
    uint32_t tree;
    const uint8_t *node;
    bool seen[TREE_PAGES];
    bool differs;
};

/* The next page from `page` on that is not absent, or TREE_LEAVES. */
static int64_t next_page(const struct tree_walk *walk, uint32_t page)
{
    struct store_page at = { .page = page };
    int err = store_page_next(walk->pool->store, walk->row, &at);

    if (err == -TWZ_ENOOBJ)
        return TREE_LEAVES;
    if (err == 0 && at.state == STORE_HOLE)
        return -TWZ_EINVAL;
    return err < 0 ? err : (int64_t)at.page;
}

static int hash_page(struct tree_walk *walk, uint32_t page)
{
    const uint8_t *bytes;
    int err = content_page(walk->pool, walk->row, page, &bytes);

    while (err == 0 && !tree_build_part(&walk->build, bytes + walk->build.done))
        continue;
    return err;
}

static int walk_tree(struct tree_walk *walk)
{
    int64_t page = next_page(walk, 1);
    enum tree_step step;
    int err = 0;

    do {
        if (page < 0)
            return (int)page;
        step = tree_build_next(&walk->build, (uint32_t)page);
        if (step == TREE_PART) {
            err = hash_page(walk, (uint32_t)page);
            page = next_page(walk, (uint32_t)page + 1);
        } else if (step == TREE_FULL) {
            err = walk->store(walk, tree_build_page(&walk->build),
                              walk->build.node[walk->build.closing]);
            tree_build_stored(&walk->build);
        }
    } while (err == 0 && step != TREE_DONE);
    if (err == 0)
        err = walk->store(walk, TREE_PAGE_TOP, walk->build.node[0]);
    tree_root(walk->root, walk->build.top);
    return err;
}

/* --- making ---------------------------------------------------------------------------------- */

static const void *bytes_of_node(void *ctx, uint32_t page)
{
    const struct tree_walk *walk = ctx;

    (void)page;
    return walk->node;
}

static int add_node(struct tree_walk *walk, uint32_t page, const uint8_t *node)
{
    walk->node = node;
    return store_page_add_many(walk->pool->store, walk->tree, page, 1, bytes_of_node, walk);
}

/* The object must be one that can be sealed. */
static int check_source(struct pool *pool, const struct store_stat *stat, uint32_t row,
                        uint32_t perms)
{
    struct twz_meta meta;
    int err = content_meta(pool, row, &meta);

    if (err < 0)
        return err;
    if (stat->kind != TWZ_KIND_DATA || (perms & TWZ_WRITE) != 0 ||
        (perms == 0 && objid_is_none(stat->kuid)))
        return -TWZ_EINVAL;
    return meta.reserved[0] != 0 ? -TWZ_EBUSY : 0;
}

/* Compare all pages of two objects. */
static int compare(const struct pool *pool, uint32_t a, uint32_t b)
{
    const uint8_t *one, *other;
    int err = 0;

    for (uint32_t page = 1; err == 0 && page <= TWZ_PAGE_META; page++) {
        err = content_page(pool, a, page, &one);
        if (err == 0)
            err = content_page(pool, b, page, &other);
        if (err == 0 && one != other && memcmp(one, other, TWZ_PAGE_SIZE) != 0)
            err = 1;
    }
    return err;
}

/* An object has the ID already: it must have the same bytes. */
static int accept_existing(const struct pool *pool, uint32_t row, uint32_t existing,
                           const uint8_t root[TREE_DIGEST])
{
    struct store_stat stat;
    int err = store_obj_info(pool->store, existing, &stat);

    if (err == 0)
        err = compare(pool, row, existing);
    if (err == 1)
        err = memcmp(stat.seal, root, TREE_DIGEST) == 0 ? -TWZ_EDAMAGED : -TWZ_EEXIST;
    return err;
}

static void drop_draft(struct pool *pool, uint32_t row)
{
    if (row != STORE_NO_ROW)
        (void)!store_obj_release(pool->store, row);
}

/* Make the sealed object, which shares its pages with the source. */
static int make_object(struct pool *pool, const struct tree_walk *walk,
                       const struct store_create *create, objid_t id)
{
    uint32_t sealed = STORE_NO_ROW;
    int err = store_draft(pool->store, create, id, &sealed);

    if (err == 0)
        err = store_page_share(pool->store, sealed, 1, walk->row, 1, TWZ_PAGE_META);
    if (err == 0)
        err = window_refresh(walk->row);
    if (err == 0)
        err = store_seal(pool->store, sealed, walk->tree); /* COMMIT: both exist */
    if (err < 0)
        drop_draft(pool, sealed);
    return err;
}

/* The tree's pages are there. */
static int finish(struct pool *pool, struct tree_walk *walk, const struct store_stat *stat,
                  uint32_t perms, objid_t *id, bool *made)
{
    struct store_create create = { .kuid = stat->kuid,
                                   .perms = perms,
                                   .kind = TWZ_KIND_DATA,
                                   .account = stat->account,
                                   .seal = walk->root };
    uint32_t existing;
    int err;

    *id = store_obj_id(&create);
    err = store_lookup(pool->store, *id, &existing);
    *made = err == -TWZ_ENOOBJ;
    if (*made)
        return make_object(pool, walk, &create, *id);
    return err < 0 ? err : accept_existing(pool, walk->row, existing, walk->root);
}

int sealed_make(struct pool *pool, uint32_t row, uint32_t perms, objid_t *id, bool *made)
{
    struct store_create create = { .perms = perms & TWZ_READ };
    struct tree_walk *walk = calloc(1, sizeof(*walk));
    struct store_stat stat;
    int err = walk ? store_obj_info(pool->store, row, &stat) : -TWZ_ENOMEM;

    *made = false;
    if (err == 0)
        err = check_source(pool, &stat, row, perms);
    if (err == 0 && host_random(create.nonce, sizeof(create.nonce)) != 0)
        err = -TWZ_EIO;
    if (err < 0) {
        free(walk);
        return err;
    }
    create.account = stat.account;
    *walk = (struct tree_walk){ .pool = pool, .row = row, .store = add_node };
    walk->tree = STORE_NO_ROW;
    err = store_draft(pool->store, &create, store_obj_id(&create), &walk->tree);
    if (err == 0)
        err = walk_tree(walk);
    if (err == 0)
        err = finish(pool, walk, &stat, perms, id, made);
    if (err < 0 || !*made)
        drop_draft(pool, walk->tree);
    pool->changes++;
    free(walk);
    return err;
}

/* --- verifying ------------------------------------------------------------------------------- */

/* Compare a node with the page of the tree that should hold it. */
static int compare_node(struct tree_walk *walk, uint32_t page, const uint8_t *node)
{
    const uint8_t *have;
    int err = content_page(walk->pool, walk->tree, page, &have);

    walk->seen[page] = true;
    if (err < 0 || memcmp(have, node, TREE_NODE) != 0)
        walk->differs = true;
    return 0;
}

static bool is_zero(const uint8_t *bytes)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, TREE_NODE - 1) == 0;
}

/* The tree must have no other digests: an absent page would not be what it says. */
static bool has_more(const struct tree_walk *walk)
{
    struct store_page at = { 0 };
    const uint8_t *bytes;

    for (; store_page_next(walk->pool->store, walk->tree, &at) == 0; at.page++)
        if (at.page >= TREE_PAGES || !walk->seen[at.page])
            if (content_page(walk->pool, walk->tree, at.page, &bytes) < 0 || !is_zero(bytes))
                return true;
    return false;
}

/* The first page whose digest is not the one in the tree, or 0. */
static uint32_t find_wrong_page(const struct tree_walk *walk)
{
    for (uint32_t page = 1; page <= TWZ_PAGE_META; page++) {
        uint8_t digest[TREE_DIGEST];
        const uint8_t *bytes, *node;
        uint32_t off, at = tree_page_of(0, page, &off);

        if (content_page(walk->pool, walk->row, page, &bytes) < 0)
            return page;
        if (content_page(walk->pool, walk->tree, at, &node) < 0)
            return 0;
        tree_digest(digest, 0, bytes);
        if (memcmp(digest, node + off, TREE_DIGEST) != 0)
            return page;
    }
    return 0;
}

/* Find the object with the tree. The kernel accepts no other one (kernel/obj/incore.c). */
static const char *find_tree(const struct pool *pool, const struct store_stat *stat, uint32_t *row)
{
    struct store_stat tree;

    if (store_lookup(pool->store, stat->hash_tree, row) < 0 ||
        store_obj_info(pool->store, *row, &tree) < 0)
        return "sealed object: its hash tree is missing";
    if (tree.kind != TWZ_KIND_DATA || (tree.perms_id & ~TWZ_READ) != 0 ||
        !objid_is_none(tree.kuid) || (tree.flags & STORE_OBJ_SEALED) != 0)
        return "sealed object: its hash tree could be written";
    if (!objid_equal(tree.tie_parent, stat->id))
        return "sealed object: its hash tree is not tied to it";
    return NULL;
}

int sealed_verify(const struct pool *pool, uint32_t row,
                  void (*found)(void *ctx, objid_t id, uint32_t page, const char *what), void *ctx)
{
    struct tree_walk *walk = calloc(1, sizeof(*walk));
    struct store_stat stat;
    const char *what;
    int err = walk ? store_obj_info(pool->store, row, &stat) : -TWZ_ENOMEM;

    if (err < 0) {
        free(walk);
        return err;
    }
    *walk = (struct tree_walk){ .pool = pool, .row = row, .store = compare_node };
    what = find_tree(pool, &stat, &walk->tree);
    if (what) {
        found(ctx, stat.id, 0, what);
    } else if (walk_tree(walk) < 0 || memcmp(walk->root, stat.seal, TREE_DIGEST) != 0) {
        found(ctx, stat.id, find_wrong_page(walk),
              "sealed object: the content does not match its ID");
    } else if (walk->differs || has_more(walk)) {
        found(ctx, stat.id, 0, "sealed object: its hash tree does not match its ID");
    }
    free(walk);
    return 0;
}
