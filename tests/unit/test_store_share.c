/* SPDX-License-Identifier: MIT */
/*
 * Saturated frames. At most HOLDERS_MAX pages share one frame; further pages share a copy. Each
 * page stays independent of the others, and the last page frees the frame.
 */
#include <string.h>

#include <store/store.h>
#include <store/word.h>
#include <twz/error.h>

#include "mempool.h"
#include "units.h"

#define HOLDERS_MAX 0x7ffeu /* number of words that may share a frame */
#define BATCH       256u    /* number of pages in a call */
#define FIRST       1000u
#define FILL        0x5c

/* Make `count` pages of an object share one frame, from FIRST on. */
static void share_frame(struct mempool *pool, uint32_t row, uint32_t count)
{
    uint32_t have = 1, frame = 0;
    int err = store_page_add(pool->store, row, FIRST, &frame);

    assert_same(err, 0);
    memset(store_frame_ptr(pool->store, frame), FILL, STORE_FRAME_SIZE);
    while (have < count && err == 0) {
        uint32_t more = have < BATCH ? have : BATCH;

        more = more < count - have ? more : count - have;
        err = store_page_share(pool->store, row, FIRST + have, row, FIRST, more);
        have += more;
    }
    assert_same(err, 0);
}

/* Number of frames of these pages. Expects the content in each, and no frame in too many pages. */
static uint32_t count_frames(struct mempool *pool, uint32_t row, uint32_t first, uint32_t count)
{
    static uint16_t holders[4096];
    uint32_t frames = 0, wrong = 0;

    memset(holders, 0, sizeof(holders));
    for (uint32_t page = first; page < first + count; page++) {
        struct store_page at;
        const uint8_t *bytes;

        assert_same(store_page_get(pool->store, row, page, &at), 0);
        ck_assert(at.frame && at.frame < 4096);
        bytes = store_frame_ptr(pool->store, at.frame);
        wrong += bytes[0] != FILL || bytes[STORE_FRAME_SIZE - 1] != FILL;
        frames += holders[at.frame] == 0;
        wrong += ++holders[at.frame] > HOLDERS_MAX;
    }
    assert_same(wrong, 0);
    return frames;
}

static const uint32_t counts[] = { HOLDERS_MAX - 1, HOLDERS_MAX, HOLDERS_MAX + 1, 0x10000, 100000 };

START_TEST(test_saturated)
{
    uint32_t count = counts[_i], row, frame = 0;
    struct mempool pool;
    uint64_t empty, full;

    mempool_make(&pool, 4096, 0);
    row = mempool_object(&pool, NULL);
    share_frame(&pool, row, 100000); /* creates all leaves */
    assert_same(store_page_discard(pool.store, row, 1, TWZ_PAGE_META, STORE_ABSENT), 0);
    empty = mempool_free(&pool);
    share_frame(&pool, row, count);
    full = mempool_free(&pool);
    assert_same(count_frames(&pool, row, FIRST, count), empty - full);
    if (count <= HOLDERS_MAX + 1)
        assert_same(empty - full, count <= HOLDERS_MAX ? 1 : 2);
    mempool_clean(&pool);

    assert_same(store_page_break_cow(pool.store, row, FIRST, &frame), 0);
    memset(store_frame_ptr(pool.store, frame), 1, STORE_FRAME_SIZE);
    assert_same(mempool_free(&pool), full - 1);
    assert_same(count_frames(&pool, row, FIRST + 1, count - 1), empty - full);
    mempool_clean(&pool);

    assert_same(store_page_discard(pool.store, row, FIRST, 1, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), full);
    assert_same(store_page_discard(pool.store, row, FIRST + 3, count - 3, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), empty - 1);
    assert_same(count_frames(&pool, row, FIRST + 1, 2), 1);
    assert_same(store_page_discard(pool.store, row, FIRST + 2, 1, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), empty - 1);
    assert_same(store_page_break_cow(pool.store, row, FIRST + 1, &frame), 0);
    assert_same(mempool_free(&pool), empty - 1);
    assert_same(store_page_discard(pool.store, row, FIRST + 1, 1, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), empty);
    mempool_clean(&pool);
    mempool_end(&pool);
    assert_same(pool.allocated, 0);
}
END_TEST

static uint32_t frame_at(const struct mempool *pool, uint32_t row, uint32_t page)
{
    struct store_page at = { .page = page };

    assert_same(store_page_get(pool->store, row, page, &at), 0);
    return at.frame;
}

/* Make a frame that ten more words may share. Pages 600 .. 637 are this frame and others in turn.
 * */
