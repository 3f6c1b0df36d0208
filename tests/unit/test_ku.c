/* SPDX-License-Identifier: MIT */
/* The ku of public keys: its pages, its hash tree, its ID. */
#include <string.h>

#include <sign/ku.h>

#include "units.h"

static struct sec_ku make_ku(void)
{
    struct sec_ku ku = { .magic = SEC_KU_MAGIC, .version = 1, .algorithm = 1, .label = "alice" };

    memset(ku.signing, 1, SEC_KEY);
    memset(ku.recovery, 2, SEC_KEY);
    return ku;
}

/* The ID is final: everything that a user makes has it in its own ID. */
START_TEST(test_known_id)
{
    struct sec_ku ku = make_ku();
    objid_t id = ku_objid(&ku);

    ck_assert_uint_eq(id.hi, 0x2e3e2a6fb4f21983ull);
    ck_assert_uint_eq(id.lo, 0x6162ac927092f15dull);
}
END_TEST

START_TEST(test_every_byte_counts)
{
    struct sec_ku ku = make_ku();
    objid_t id = ku_objid(&ku);

    for (size_t i = 0; i < sizeof(ku); i++) {
        ((uint8_t *)&ku)[i] ^= 1;
        ck_assert(!objid_equal(ku_objid(&ku), id));
        ((uint8_t *)&ku)[i] ^= 1;
    }
    ck_assert(objid_equal(ku_objid(&ku), id));
}
END_TEST

struct nodes {
    uint32_t page[8];
    unsigned count;
    int error; /* of the last one */
    uint8_t bytes[8][TWZ_PAGE_SIZE];
};

static int store_node(void *ctx, uint32_t page, const void *bytes)
{
    struct nodes *nodes = ctx;

    ck_assert_uint_lt(nodes->count, 8);
    memcpy(nodes->bytes[nodes->count], bytes, TWZ_PAGE_SIZE);
    nodes->page[nodes->count++] = page;
    return nodes->count == 3 ? nodes->error : 0;
}

/* One path for each of the two pages; the top leads to the root. */
START_TEST(test_tree)
{
    static struct nodes nodes;
    struct sec_ku ku = make_ku();
    struct ku_page page[KU_PAGES];
    uint8_t root[TREE_DIGEST], digest[TREE_DIGEST];
    uint32_t offset;

    ku_pages(&ku, page);
    ck_assert_int_eq(ku_tree(page, root, store_node, &nodes), 0);
    ck_assert_uint_eq(nodes.count, 5);
    ck_assert_uint_eq(nodes.page[4], TREE_PAGE_TOP);
    tree_root(digest, nodes.bytes[4]);
    ck_assert_mem_eq(digest, root, TREE_DIGEST);
    for (unsigned i = 0; i < KU_PAGES; i++) {
        unsigned found = 0;

        tree_digest(digest, 0, page[i].bytes);
        for (unsigned n = 0; n < nodes.count; n++)
            if (nodes.page[n] == tree_page_of(0, page[i].number, &offset))
                found += memcmp(nodes.bytes[n] + offset, digest, TREE_DIGEST) == 0;
        ck_assert_uint_eq(found, 1);
    }
}
END_TEST

START_TEST(test_error_ends_the_tree)
{
    static struct nodes nodes = { .error = -5 };
    struct sec_ku ku = make_ku();
    struct ku_page page[KU_PAGES];
    uint8_t root[TREE_DIGEST];

    ku_pages(&ku, page);
    ck_assert_int_eq(ku_tree(page, root, store_node, &nodes), -5);
    ck_assert_uint_eq(nodes.count, 3);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_known_id, test_every_byte_counts, test_tree,
                                   test_error_ends_the_tree };

    return units_run("ku", tests, sizeof(tests) / sizeof(tests[0]));
}
