/* SPDX-License-Identifier: MIT */
/* Replaced pages, reserved frames, the count of an object's pages, and deletion in steps. */
#include <string.h>

#include <store/store.h>
#include <store/word.h>
#include <twz/error.h>

#include "mempool.h"
#include "units.h"

static uint64_t pages_of(struct mempool *pool, uint32_t row)
{
    struct store_stat kept, walked;

    assert_same(store_obj_info(pool->store, row, &kept), 0);
    assert_same(store_obj_stat(pool->store, row, &walked), 0);
    assert_same(kept.pages, walked.pages);
    return kept.pages;
}

/* Page 3 n is absent, 3 n + 1 a hole, 3 n + 2 has bytes. */
static uint32_t content_by_page(void *ctx, uint32_t page, const void **bytes)
{
    static uint8_t buffer[STORE_FRAME_SIZE];

    (void)ctx;
    memset(buffer, (int)(page % 200) + 1, sizeof(buffer));
    *bytes = buffer;
    return page % 3 == 0 ? STORE_ABSENT : page % 3 == 1 ? STORE_HOLE : STORE_PRESENT;
}

static uint8_t byte_of_page(struct mempool *pool, uint32_t row, uint32_t page, uint32_t *state)
{
    struct store_page at;

    assert_same(store_page_get(pool->store, row, page, &at), 0);
    *state = at.state;
    return at.frame ? *(uint8_t *)store_frame_ptr(pool->store, at.frame) : 0;
}

static uint32_t lost_content(void *ctx, uint32_t page, const void **bytes)
{
    (void)ctx;
    (void)page;
    (void)bytes;
    return STORE_POISONED;
}

/* Content that is lost makes pages POISONED. Their frames are no bad ones. */
START_TEST(test_replace_by_lost_content)
{
    struct mempool pool;
    uint32_t row, frame, state;
    uint64_t before;

    mempool_make(&pool, 256, 0);
    row = mempool_object(&pool, NULL);
    before = mempool_free(&pool);
    assert_same(store_page_replace(pool.store, row, 2, 3, lost_content, NULL, NULL), 0);
    (void)byte_of_page(&pool, row, 3, &state);
    assert_same(state, STORE_POISONED);
    assert_same(store_page_break_cow(pool.store, row, 3, &frame), -TWZ_EPOISON);
    assert_same(mempool_free(&pool), before - 3);
    mempool_clean(&pool);
    assert_same(store_page_discard(pool.store, row, 2, 3, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), before);
    mempool_end(&pool);
}
END_TEST

static const void *bytes_of_ones(void *ctx, uint32_t page)
{
    static uint8_t ones[STORE_FRAME_SIZE];

    (void)ctx;
    (void)page;
    memset(ones, 1, sizeof(ones));
    return ones;
}

