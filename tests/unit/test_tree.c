/* SPDX-License-Identifier: MIT */
/*
 * The hash tree of sealed objects. The expected digests were computed by another implementation
 * (Python's hashlib.blake2b with person). A tree that is built in steps is compared with one that
 * this file hashes whole.
 */
#include <stdlib.h>
#include <string.h>

#include <verify/tree.h>

#include "units.h"

static _Alignas(16) uint8_t content[2][TREE_NODE];

static void fill_content(void)
{
    for (size_t i = 0; i < TREE_NODE; i++)
        content[0][i] = (uint8_t)i;
    memset(content[1], 0x5a, TREE_NODE);
}

static void assert_hex(const void *bytes, size_t len, const char *hex)
{
    char text[2 * TREE_DIGEST + 1] = "";

    for (size_t i = 0; i < len; i++)
        sprintf(text + 2 * i, "%02x", ((const uint8_t *)bytes)[i]);
    ck_assert_str_eq(text, hex);
}

/* --- a tree that is built in steps ------------------------------------------------------------ */

static uint8_t (*stored)[TREE_NODE]; /* the pages of the tree object */

static void store_node(struct tree_build *build)
{
    uint32_t page = tree_build_page(build);

    ck_assert(page >= TREE_PAGE_LEVEL1 && page < TREE_PAGES);
    memcpy(stored[page], build->node[build->closing], TREE_NODE);
    tree_build_stored(build);
}

/* Builds the tree of `count` pages in rising order; page[i] has content[i % 2]. */
static void build_tree(const uint32_t *page, uint32_t count, uint8_t root[TREE_DIGEST])
{
    static struct tree_build build;
    enum tree_step step;
    uint32_t i = 0;

    memset(&build, 0, sizeof(build));
    memset(stored, 0, (size_t)TREE_PAGES * TREE_NODE);
    do {
        step = tree_build_next(&build, i < count ? page[i] : TREE_LEAVES);
        if (step == TREE_PART && tree_build_part(&build, content[i % 2] + build.done))
            i++;
        else if (step == TREE_FULL)
            store_node(&build);
    } while (step != TREE_DONE);
    assert_same(i, count);
    memcpy(stored[TREE_PAGE_TOP], build.node[0], TREE_NODE);
    tree_root(root, build.top);
}

/* Each digest of the path from a page to the root stands where tree_page_of says. */
static void assert_path(uint32_t page, const void *bytes, const uint8_t root[TREE_DIGEST])
{
    uint8_t digest[TREE_DIGEST];
    uint32_t offset, node;

    for (unsigned level = 0; level < TREE_LEVELS; level++) {
        tree_digest(digest, level, bytes);
        node = tree_page_of(level, page >> (TREE_SHIFT * level), &offset);
        ck_assert(memcmp(digest, stored[node] + offset, TREE_DIGEST) == 0);
        bytes = stored[node];
    }
    tree_root(digest, bytes);
    ck_assert(memcmp(digest, root, TREE_DIGEST) == 0);
}

/* --- tests ------------------------------------------------------------------------------------ */

START_TEST(test_known_digests)
{
    const uint64_t nonce[2] = { 1, 2 };
    objid_t kuid = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 }, id;
    const uint32_t pages[] = { 1, 262142 };
    uint8_t digest[TREE_DIGEST];

    tree_digest(digest, 0, content[0]);
    assert_hex(digest, TREE_DIGEST,
               "14f0601a55982aacd237ab28ac039be42151cf8ba07fb866385bc181af520b6a");
    tree_digest(digest, 1, content[0]);
    assert_hex(digest, TREE_DIGEST,
               "190363927d7ed0c8526de90bb9b3c42057acd6ff3618d165622b47d9a14cd846");
    build_tree(pages, 0, digest);
    assert_hex(digest, TREE_DIGEST,
               "9845b07c80e103f3872f7cde1306cad58218d0ab2748ae0e38e4616051b3beed");
    build_tree(pages, 2, digest);
    assert_hex(digest, TREE_DIGEST,
               "0dc50cc0b58e3aad3115da5719d88966b1074582fc560548814140ddfd065cdf");
    id = tree_objid(nonce, 5, kuid, digest);
    assert_hex(&id, sizeof(id), "b2018b0a0c03678e8260a288e1a9974a");
}
END_TEST

START_TEST(test_zeros_have_the_absent_digest)
{
    static _Alignas(16) uint8_t zeros[TREE_NODE];
    uint8_t digest[TREE_DIGEST];

    for (unsigned level = 0; level < TREE_LEVELS; level++) {
        memset(digest, 1, sizeof(digest));
        tree_digest(digest, level, zeros);
        ck_assert(memcmp(digest, zeros, TREE_DIGEST) == 0);
    }
}
END_TEST

