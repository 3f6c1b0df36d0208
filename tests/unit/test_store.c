/* SPDX-License-Identifier: MIT */
/* The operations of the store, and their effect after reopening. For power failures: tests/crash.
 * */
#include <stdlib.h>
#include <string.h>

#include <lib/crc32c.h>
#include <store/store.h>
#include <store/word.h>
#include <twz/error.h>

#include "mempool.h"
#include "units.h"

#define TOP_FOT (TWZ_PAGE_META - 1u)

static uint8_t *page_bytes(struct mempool *pool, uint32_t row, uint32_t page)
{
    struct store_page out;

    if (store_page_get(pool->store, row, page, &out) < 0 || !out.frame)
        return NULL;
    return store_frame_ptr(pool->store, out.frame);
}

START_TEST(test_objects)
{
    struct mempool pool;
    struct store_stat stat;
    struct store_update update = { .which = STORE_UPDATE_PERMS, .perms = TWZ_READ };
    objid_t id[40];
    uint32_t row[40], found;

    mempool_make(&pool, 128, 0);
    for (int i = 0; i < 40; i++)
        row[i] = mempool_object(&pool, &id[i]);
    assert_same(store_obj_update(pool.store, row[3], &update), 0);
    update.perms = TWZ_READ | TWZ_WRITE;
    assert_same(store_obj_update(pool.store, row[3], &update), -TWZ_EDENIED);
    assert_same(store_obj_revoke(pool.store, row[3], 9), 0);
    assert_same(store_obj_revoke(pool.store, row[3], 5), 0);
    mempool_clean(&pool);
    for (int i = 0; i < 40; i++) {
        assert_same(store_lookup(pool.store, id[i], &found), 0);
        assert_same(found, row[i]);
    }
    assert_same(store_obj_stat(pool.store, row[3], &stat), 0);
    assert_same(stat.perms, TWZ_READ);
    assert_same(stat.perms_id, TWZ_READ | TWZ_WRITE);
    assert_same(stat.revoke_epoch, 9);
    for (int i = 0; i < 40; i += 2) {
        assert_same(store_obj_delete(pool.store, row[i], NULL, NULL), 0);
        assert_same(store_obj_delete(pool.store, row[i], NULL, NULL), -TWZ_EDELETED);
        assert_same(store_lookup(pool.store, id[i], &found), -TWZ_EDELETED);
        assert_same(store_obj_release(pool.store, row[i]), 0);
        assert_same(store_lookup(pool.store, id[i], &found), -TWZ_ENOOBJ);
    }
    mempool_clean(&pool);
    for (int i = 0; i < 40; i++)
        assert_same(store_lookup(pool.store, id[i], &found), i % 2 ? 0 : -TWZ_ENOOBJ);
    assert_same(store_obj_delete(pool.store, row[0], NULL, NULL), -TWZ_ENOOBJ);
    assert_same(store_obj_delete(pool.store, 100000, NULL, NULL), -TWZ_EINVAL);
    mempool_end(&pool);
    assert_same(pool.allocated, 0);
}
END_TEST

/* Discard, hole, protect, poison. */
static void change_states(struct mempool *pool, uint32_t row)
{
    struct store_page at;
    uint32_t frame;

    assert_same(store_page_discard(pool->store, row, 13, 5000, STORE_ABSENT), 0);
    assert_same(store_page_discard(pool->store, row, 11, 4, STORE_HOLE), 0);
    assert_same(store_page_add(pool->store, row, 12, &frame), -TWZ_EFAULT);
    assert_same(store_page_discard(pool->store, row, 11, 4, STORE_ABSENT), 0);
    assert_same(store_page_protect(pool->store, row, 1, TWZ_PAGE_META, true), 0);
    assert_same(store_page_get(pool->store, row, 1, &at), 0);
    assert_same(at.flags, STORE_FLAG_READONLY);
    assert_same(store_page_poison(pool->store, row, 1), 0);
    assert_same(store_page_get(pool->store, row, 1, &at), 0);
    assert_same(at.state, STORE_POISONED);
    mempool_clean(pool);
}