/* Bytes that the memory loses while a page is filled with them make that page POISONED. */
START_TEST(test_lost_while_copied)
{
    struct mempool pool;
    uint32_t row, state;

    mempool_make(&pool, 256, 0);
    row = mempool_object(&pool, NULL);
    pool.lost_after = 3; /* the second page: one question before each copy, one behind it */
    assert_same(store_page_add_many(pool.store, row, 2, 3, bytes_of_ones, NULL), 0);
    for (uint32_t page = 2; page < 5; page++) {
        (void)byte_of_page(&pool, row, page, &state);
        assert_same(state, page == 3 ? STORE_POISONED : STORE_PRESENT);
    }
    pool.lost_after = 1;
    assert_same(store_page_replace(pool.store, row, 2, 1, content_by_page, NULL, NULL), 0);
    (void)byte_of_page(&pool, row, 2, &state);
    assert_same(state, STORE_POISONED);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

START_TEST(test_replace)
{
    struct mempool pool;
    uint32_t row, frame, state;
    uint64_t before;

    mempool_make(&pool, 256, 0);
    row = mempool_object(&pool, NULL);
    before = mempool_free(&pool);
    for (uint32_t page = 1; page < 30; page++) {
        assert_same(store_page_add(pool.store, row, page, &frame), 0);
        memset(store_frame_ptr(pool.store, frame), 0xee, STORE_FRAME_SIZE);
    }
    assert_same(pages_of(&pool, row), 29);
    assert_same(store_page_protect(pool.store, row, 20, 1, true), 0);
    assert_same(store_page_replace(pool.store, row, 10, 20, content_by_page, NULL, NULL),
                -TWZ_EDENIED);
    assert_same(byte_of_page(&pool, row, 11, &state), 0xee);
    assert_same(store_page_protect(pool.store, row, 20, 1, false), 0);
    assert_same(store_page_replace(pool.store, row, 10, 1000, content_by_page, NULL, NULL),
                -TWZ_ENOSPC);
    for (uint32_t page = 1; page < 30; page++)
        assert_same(byte_of_page(&pool, row, page, &state), 0xee);
    assert_same(store_page_replace(pool.store, row, 10, 60, content_by_page, NULL, NULL), 0);
    for (uint32_t page = 10; page < 70; page++) {
        const void *bytes;
        uint32_t want = content_by_page(NULL, page, &bytes);
        uint8_t byte = byte_of_page(&pool, row, page, &state);

        assert_same(state, want);
        assert_same(byte, want == STORE_PRESENT ? page % 200 + 1 : 0);
    }
    assert_same(pages_of(&pool, row), 9 + 20);
    mempool_clean(&pool);
    assert_same(pages_of(&pool, row), 9 + 20);
    assert_same(store_page_discard(pool.store, row, 1, TWZ_PAGE_META, STORE_ABSENT), 0);
    assert_same(pages_of(&pool, row), 0);
    assert_same(store_obj_delete(pool.store, row, NULL, NULL), 0);
    assert_same(store_obj_release(pool.store, row), 0);
    assert_same(mempool_free(&pool), before);
    mempool_end(&pool);
}
END_TEST

/* Pages that are shared again with the same frame keep it; others lose their old frame. */
START_TEST(test_share_over_pages)
{
    struct mempool pool;
    uint32_t a, b, frame;
    uint64_t before;

    mempool_make(&pool, 256, 0);
    a = mempool_object(&pool, NULL);
    b = mempool_object(&pool, NULL);
    for (uint32_t page = 20; page < 24; page++) {
        assert_same(store_page_add(pool.store, a, page, &frame), 0);
        assert_same(store_page_add(pool.store, b, page + 10, &frame), 0);
    }
    assert_same(store_page_discard(pool.store, a, 24, 1, STORE_HOLE), 0);
    before = mempool_free(&pool);
    assert_same(store_page_share(pool.store, b, 30, a, 20, 6), 0);
    assert_same(mempool_free(&pool), before + 4);
    assert_same(store_page_share(pool.store, b, 30, a, 20, 6), 0);
    assert_same(mempool_free(&pool), before + 4);
    assert_same(pages_of(&pool, b), 4);
    mempool_clean(&pool);
    assert_same(store_page_discard(pool.store, a, 1, TWZ_PAGE_META, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), before + 4);
    assert_same(store_page_discard(pool.store, b, 1, TWZ_PAGE_META, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), before + 8);
    mempool_end(&pool);
}
END_TEST

/* Reserved frames are for the holder alone, and the bounds cover what a call takes. */
START_TEST(test_reserve)
{
    struct mempool pool;
    uint32_t a, frame;
    uint64_t free, bound, rest, left;

    mempool_make(&pool, 256, 0);
    a = mempool_object(&pool, NULL);
    free = mempool_free(&pool);
    assert_same(store_reserve(pool.store, free + 1), -TWZ_ENOSPC);
    assert_same(store_reserve(pool.store, free), 0);
    assert_same(mempool_free(&pool), 0);
    assert_same(store_page_add(pool.store, a, 1, &frame), -TWZ_ENOSPC);
    store_unreserve(pool.store, free);
    assert_same(store_page_add(pool.store, a, 1, &frame), 0);
    bound = store_replace_bound(60, 20);
    free = mempool_free(&pool);
    assert_same(store_reserve(pool.store, bound), 0);
    rest = mempool_free(&pool);
    assert_same(store_reserve(pool.store, rest), 0);
    left = bound;
    assert_same(store_page_replace(pool.store, a, 500, 60, content_by_page, NULL, NULL),
                -TWZ_ENOSPC);
    assert_same(store_page_replace(pool.store, a, 500, 60, content_by_page, NULL, &left), 0);
    assert_same(left, 0); /* two leaves and a root: no call takes more */
    store_unreserve(pool.store, rest + left);
    assert_same(mempool_free(&pool), free - 20 - 3);
    left = store_share_bound(pool.store, 60, 20);
    assert_same(store_reserve(pool.store, left), 0);
    assert_same(store_page_share_reserved(pool.store, a, 2000, a, 500, 60, &left), 0);
    store_unreserve(pool.store, left);
    assert_same(mempool_free(&pool), free - 20 - 5);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

#define CHAIN 3000u

/* A chain and a bush of ties: each object is named once, after those tied to it. A tie below a long
 * chain is refused, because it could close a circle. */
START_TEST(test_delete_in_steps)
{
    struct mempool pool;
    static uint32_t row[CHAIN];
    static objid_t id[CHAIN];
    static uint8_t named[CHAIN];
    struct store_recovery recovery;
    uint32_t deleted, count = 0;

    mempool_make(&pool, 4096, 0);
    for (uint32_t i = 0; i < CHAIN; i++) {
        struct store_create create = { .nonce = { i + 1, 5 }, .perms = TWZ_READ };

        if (i > 0)
            create.tie_parent = id[i % 3 == 0 ? 0 : i - 1];
        assert_same(store_obj_create(pool.store, &create, &row[i], &id[i]), 0);
    }
    assert_same(store_obj_delete_begin(pool.store, row[0]), 1);
    assert_same(store_obj_delete_begin(pool.store, row[0]), -TWZ_EDELETED);
    while (store_obj_delete_tied(pool.store, row[0], &deleted) > 0) {
        if (deleted == row[0])
            continue;
        for (uint32_t i = 0; i < CHAIN; i++)
            if (row[i] == deleted)
                named[i]++;
        count++;
        assert_same(store_obj_release(pool.store, deleted), 0);
    }
    assert_same(count, CHAIN - 1);
    for (uint32_t i = 1; i < CHAIN; i++)
        assert_same(named[i], 1);
    assert_same(mempool_check(&pool, false), 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.objects, 0);
    mempool_end(&pool);
}
END_TEST

START_TEST(test_tie_below_a_long_chain)
{
    struct mempool pool;
    objid_t id[130];
    uint32_t row[130];

    mempool_make(&pool, 1024, 0);
    for (uint32_t i = 0; i < 130; i++) {
        row[i] = mempool_object(&pool, &id[i]);
        if (i > 0)
            assert_same(store_obj_tie(pool.store, row[i], id[i - 1]), i <= 128 ? 0 : -TWZ_EFULL);
    }
    assert_same(store_obj_tie(pool.store, row[0], id[100]), -TWZ_EINVAL);
    assert_same(store_obj_tie(pool.store, row[0], id[128]), -TWZ_EFULL);
    mempool_end(&pool);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_replace,
                                   test_replace_by_lost_content,
                                   test_lost_while_copied,
                                   test_share_over_pages,
                                   test_reserve,
                                   test_delete_in_steps,
                                   test_tie_below_a_long_chain };

    return units_finish(units_runner("store-copy", tests, sizeof(tests) / sizeof(tests[0])));
}
