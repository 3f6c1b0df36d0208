/* SPDX-License-Identifier: MIT */
#include <sign/ku.h>
#include <string.h>

void ku_pages(const struct sec_ku *ku, struct ku_page page[KU_PAGES])
{
    struct twz_meta meta = { .magic = TWZ_META_MAGIC, .size = sizeof(*ku) };

    memset(page, 0, KU_PAGES * sizeof(*page));
    page[0].number = TWZ_OBJ_BASE / TWZ_PAGE_SIZE;
    memcpy(page[0].bytes, ku, sizeof(*ku));
    page[1].number = TWZ_PAGE_META;
    memcpy(page[1].bytes, &meta, sizeof(meta));
}

static int store_full(struct tree_build *build, ku_store store, void *ctx)
{
    int err = store ? store(ctx, tree_build_page(build), build->node[build->closing]) : 0;

    if (err == 0)
        tree_build_stored(build);
    return err;
}

int ku_tree(const struct ku_page page[KU_PAGES], uint8_t root[TREE_DIGEST], ku_store store,
            void *ctx)
{
    struct tree_build build = { 0 };
    unsigned at = 0;
    int err = 0;

    while (err == 0) {
        switch (tree_build_next(&build, at < KU_PAGES ? page[at].number : TREE_LEAVES)) {
        case TREE_PART:
            if (tree_build_part(&build, page[at].bytes + build.done))
                at++;
            break;
        case TREE_FULL: err = store_full(&build, store, ctx); break;
        case TREE_DONE:
            tree_root(root, build.top);
            return store ? store(ctx, TREE_PAGE_TOP, build.node[0]) : 0;
        default: break;
        }
    }
    return err;
}

objid_t ku_objid(const struct sec_ku *ku)
{
    static const uint64_t nonce[2];
    struct ku_page page[KU_PAGES];
    uint8_t root[TREE_DIGEST];

    ku_pages(ku, page);
    (void)ku_tree(page, root, NULL, NULL);
    return tree_objid(nonce, KU_PERMS, TWZ_OBJID_NONE, root);
}