static void nearly_saturate(struct mempool *pool, uint32_t a)
{
    uint32_t frame;

    share_frame(pool, a, HOLDERS_MAX - 29);
    for (uint32_t page = 600; page < 638; page += 2) {
        assert_same(store_page_share(pool->store, a, page, a, FIRST, 1), 0);
        assert_same(store_page_add(pool->store, a, page + 1, &frame), 0);
        memset(store_frame_ptr(pool->store, frame), FILL, STORE_FRAME_SIZE);
    }
}

/* The range has the frame 19 times: ten pages share it, nine share one copy. A call that fails
 * changes no count. */
START_TEST(test_saturated_in_a_range)
{
    struct mempool pool;
    uint32_t a, b, frame = 0;
    uint64_t before;

    mempool_make(&pool, 1024, 0);
    a = mempool_object(&pool, NULL);
    b = mempool_object(&pool, NULL);
    nearly_saturate(&pool, a);
    assert_same(store_page_add(pool.store, b, 660, &frame), 0);
    assert_same(store_page_add(pool.store, a, 638, &frame), 0);
    assert_same(store_page_poison(pool.store, a, 638), 0);
    before = mempool_free(&pool);
    assert_same(store_page_protect(pool.store, b, 660, 1, true), 0);
    assert_same(store_page_share(pool.store, b, 623, a, 600, 38), -TWZ_EDENIED);
    assert_same(store_page_share(pool.store, b, 600, a, 600, 39), -TWZ_EPOISON);
    assert_same(mempool_free(&pool), before);

    assert_same(store_page_share(pool.store, b, 600, a, 600, 38), 0);
    assert_same(mempool_free(&pool), before - 1);
    assert_same(count_frames(&pool, b, 600, 38), 21);
    assert_same(frame_at(&pool, b, 618), frame_at(&pool, a, FIRST));
    ck_assert(frame_at(&pool, b, 620) != frame_at(&pool, a, FIRST));
    assert_same(frame_at(&pool, b, 636), frame_at(&pool, b, 620));
    mempool_clean(&pool);
    assert_same(store_page_discard(pool.store, a, 1, TWZ_PAGE_META, STORE_ABSENT), 0);
    assert_same(count_frames(&pool, b, 600, 38), 21);
    assert_same(store_page_discard(pool.store, b, 600, 38, STORE_ABSENT), 0);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

/* A copy needs a frame. Without one the call fails and changes no count. */
START_TEST(test_saturated_in_a_full_pool)
{
    struct mempool pool;
    uint32_t a, b, frame = 0, last = 1;

    mempool_make(&pool, 256, 0);
    a = mempool_object(&pool, NULL);
    b = mempool_object(&pool, NULL);
    share_frame(&pool, a, HOLDERS_MAX - 4);
    assert_same(store_page_add(pool.store, b, 600, &frame), 0);
    while (mempool_free(&pool))
        assert_same(store_page_add(pool.store, b, last++, &frame), 0);
    assert_same(store_page_share(pool.store, b, 700, a, FIRST, 5), -TWZ_ENOSPC);
    assert_same(store_page_share(pool.store, b, 700, a, FIRST, 4), 0);
    assert_same(store_page_share(pool.store, b, 704, a, FIRST, 1), -TWZ_ENOSPC);
    assert_same(store_page_discard(pool.store, b, 1, 1, STORE_ABSENT), 0);
    assert_same(store_page_share(pool.store, b, 704, a, FIRST, 300), 0);
    assert_same(mempool_free(&pool), 0);
    assert_same(store_page_discard(pool.store, a, FIRST + 4, 4, STORE_ABSENT), 0);
    assert_same(store_page_share(pool.store, a, FIRST + 4, b, 702, 4), 0); /* two of each */
    mempool_clean(&pool);
    assert_same(store_page_discard(pool.store, a, 1, TWZ_PAGE_META, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), 0); /* b has both */
    assert_same(store_page_discard(pool.store, b, 701, 900, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), 1);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

/* The word of a page, found by its value. */
static uint64_t *word_of(const struct mempool *pool, const struct store_page *at, uint16_t salt)
{
    uint64_t *words = pool->env.base;
    uint64_t word =
        word_seal(word_body(at->state, at->flags, at->frame), salt, STORE_LOC_PAGE, at->page);

    while (*words != word)
        words++;
    return words;
}

/* More words share a frame than allowed: the object of the last one is damaged. */
START_TEST(test_forged_saturated)
{
    struct mempool pool;
    struct store_recovery recovery;
    struct store_page at;
    uint32_t row, frame = 0, found;
    uint64_t shared;
    uint16_t salt;
    objid_t id;

    mempool_make(&pool, 1024, 0);
    share_frame(&pool, mempool_object(&pool, NULL), HOLDERS_MAX - 2);
    row = mempool_object(&pool, &id);
    salt = word_salt_object(word_salt_pool(store_super_get(pool.store)->uuid), id);
    for (uint32_t page = 1; page < 4; page++) {
        assert_same(store_page_add(pool.store, row, page, &frame), 0);
        assert_same(store_page_get(pool.store, row, page, &at), 0);
        shared = word_body(STORE_SHARED, 0, frame_at(&pool, 0, FIRST));
        *word_of(&pool, &at, salt) = word_seal(shared, salt, STORE_LOC_PAGE, page);
        assert_same(mempool_check(&pool, true), page > 2);
        pool.report.what = "";
        assert_same(mempool_reopen(&pool, &recovery), 0);
        assert_same(recovery.damaged, page > 2);
        assert_same(store_lookup(pool.store, id, &found), page > 2 ? -TWZ_EDAMAGED : 0);
    }
    ck_assert_str_eq(pool.report.what, "frame is shared by too many words");
    assert_same(count_frames(&pool, 0, FIRST, HOLDERS_MAX - 2), 1);
    mempool_end(&pool);
}
END_TEST

static uint32_t state_of(const struct mempool *pool, uint32_t row, uint32_t page)
{
    struct store_page at;

    assert_same(store_page_get(pool->store, row, page, &at), 0);
    return at.state;
}

/* A frame that is lost while copy-on-write copies it: the page keeps the frame, POISONED, and the
 * copy is free again. */
START_TEST(test_lost_in_a_break)
{
    struct mempool pool;
    uint32_t a, b, frame = 0, lost;
    struct store_usage usage;
    uint64_t before;

    mempool_make(&pool, 256, 0);
    a = mempool_object(&pool, NULL);
    b = mempool_object(&pool, NULL);
    assert_same(store_page_add(pool.store, a, 1, &frame), 0);
    memset(store_frame_ptr(pool.store, frame), FILL, STORE_FRAME_SIZE);
    assert_same(store_page_share(pool.store, b, 1, a, 1, 1), 0);
    lost = frame;
    before = mempool_free(&pool);
    pool.lost_after = 0; /* an error before the copy is of no account */
    assert_same(store_page_break_cow(pool.store, b, 1, &frame), 0);
    assert_same(store_page_share(pool.store, b, 1, a, 1, 1), 0);
    pool.lost_after = 1;
    assert_same(store_page_break_cow(pool.store, b, 1, &frame), -TWZ_EPOISON);
    assert_same(state_of(&pool, b, 1), STORE_POISONED);
    assert_same(frame_at(&pool, b, 1), lost);
    assert_same(mempool_free(&pool), before);
    store_usage(pool.store, &usage);
    assert_same(usage.bad, 1);
    mempool_clean(&pool);
    assert_same(store_page_break_cow(pool.store, b, 1, &frame), -TWZ_EPOISON);
    mempool_end(&pool);
}
END_TEST

/* The same where a saturated frame is copied for two pages of a range. */
START_TEST(test_lost_in_a_saturated_share)
{
    struct mempool pool;
    uint32_t a, b;
    uint64_t before;

    mempool_make(&pool, 512, 0);
    a = mempool_object(&pool, NULL);
    b = mempool_object(&pool, NULL);
    share_frame(&pool, a, HOLDERS_MAX - 2);
    assert_same(store_page_share(pool.store, b, 700, a, FIRST, 1), 0); /* creates the leaf */
    before = mempool_free(&pool);
    pool.lost_after = 1;
    assert_same(store_page_share(pool.store, b, 600, a, FIRST, 3), 0);
    assert_same(state_of(&pool, b, 600), STORE_SHARED);
    assert_same(state_of(&pool, b, 601), STORE_POISONED);
    assert_same(state_of(&pool, b, 602), STORE_POISONED);
    assert_same(mempool_free(&pool), before - 1);
    mempool_clean(&pool);
    assert_same(store_page_discard(pool.store, b, 601, 2, STORE_ABSENT), 0);
    assert_same(mempool_free(&pool), before);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_saturated_in_a_range, test_saturated_in_a_full_pool,
                                   test_forged_saturated, test_lost_in_a_break,
                                   test_lost_in_a_saturated_share };
    SRunner *runner = units_runner("store-share", tests, sizeof(tests) / sizeof(tests[0]));

    units_loop(runner, test_saturated, sizeof(counts) / sizeof(counts[0]));
    return units_finish(runner);
}