START_TEST(test_pages)
{
    static const uint32_t pages[] = { 1,      12,     13,          511,     512,          5000,
                                      261600, 262138, TOP_FOT - 2, TOP_FOT, TWZ_PAGE_META };
    struct mempool pool;
    struct store_page at;
    uint32_t row, frame, n = sizeof(pages) / sizeof(pages[0]);
    uint64_t before;

    mempool_make(&pool, 128, 0);
    row = mempool_object(&pool, NULL);
    before = mempool_free(&pool);
    for (uint32_t i = 0; i < n; i++) {
        assert_same(store_page_add(pool.store, row, pages[i], &frame), 0);
        memset(store_frame_ptr(pool.store, frame), (int)i + 1, STORE_FRAME_SIZE);
        assert_same(store_page_add(pool.store, row, pages[i], &frame), -TWZ_EEXIST);
    }
    assert_same(store_page_add(pool.store, row, 0, &frame), -TWZ_ERANGE);
    assert_same(store_page_add(pool.store, row, TWZ_PAGE_RECORD, &frame), -TWZ_ERANGE);
    mempool_clean(&pool);
    for (uint32_t i = 0; i < n; i++)
        ck_assert(page_bytes(&pool, row, pages[i]) && *page_bytes(&pool, row, pages[i]) == i + 1);
    at.page = 0;
    for (uint32_t i = 0; i < n; i++, at.page++) {
        assert_same(store_page_next(pool.store, row, &at), 0);
        assert_same(at.page, pages[i]);
    }
    assert_same(store_page_next(pool.store, row, &at), -TWZ_ENOOBJ);
    change_states(&pool, row);
    assert_same(store_page_discard(pool.store, row, 1, TWZ_PAGE_META, STORE_ABSENT), -TWZ_EDENIED);
    assert_same(store_page_protect(pool.store, row, 1, TWZ_PAGE_META, false), 0);
    assert_same(store_page_discard(pool.store, row, 1, TWZ_PAGE_META, STORE_ABSENT), 0);
    assert_same(store_obj_delete(pool.store, row, NULL, NULL), 0);
    assert_same(store_obj_release(pool.store, row), 0);
    assert_same(mempool_free(&pool), before - 1); /* the poisoned frame */
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

/* Release frees the frames of an object batch by batch, and the row last. */
START_TEST(test_release_some)
{
    struct mempool pool;
    struct store_recovery recovery;
    uint32_t row, frame, calls = 0;
    uint64_t before;
    int more;

    mempool_make(&pool, 128, 0);
    row = mempool_object(&pool, NULL);
    before = mempool_free(&pool);
    for (uint32_t page = 1; page < 2000; page += 128)
        assert_same(store_page_add(pool.store, row, page, &frame), 0);
    assert_same(store_obj_release_some(pool.store, row, 1), -TWZ_EINVAL);
    assert_same(store_obj_delete(pool.store, row, NULL, NULL), 0);
    do {
        uint64_t had = mempool_free(&pool);

        more = store_obj_release_some(pool.store, row, calls % 3);
        ck_assert(mempool_free(&pool) > had);
        assert_same(mempool_check(&pool, false), 0);
        ck_assert((calls >= 4 && more) || mempool_object(&pool, NULL) != row || more == 0);
        calls++;
    } while (more > 0);
    assert_same(more, 0);
    ck_assert(calls >= 4);
    assert_same(mempool_free(&pool), before);
    assert_same(store_obj_release_some(pool.store, row, 1), -TWZ_EINVAL);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(mempool_free(&pool), before);
    mempool_end(&pool);
}
END_TEST

static uint8_t page_content[STORE_FRAME_SIZE];

static const void *fill_page(void *ctx, uint32_t page)
{
    (void)ctx;
    if (page % 3 == 0)
        return NULL;
    memset(page_content, (int)(page % 251), sizeof(page_content));
    return page_content;
}

START_TEST(test_many)
{
    struct mempool pool;
    uint32_t row;
    int wrong = 0;

    mempool_make(&pool, 4096, 0);
    row = mempool_object(&pool, NULL);
    assert_same(store_page_add_many(pool.store, row, 5, 1500, fill_page, NULL), 0);
    assert_same(store_page_add_many(pool.store, row, 1504, 3, fill_page, NULL), -TWZ_EEXIST);
    assert_same(store_page_add_many(pool.store, row, 1505, 20, fill_page, NULL), 0);
    mempool_clean(&pool);
    for (uint32_t page = 5; page < 1525; page++) {
        uint8_t *bytes = page_bytes(&pool, row, page);

        wrong += !bytes || bytes[4095] != (page % 3 ? page % 251 : 0);
    }
    assert_same(wrong, 0);
    assert_same(store_page_add_many(pool.store, row, 2000, 4000, NULL, NULL), -TWZ_ENOSPC);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

START_TEST(test_share)
{
    struct mempool pool;
    struct store_page page;
    uint32_t a, b, frame, first;
    uint64_t before;

    mempool_make(&pool, 256, 0);
    a = mempool_object(&pool, NULL);
    b = mempool_object(&pool, NULL);
    assert_same(store_page_add_many(pool.store, a, 10, 10, fill_page, NULL), 0);
    before = mempool_free(&pool);
    assert_same(store_page_share(pool.store, b, 20, a, 9, 12), 0);
    assert_same(mempool_free(&pool), before - 2);
    assert_same(store_page_get(pool.store, a, 10, &page), 0);
    assert_same(page.state, STORE_SHARED);
    first = page.frame;
    assert_same(store_page_get(pool.store, b, 21, &page), 0);
    assert_same(page.frame, first);
    mempool_clean(&pool);
    assert_same(store_page_break_cow(pool.store, b, 21, &frame), 0);
    ck_assert(frame != first);
    ck_assert(memcmp(store_frame_ptr(pool.store, frame), store_frame_ptr(pool.store, first),
                     STORE_FRAME_SIZE) == 0);
    assert_same(store_page_break_cow(pool.store, a, 10, &frame), 0);
    assert_same(frame, first);
    mempool_clean(&pool);
    assert_same(store_obj_delete(pool.store, a, NULL, NULL), 0);
    assert_same(store_obj_release(pool.store, a), 0);
    ck_assert(page_bytes(&pool, b, 22) && *page_bytes(&pool, b, 22) == 11);
    mempool_clean(&pool);
    assert_same(store_page_break_cow(pool.store, b, 22, &frame), 0);
    assert_same(store_page_break_cow(pool.store, b, 900, &frame), -TWZ_EINVAL);
    assert_same(store_page_share(pool.store, b, 21, b, 22, 3), -TWZ_EINVAL);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

START_TEST(test_full)
{
    struct mempool pool;
    struct store_create create = { .perms = TWZ_READ };
    uint32_t row, frame, page;
    objid_t id;
    int err;

    mempool_make(&pool, 64, 24);
    row = mempool_object(&pool, NULL);
    for (page = 1, err = 0; err == 0; page++)
        err = store_page_add(pool.store, row, page, &frame);
    assert_same(err, -TWZ_ENOSPC);
    assert_same(mempool_free(&pool), 0);
    for (err = 0; err == 0; create.nonce[0]++)
        err = store_obj_create(pool.store, &create, &row, &id);
    assert_same(err, -TWZ_ENOSPC);
    mempool_clean(&pool);
    assert_same(store_page_discard(pool.store, 0, 1, 30, STORE_ABSENT), 0);
    for (err = 0; err == 0; create.nonce[0]++)
        err = store_obj_create(pool.store, &create, &row, &id);
    assert_same(err, -TWZ_EFULL);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

static uint32_t deleted_count;
static void count_deleted(void *ctx, uint32_t row)
{
    (void)ctx;
    (void)row;
    deleted_count++;
}

START_TEST(test_ties)
{
    struct mempool pool;
    struct store_recovery recovery;
    uint32_t row[8];
    objid_t id[8];

    mempool_make(&pool, 128, 0);
    for (int i = 0; i < 8; i++)
        row[i] = mempool_object(&pool, &id[i]);
    for (int i = 1; i < 6; i++)
        assert_same(store_obj_tie(pool.store, row[i], id[(i - 1) / 2]), 0);
    assert_same(store_obj_tie(pool.store, row[0], id[5]), -TWZ_EINVAL);
    assert_same(store_obj_tie(pool.store, row[0], id[0]), -TWZ_EINVAL);
    assert_same(store_obj_tie(pool.store, row[5], TWZ_OBJID_NONE), 0);
    assert_same(store_obj_tie(pool.store, row[6], id[1]), 0);
    mempool_clean(&pool);
    assert_same(store_obj_delete(pool.store, row[0], count_deleted, NULL), 0);
    assert_same(deleted_count, 6);
    assert_same(store_obj_release(pool.store, row[0]), 0);
    assert_same(store_obj_release(pool.store, row[3]), 0);
    assert_same(store_obj_release(pool.store, row[5]), -TWZ_EINVAL);
    assert_same(mempool_check(&pool, false), 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.deleted, 4);
    assert_same(recovery.objects, 2);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

/* The word at 4096 + 80 of the root has the value `taken`. */
static void expect_witness_errors(struct mempool *pool, objid_t root, objid_t taken)
{
    struct store_create create = { .nonce = { 200 },
                                   .perms = TWZ_READ,
                                   .witness = root,
                                   .witness_off = 4096 + 80,
                                   .witness_value = taken.lo };
    uint32_t row;
    objid_t id;

    assert_same(store_obj_create(pool->store, &create, &row, &id), -TWZ_EEXIST);
    create.witness_off++;
    assert_same(store_obj_create(pool->store, &create, &row, &id), -TWZ_EINVAL);
}

START_TEST(test_provisional)
{
    struct mempool pool;
    struct store_recovery recovery;
    struct store_create create = { .perms = TWZ_READ, .witness_off = 4096 + 64 };
    uint32_t root, row[4], frame, found;
    objid_t root_id, id[4];
    uint64_t *words;

    mempool_make(&pool, 128, 0);
    root = mempool_object(&pool, &root_id);
    create.witness = root_id;
    for (uint64_t i = 0; i < 4; i++) {
        create.nonce[0] = 100 + i;
        create.witness_off += 8;
        if (i == 3) /* its witness is the second object, whose witness is the root */
            create.witness = id[1];
        assert_same(store_obj_create(pool.store, &create, &row[i], &id[i]), 0);
    }
    assert_same(store_page_add(pool.store, root, 1, &frame), 0);
    words = store_frame_ptr(pool.store, frame);
    words[10] = id[1].lo;
    assert_same(store_page_add(pool.store, row[1], 1, &frame), 0);
    words = store_frame_ptr(pool.store, frame);
    words[12] = id[3].lo;
    assert_same(store_obj_permanent(pool.store, row[2]), 0);
    assert_same(mempool_check(&pool, false), 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.retained, 2);
    assert_same(recovery.reclaimed, 1);
    assert_same(store_lookup(pool.store, id[0], &found), -TWZ_ENOOBJ);
    for (int i = 1; i < 4; i++)
        assert_same(store_lookup(pool.store, id[i], &found), 0);
    expect_witness_errors(&pool, root_id, id[1]);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

/* A witness's word on a shared page is read as any other; on a page without a frame it is 0. On a
 * page whose content is lost it is an error. */
START_TEST(test_witness_pages)
{
    struct mempool pool;
    struct store_recovery recovery;
    struct store_create create = { .nonce = { 300 }, .perms = TWZ_READ };
    uint32_t root, row, frame, found;
    uint64_t *words;
    objid_t id, next;

    mempool_make(&pool, 128, 0);
    root = mempool_object(&pool, &create.witness);
    assert_same(store_page_add(pool.store, root, 20, &frame), 0);
    create.witness_off = 20 * STORE_FRAME_SIZE + 8;
    assert_same(store_obj_create(pool.store, &create, &row, &id), 0);
    words = store_frame_ptr(pool.store, frame);
    words[1] = id.lo;
    assert_same(store_page_share(pool.store, root, 40, root, 20, 1), 0);
    create.nonce[0]++;
    create.witness_value = id.lo;
    assert_same(store_obj_create(pool.store, &create, &row, &next), -TWZ_EEXIST);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.retained, 1);
    assert_same(store_lookup(pool.store, id, &found), 0);

    assert_same(store_page_discard(pool.store, root, 20, 1, STORE_HOLE), 0);
    words = store_frame_ptr(pool.store, 0);
    create.witness_value = words[1]; /* the pool's first frame, which no page names */
    ck_assert(create.witness_value);
    assert_same(store_obj_create(pool.store, &create, &row, &next), 0);
    create.nonce[0]++;
    create.witness_off += 80 * STORE_FRAME_SIZE;
    assert_same(store_obj_create(pool.store, &create, &row, &next), 0);

    create.nonce[0]++;
    create.witness_off = 40 * STORE_FRAME_SIZE + 8;
    assert_same(store_page_poison(pool.store, root, 40), 0);
    assert_same(store_obj_create(pool.store, &create, &row, &next), -TWZ_EPOISON);
    mempool_end(&pool);
}
END_TEST

START_TEST(test_super)
{
    struct mempool pool;
    struct store_roots roots = { .names = { 1, 2 }, .init = { 3, 4 } };

    mempool_make(&pool, 64, 0);
    for (uint64_t i = 0; i < 5; i++) {
        roots.init.lo = i;
        assert_same(store_super_set(pool.store, &roots), 0);
        assert_same(store_mono_raise(pool.store, STORE_MONO_TIME, i * 10), 0);
    }
    assert_same(store_mono_raise(pool.store, STORE_MONO_TIME, 7), 0);
    assert_same(store_mono_raise(pool.store, STORE_MONO_TIME, STORE_MONO_MAX + 1), -TWZ_ERANGE);
    assert_same(store_mono_raise(pool.store, STORE_MONO_COUNT, 1), -TWZ_EINVAL);
    mempool_clean(&pool);
    assert_same(store_mono_get(pool.store, STORE_MONO_TIME), 40);
    assert_same(store_super_get(pool.store)->roots.init.lo, 4);
    assert_same(store_super_get(pool.store)->sequence, 6);
    assert_same(store_super_get(pool.store)->version, STORE_VERSION);
    mempool_end(&pool);
}
END_TEST

/* Every error of store_open. */
START_TEST(test_open_errors)
{
    struct mempool pool, other;
    struct store_report why;
    struct store *store;
    struct store_super *super;
    uint8_t *copy = malloc(64 * 4096);

    mempool_make(&pool, 64, 0);
    memcpy(copy, pool.env.base, 64 * 4096);
    mempool_env(&other, copy, 64 * 4096);
    other.env.size = 63 * 4096;
    assert_same(store_open(&other.env, &store, &why), -TWZ_ESHORT);
    assert_same(why.wanted, 64 * 4096);
    other.env.size = 65 * 4096;
    assert_same(store_open(&other.env, &store, &why), -TWZ_ERANGE);
    other.env.size = 100;
    assert_same(store_open(&other.env, &store, &why), -TWZ_ENOTPOOL);
    other.env.size = 64 * 4096;
    for (int i = 0; i < 2; i++) {
        super = (void *)(copy + i * 4096);
        super->label[0] ^= 1;
    }
    assert_same(store_open(&other.env, &store, &why), -TWZ_EDAMAGED);
    for (int i = 0; i < 2; i++) {
        super = (void *)(copy + i * 4096);
        super->version = STORE_VERSION + 1;
    }
    assert_same(store_open(&other.env, &store, &why), -TWZ_EVERSION);
    assert_same(why.found, STORE_VERSION + 1);
    memset(copy, 0x5a, 8192);
    assert_same(store_open(&other.env, &store, &why), -TWZ_ENOTPOOL);
    assert_same(other.allocated, 0);
    free(copy);
    mempool_end(&pool);
}
END_TEST

/* Open the largest pool with the largest table: the number of a row must fit in 32 bits. */
START_TEST(test_open_largest)
{
    static const uint64_t words[] = { STORE_CHUNKS_MAX, STORE_CHUNKS_MAX + 1, 1ull << 29,
                                      (1ull << 30) - 1, 1ull << 30 };
    struct store_usage usage;
    struct store_super *super;
    struct mempool pool;

    mempool_make(&pool, STORE_FRAMES_MAX, 64);
    store_close(pool.store);
    pool.store = NULL;
    super = pool.env.base;
    for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        uint32_t crc;
        int err;

        super->bad = 1ull << 20;
        super->dir[0] = 1ull << 28;
        super->dir[1] = 1ull << 29;
        super->dir_words = words[i];
        super->sequence++;
        crc = crc32c(0, super, offsetof(struct store_super, commit));
        super->commit = (uint64_t)crc | (uint64_t)~crc << 32;
        err = store_open(&pool.env, &pool.store, NULL);
        assert_same(err, i == 0 ? 0 : -TWZ_EDAMAGED);
        if (err < 0)
            continue;
        store_usage(pool.store, &usage);
        assert_same(usage.rows_max, 1ull << 31);
        store_close(pool.store);
        pool.store = NULL;
    }
    mempool_end(&pool);
    assert_same(pool.allocated, 0);
}
END_TEST

/* Each allocation of open and create in turn fails. */
START_TEST(test_no_memory)
{
    struct mempool pool;
    struct store_recovery recovery;
    struct store_create create = { .perms = TWZ_READ };
    uint32_t row;
    objid_t id;
    int err, rounds = 0;

    mempool_make(&pool, 512, 0);
    for (int i = 0; i < 20; i++)
        assert_same(store_obj_delete(pool.store, mempool_object(&pool, NULL), NULL, NULL), 0);
    store_close(pool.store);
    pool.store = NULL;
    do {
        pool.fail_after = rounds++;
        err = mempool_reopen(&pool, &recovery);
        ck_assert(err == 0 || (err == -TWZ_ENOMEM && pool.allocated == 0));
    } while (err < 0);
    ck_assert(rounds > 5);
    for (uint64_t i = 0; i < 300; i++) {
        create.nonce[0] = 1000 + i;
        pool.fail_after = 0;
        err = store_obj_create(pool.store, &create, &row, &id);
        pool.fail_after = -1;
        if (err == -TWZ_ENOMEM)
            err = store_obj_create(pool.store, &create, &row, &id);
        assert_same(err, 0);
    }
    mempool_clean(&pool);
    mempool_end(&pool);
    assert_same(pool.allocated, 0);
}
END_TEST

/* The published value, and parts against the whole. */
START_TEST(test_checksums)
{
    static const char digits[] = "123456789";
    uint32_t whole = crc32c(0, digits, 9);

    assert_same(whole, 0xe3069283);
    for (size_t cut = 0; cut <= 9; cut++)
        assert_same(crc32c(crc32c(0, digits, cut), digits + cut, 9 - cut), whole);
}
END_TEST

/* The check of a word, bit by bit as defined. */
static uint64_t slow_seal(uint64_t body, uint16_t salt, uint32_t loc, uint32_t index)
{
    uint8_t bytes[11];
    uint32_t crc = 0;

    memcpy(bytes, &body, 6);
    memcpy(bytes + 6, &index, 4);
    bytes[10] = (uint8_t)loc;
    for (uint32_t bit = 0; bit < 88; bit++) {
        uint32_t in = (uint32_t)(bytes[bit / 8] >> (7 - bit % 8) & 1);

        crc = (crc << 1) ^ (((crc >> 15 & 1) ^ in) ? 0x18bb7u : 0);
        crc &= 0xffffu;
    }
    return body | (uint64_t)(uint16_t)(crc ^ salt) << 48;
}

START_TEST(test_words)
{
    uint64_t state = 1;
    uint16_t low[STORE_NODE_WORDS];
    int wrong = 0;

    word_low_table(low);
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t body;

        state = state * 6364136223846793005ull + 1442695040888963407ull;
        body = STORE_WORD_BODY(state >> 7);
        wrong += word_seal(body, (uint16_t)i, i % 9, i * 77u) !=
                 slow_seal(body, (uint16_t)i, i % 9, i * 77u);
    }
    assert_same(wrong, 0);
    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++)
        wrong += word_absent_at(word_absent(9, STORE_LOC_PAGE, 4096), low, i) !=
                 word_absent(9, STORE_LOC_PAGE, 4096 + i);
    assert_same(wrong, 0);
    ck_assert(!word_is_valid(0, 0, STORE_LOC_PAGE, 0) || !word_is_sane(0, 100));
    ck_assert(!word_is_sane(~0ull, ~0ull));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_words,         test_checksums, test_objects,     test_pages,        test_release_some,
        test_many,          test_share,     test_full,        test_ties,         test_provisional,
        test_witness_pages, test_super,     test_open_errors, test_open_largest, test_no_memory,
    };

    return units_run("store", tests, sizeof(tests) / sizeof(tests[0]));
}