/* One set bit anywhere in a page makes another digest, as does another level. */
START_TEST(test_each_bit_counts)
{
    uint8_t digest[TREE_DIGEST], other[TREE_DIGEST];

    tree_digest(digest, 0, content[0]);
    for (size_t bit = 0; bit < TREE_NODE * 8; bit += 37) {
        content[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
        tree_digest(other, 0, content[0]);
        content[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert(memcmp(digest, other, TREE_DIGEST) != 0);
    }
    for (unsigned level = 1; level < TREE_LEVELS; level++) {
        tree_digest(other, level, content[0]);
        ck_assert(memcmp(digest, other, TREE_DIGEST) != 0);
    }
}
END_TEST

START_TEST(test_tree_in_steps)
{
    static const uint32_t pages[] = { 1,     2,     127,   128,    255,    16383,  16384,
                                      16385, 32768, 65535, 131072, 262015, 262016, 262142 };
    uint32_t count = sizeof(pages) / sizeof(pages[0]);
    uint8_t root[TREE_DIGEST];

    build_tree(pages, count, root);
    for (uint32_t i = 0; i < count; i++)
        assert_path(pages[i], content[i % 2], root);
}
END_TEST

/* The same content at another page, more or less of it, or in another order: another root. */
START_TEST(test_position_and_length_count)
{
    static const uint32_t pages[][3] = { { 1, 2, 3 },   { 1, 2, 4 },     { 2, 3, 4 },
                                         { 1, 2, 130 }, { 1, 129, 130 }, { 1, 2, 16386 },
                                         { 0, 1, 2 } };
    enum { SETS = sizeof(pages) / sizeof(pages[0]) };
    uint8_t root[SETS + 2][TREE_DIGEST];

    for (uint32_t i = 0; i < SETS; i++)
        build_tree(pages[i], 3, root[i]);
    build_tree(pages[0], 2, root[SETS]);
    memset(content[1], 0, TREE_NODE);
    build_tree(pages[0], 2, root[SETS + 1]); /* page 2 is there, and zero */
    for (uint32_t i = 0; i < SETS + 2; i++)
        for (uint32_t k = 0; k < i; k++)
            ck_assert(memcmp(root[i], root[k], TREE_DIGEST) != 0);
    build_tree(pages[0], 1, root[0]); /* page 2 is absent */
    ck_assert(memcmp(root[0], root[SETS + 1], TREE_DIGEST) == 0);
    fill_content();
}
END_TEST

/* A node of digests, put in the place of a page, must not stand for the page's tree. */
START_TEST(test_levels_are_told_apart)
{
    const uint32_t pages[] = { 1 };
    uint8_t root[TREE_DIGEST], other[TREE_DIGEST];
    _Alignas(16) uint8_t saved[TREE_NODE];
    uint32_t offset;

    build_tree(pages, 1, root);
    memcpy(saved, content[0], TREE_NODE);
    memcpy(content[0], stored[tree_page_of(0, 1, &offset)], TREE_NODE);
    build_tree(pages, 1, other);
    memcpy(content[0], saved, TREE_NODE);
    ck_assert(memcmp(root, other, TREE_DIGEST) != 0);
}
END_TEST

START_TEST(test_id_covers_its_parts)
{
    uint64_t nonce[2] = { 0, 0 };
    objid_t kuid = { 0, 0 }, id, other;
    uint8_t root[TREE_DIGEST] = { 1 };

    id = tree_objid(nonce, TWZ_READ, kuid, root);
    other = tree_objid(nonce, TWZ_READ | TWZ_EXEC, kuid, root);
    ck_assert(!objid_equal(id, other));
    kuid.hi = 1;
    other = tree_objid(nonce, TWZ_READ, kuid, root);
    ck_assert(!objid_equal(id, other));
    kuid.hi = 0;
    nonce[1] = 1;
    other = tree_objid(nonce, TWZ_READ, kuid, root);
    ck_assert(!objid_equal(id, other));
    nonce[1] = 0;
    root[TREE_DIGEST - 1] = 1;
    other = tree_objid(nonce, TWZ_READ, kuid, root);
    ck_assert(!objid_equal(id, other));
    ck_assert(!objid_equal(id, hash_objid(nonce, TWZ_READ, kuid)));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_known_digests,      test_zeros_have_the_absent_digest, test_each_bit_counts,
        test_tree_in_steps,      test_position_and_length_count,    test_levels_are_told_apart,
        test_id_covers_its_parts
    };

    stored = calloc(TREE_PAGES, TREE_NODE);
    fill_content();
    return units_run("tree", tests, sizeof(tests) / sizeof(tests[0]));
}
