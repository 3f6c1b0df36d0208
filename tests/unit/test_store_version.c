/* SPDX-License-Identifier: MIT */
/*
 * The format refuses unknown features and objects of a later version. The writer generation rises.
 * A frame on the bad-frame list is never free. An unnamed object stays only if it was made
 * permanent.
 */
#include <stdlib.h>
#include <string.h>

#include <lib/crc32c.h>
#include <store/inside.h>

#include "mempool.h"
#include "units.h"

#define FRAMES 96u

/* --- features and versions ----------------------------------------------------------------- */

/* Change both copies of the superblock, with valid checks. */
static void change_super(struct mempool *pool, void (*change)(struct store_super *super))
{
    if (pool->store)
        store_close(pool->store);
    pool->store = NULL;
    for (uint32_t copy = 0; copy < 2; copy++) {
        struct store_super *super =
            (void *)((uint8_t *)pool->env.base + (size_t)copy * STORE_FRAME_SIZE);
        uint32_t crc;

        change(super);
        crc = crc32c(0, super, offsetof(struct store_super, commit));
        super->commit = (uint64_t)crc | (uint64_t)~crc << 32;
    }
}

static void set_incompatible(struct store_super *super)
{
    super->incompatible = 1ull << 40;
}

static void set_readonly_compatible(struct store_super *super)
{
    super->readonly_compatible = 4;
}

static void set_compatible(struct store_super *super)
{
    super->compatible = 1;
    super->reserved[3] = 7;
}

static void set_version_1(struct store_super *super)
{
    super->version = 1;
}

static void set_layout(struct store_super *super)
{
    super->layout ^= 1;
}

static void expect_refused(void (*change)(struct store_super *super), const char *what,
                           uint64_t found)
{
    struct mempool pool;

    mempool_make(&pool, FRAMES, 0);
    change_super(&pool, change);
    pool.report.what = NULL;
    assert_same(store_open(&pool.env, &pool.store, &pool.report), -TWZ_EVERSION);
    pool.store = NULL;
    ck_assert_str_eq(pool.report.what, what);
    assert_same(pool.report.found, found);
    assert_same(mempool_check(&pool, true), -TWZ_EVERSION);
    assert_same(pool.allocated, 0);
    mempool_end(&pool);
}

START_TEST(test_refused_pools)
{
    expect_refused(set_version_1, "superblock: version", 1);
    expect_refused(set_layout, "superblock: layout", store_layout() ^ 1);
    expect_refused(set_incompatible, "superblock: unknown incompatible features", 1ull << 40);
}
END_TEST

START_TEST(test_readonly_compatible)
{
    struct mempool pool;
    struct store_recovery recovery;
    uint8_t *before = malloc(FRAMES * STORE_FRAME_SIZE);
    objid_t id;
    uint32_t row;

    mempool_make(&pool, FRAMES, 0);
    row = mempool_object(&pool, &id);
    change_super(&pool, set_readonly_compatible);
    memcpy(before, pool.env.base, FRAMES * STORE_FRAME_SIZE);
    assert_same(mempool_reopen(&pool, &recovery), -TWZ_EVERSION);
    assert_same(store_open(&pool.env, &pool.store, NULL), 0);
    assert_same(store_unknown_features(pool.store), 4);
    assert_same(store_recover_readonly(pool.store, &recovery), 0);
    assert_same(store_lookup(pool.store, id, &row), 0);
    assert_same(store_obj_revoke(pool.store, row, 5), -TWZ_EDENIED);
    assert_same(mempool_check(&pool, false), 0);
    assert_same(memcmp(before, pool.env.base, FRAMES * STORE_FRAME_SIZE), 0);
    free(before);
    mempool_end(&pool);
}
END_TEST

/* A compatible feature may use reserved bytes; a writer that does not know it keeps them. */
START_TEST(test_compatible)
{
    struct mempool pool;
    struct store_recovery recovery;
    struct store_roots roots = { .init = { 1, 2 } };

    mempool_make(&pool, FRAMES, 0);
    change_super(&pool, set_compatible);
    assert_same(mempool_check(&pool, false), 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(store_super_set(pool.store, &roots), 0);
    mempool_clean(&pool);
    assert_same(store_super_get(pool.store)->compatible, 1);
    assert_same(store_super_get(pool.store)->reserved[3], 7);
    mempool_end(&pool);
}
END_TEST

/* --- objects of a later version ------------------------------------------------------------ */

enum later { LATER_CLASS, LATER_FLAGS, LATER_KIND, LATER_PERSIST, LATER_PERMS, LATERS };

static void make_later(struct store *store, uint32_t row, enum later later, uint32_t state)
{
    struct cursor cursor;
    struct store_entry *entry;
    struct store_version *version;

    cursor_set(&cursor, store, row);
    entry = cursor.entry;
    version = &entry->version[0];
    ck_assert(entry_version(entry) == version);
    switch (later) {
    case LATER_CLASS: version->class_ = STORE_CLASSES; break;
    case LATER_FLAGS: version->flags = 0x80; break;
    case LATER_KIND: entry->identity.kind = 77; break;
    case LATER_PERSIST: version->persist = 9; break;
    default: version->perms_mask |= 1u << 31; break;
    }
    entry->commit =
        word_commit(state, 0, entry_crc(entry->id, &entry->identity, version), store->salt, row);
}

/* Its entry and its page, byte for byte. */
static void copy_object(struct store *store, uint32_t row, uint32_t frame, uint8_t *to)
{
    struct cursor cursor;

    cursor_set(&cursor, store, row);
    memcpy(to, cursor.entry, sizeof(*cursor.entry));
    memcpy(to + sizeof(*cursor.entry), store_frame_ptr(store, frame), STORE_FRAME_SIZE);
}

static void expect_object_refused(struct mempool *pool, objid_t id, uint32_t row)
{
    struct store_update update = { .which = STORE_UPDATE_PERSIST };
    struct store_stat stat;
    uint32_t frame;

    assert_same(store_lookup(pool->store, id, &row), -TWZ_EDAMAGED);
    assert_same(store_obj_info(pool->store, row, &stat), 0);
    ck_assert(stat.damaged && stat.later);
    assert_same(store_page_add(pool->store, row, 2, &frame), -TWZ_EDAMAGED);
    assert_same(store_page_discard(pool->store, row, 1, 1, STORE_ABSENT), -TWZ_EDAMAGED);
    assert_same(store_obj_update(pool->store, row, &update), -TWZ_EDAMAGED);
    assert_same(store_obj_permanent(pool->store, row), -TWZ_EDAMAGED);
    assert_same(store_obj_revoke(pool->store, row, 9), -TWZ_EDAMAGED);
    assert_same(store_obj_tie(pool->store, row, TWZ_OBJID_NONE), -TWZ_EDAMAGED);
    assert_same(store_obj_delete(pool->store, row, NULL, NULL), -TWZ_EVERSION);
    assert_same(store_obj_release(pool->store, row), -TWZ_EINVAL);
}

/* Each state of each kind of later object is refused, and is on the media as before. */
START_TEST(test_later_objects)
{
    enum later later = (enum later)(_i / 3);
    uint32_t state = STORE_PROVISIONAL + (uint32_t)_i % 3, row, frame;
    static uint8_t before[512 + STORE_FRAME_SIZE], after[512 + STORE_FRAME_SIZE];
    struct mempool pool;
    struct store_recovery recovery;
    objid_t id, other;

    mempool_make(&pool, FRAMES, 0);
    row = mempool_object(&pool, &id);
    assert_same(store_page_add(pool.store, row, 1, &frame), 0);
    (void)mempool_object(&pool, &other);
    make_later(pool.store, row, later, state);
    copy_object(pool.store, row, frame, before);
    ck_assert(mempool_check(&pool, true) > 0);
    for (int round = 0; round < 2; round++) {
        uint32_t found;

        assert_same(mempool_reopen(&pool, &recovery), 0);
        assert_same(recovery.damaged, 1);
        assert_same(recovery.deleted + recovery.reclaimed + recovery.retained, 0);
        ck_assert_ptr_nonnull(strstr(pool.report.what, "later version"));
        assert_same(store_lookup(pool.store, other, &found), 0);
        expect_object_refused(&pool, id, row);
        copy_object(pool.store, row, frame, after);
        assert_same(memcmp(before, after, sizeof(before)), 0);
    }
    mempool_end(&pool);
}
END_TEST

START_TEST(test_unknown_arguments)
{
    struct mempool pool;
    struct store_update update = { .which = STORE_UPDATE_CLASS, .class_ = STORE_CLASSES };
    const struct store_create wrong[] = {
        { .nonce = { 1, 2 }, .perms = 1u << 30 },
        { .nonce = { 1, 2 }, .perms = TWZ_READ, .kind = TWZ_KINDS },
        { .nonce = { 1, 2 }, .perms = TWZ_READ, .class_ = STORE_CLASSES },
        { .nonce = { 1, 2 }, .perms = TWZ_READ, .persist = TWZ_PERSIST_PERIODIC + 1 },
        { .nonce = { 1, 2 }, .perms = TWZ_READ, .unnamed = true, .witness = { 1, 1 } },
    };
    uint32_t row = STORE_NO_ROW;
    objid_t id;

    mempool_make(&pool, FRAMES, 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_same(store_obj_create(pool.store, &wrong[i], &row, &id), -TWZ_EINVAL);
    row = mempool_object(&pool, &id);
    assert_same(store_obj_update(pool.store, row, &update), -TWZ_EINVAL);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

/* --- the entry ----------------------------------------------------------------------------- */

START_TEST(test_attributes)
{
    struct mempool pool;
    struct store_create create = { .nonce = { 5, 6 },
                                   .perms = TWZ_READ,
                                   .account = { 1, 2 },
                                   .hash_tree = { 3, 4 },
                                   .revoke_epoch = 1000 };
    struct store_update update = { .which = STORE_UPDATE_ACCOUNT | STORE_UPDATE_TREE,
                                   .account = { 7, 8 } };
    struct store_stat stat;
    uint32_t row;
    objid_t id;

    mempool_make(&pool, FRAMES, 0);
    create.revoke_epoch = STORE_MONO_MAX + 1;
    assert_same(store_obj_create(pool.store, &create, &row, &id), -TWZ_ERANGE);
    create.revoke_epoch = 1000;
    assert_same(store_obj_create(pool.store, &create, &row, &id), 0);
    mempool_clean(&pool);
    assert_same(store_obj_info(pool.store, row, &stat), 0);
    assert_same(stat.account.lo, 1);
    assert_same(stat.account.hi, 2);
    assert_same(stat.hash_tree.hi, 4);
    assert_same(stat.revoke_epoch, 1000);
    assert_same(store_obj_update(pool.store, row, &update), 0);
    mempool_clean(&pool);
    assert_same(store_obj_info(pool.store, row, &stat), 0);
    assert_same(stat.account.hi, 8);
    ck_assert(objid_is_none(stat.hash_tree));
    mempool_end(&pool);
}
END_TEST

/* Recovery frees an unnamed object that was not made permanent, also where words are damaged. */
START_TEST(test_unnamed)
{
    struct mempool pool;
    struct store_create create = { .nonce = { 5, 6 }, .perms = TWZ_READ, .unnamed = true };
    struct store_recovery recovery;
    struct cursor cursor;
    uint32_t row[3], frame;
    objid_t id[3];

    mempool_make(&pool, FRAMES, 0);
    for (uint32_t i = 0; i < 3; i++) {
        create.nonce[0] = i;
        assert_same(store_obj_create(pool.store, &create, &row[i], &id[i]), 0);
        assert_same(store_page_add(pool.store, row[i], 1, &frame), 0);
    }
    assert_same(store_obj_permanent(pool.store, row[1]), 0);
    cursor_set(&cursor, pool.store, row[2]);
    cursor.entry->direct[5] ^= 1;
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.reclaimed, 2);
    assert_same(store_lookup(pool.store, id[0], &row[0]), -TWZ_ENOOBJ);
    assert_same(store_lookup(pool.store, id[1], &row[1]), 0);
    assert_same(store_lookup(pool.store, id[2], &row[2]), -TWZ_ENOOBJ);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

/* --- the writer generation ----------------------------------------------------------------- */

START_TEST(test_writer_generation)
{
    struct mempool pool;
    struct store_recovery recovery;

    mempool_make(&pool, FRAMES, 0);
    assert_same(store_mono_get(pool.store, STORE_MONO_WRITER), 1);
    for (uint64_t i = 2; i < 5; i++) {
        assert_same(mempool_reopen(&pool, &recovery), 0);
        assert_same(store_mono_get(pool.store, STORE_MONO_WRITER), i);
    }
    assert_same(store_mono_get(pool.store, STORE_MONO_RESUME), 0);
    /* A reader, and a writer of a private copy, do not raise it. */
    store_close(pool.store);
    assert_same(store_open(&pool.env, &pool.store, NULL), 0);
    assert_same(store_recover_readonly(pool.store, &recovery), 0);
    assert_same(store_mono_get(pool.store, STORE_MONO_WRITER), 4);
    pool.env.scratch = true;
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(store_mono_get(pool.store, STORE_MONO_WRITER), 4);
    pool.env.scratch = false;
    /* One copy is lost: the other one counts. At the end of its range there is no writer. */
    *mono_word(pool.store, 0, STORE_MONO_WRITER) = 0;
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(store_mono_get(pool.store, STORE_MONO_WRITER), 5);
    assert_same(store_mono_raise(pool.store, STORE_MONO_WRITER, STORE_MONO_MAX), 0);
    assert_same(mempool_reopen(&pool, &recovery), -TWZ_ERANGE);
    mempool_end(&pool);
}
END_TEST

/* --- the bad-frame list -------------------------------------------------------------------- */

/* Fill the pool with pages of new objects. True if one of them got the frame. */
static bool is_allocated(struct mempool *pool, uint32_t wanted)
{
    bool got = false;
    uint32_t row = mempool_object(pool, NULL), frame;

    for (uint32_t page = 1; store_page_add(pool->store, row, page, &frame) == 0; page++)
        got |= frame == wanted;
    assert_same(store_page_discard(pool->store, row, 1, 4000, STORE_ABSENT), 0);
    return got;
}

static uint64_t count_bad(const struct mempool *pool)
{
    struct store_usage usage;

    store_usage(pool->store, &usage);
    return usage.bad;
}

/* A poisoned frame stays taken after its page is discarded, replaced or gone with its object. */
START_TEST(test_poisoned_frame)
{
    struct mempool pool;
    uint32_t row, frame[3];

    mempool_make(&pool, FRAMES, 0);
    row = mempool_object(&pool, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        assert_same(store_page_add(pool.store, row, i + 1, &frame[i]), 0);
        assert_same(store_page_poison(pool.store, row, i + 1), 0);
        assert_same(store_page_poison(pool.store, row, i + 1), -TWZ_EINVAL);
    }
    assert_same(store_page_discard(pool.store, row, 1, 1, STORE_ABSENT), 0);
    assert_same(store_page_discard(pool.store, row, 2, 1, STORE_HOLE), 0);
    assert_same(count_bad(&pool), 3);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3; i++)
            ck_assert(!is_allocated(&pool, frame[i]));
        mempool_clean(&pool);
        assert_same(count_bad(&pool), 3);
    }
    assert_same(store_obj_delete(pool.store, row, NULL, NULL), 0);
    assert_same(store_obj_release(pool.store, row), 0);
    for (int round = 0; round < 2; round++) {
        ck_assert(!is_allocated(&pool, frame[2]));
        mempool_clean(&pool);
    }
    assert_same(count_bad(&pool), 3);
    mempool_end(&pool);
}
END_TEST

/* A frame that several pages share enters the list once; the others keep their words. */
START_TEST(test_poisoned_shared_frame)
{
    struct mempool pool;
    struct store_page page;
    uint32_t a, b, frame;

    mempool_make(&pool, FRAMES, 0);
    a = mempool_object(&pool, NULL);
    b = mempool_object(&pool, NULL);
    assert_same(store_page_add(pool.store, a, 1, &frame), 0);
    assert_same(store_page_share(pool.store, b, 1, a, 1, 1), 0);
    assert_same(store_page_poison(pool.store, a, 1), 0);
    assert_same(store_page_discard(pool.store, a, 1, 1, STORE_ABSENT), 0);
    mempool_clean(&pool);
    assert_same(store_page_get(pool.store, b, 1, &page), 0);
    assert_same(page.state, STORE_SHARED);
    assert_same(store_page_poison(pool.store, b, 1), 0);
    assert_same(store_page_discard(pool.store, b, 1, 1, STORE_ABSENT), 0);
    assert_same(count_bad(&pool), 1);
    ck_assert(!is_allocated(&pool, frame));
    mempool_clean(&pool);
    assert_same(count_bad(&pool), 1);
    mempool_end(&pool);
}
END_TEST

/* Poison pages from `first` on, and discard them. */
static void lose_pages(struct mempool *pool, uint32_t row, uint32_t first, uint32_t count)
{
    for (uint32_t page = first; page < first + count; page++)
        assert_same(store_page_poison(pool->store, row, page), 0);
    assert_same(store_page_discard(pool->store, row, first, count, STORE_ABSENT), 0);
}

/* Add pages from `first` on until the pool is full. Returns the page after the last one. */
static uint32_t fill_pool(struct mempool *pool, uint32_t row, uint32_t first)
{
    uint32_t frame;

    while (store_page_add(pool->store, row, first, &frame) == 0)
        first++;
    return first;
}

/* The list grows beyond a frame. */
START_TEST(test_bad_list_grows)
{
    struct mempool pool;
    const uint32_t many = 2 * STORE_NODE_WORDS + 10;
    uint64_t before;
    uint32_t row;

    mempool_make(&pool, 2048, 0);
    row = mempool_object(&pool, NULL);
    assert_same(store_page_add_many(pool.store, row, 1, many, NULL, NULL), 0);
    lose_pages(&pool, row, 1, many);
    before = mempool_free(&pool);
    mempool_clean(&pool);
    assert_same(count_bad(&pool), many);
    assert_same(mempool_free(&pool), before);
    mempool_end(&pool);
}
END_TEST

/* One frame is promised to the list, so that it grows in a full pool, too. Without one, the page
 * alone keeps the mark. */
START_TEST(test_bad_list_in_a_full_pool)
{
    struct mempool pool;
    const uint32_t each = STORE_NODE_WORDS - 1;
    struct store_page at;
    uint32_t row, end;

    mempool_make(&pool, 2048, 0);
    row = mempool_object(&pool, NULL);
    assert_same(store_page_add_many(pool.store, row, 1, each, NULL, NULL), 0);
    lose_pages(&pool, row, 1, each); /* the first frame of the list is full */
    end = fill_pool(&pool, row, 1);
    assert_same(mempool_free(&pool), 0);
    mempool_clean(&pool);
    for (uint32_t page = 1; page <= each; page++)
        assert_same(store_page_poison(pool.store, row, page), 0);
    mempool_clean(&pool);
    assert_same(count_bad(&pool), 2 * each);

    assert_same(store_page_poison(pool.store, row, end - 1), 0);
    assert_same(count_bad(&pool), 2 * each);
    mempool_clean(&pool);
    assert_same(store_page_get(pool.store, row, end - 1, &at), 0);
    assert_same(at.state, STORE_POISONED);

    /* A frame that is free again is promised to the list. */
    assert_same(store_page_discard(pool.store, row, end - 2, 1, STORE_ABSENT), 0);
    assert_same(store_page_poison(pool.store, row, end - 3), 0);
    assert_same(count_bad(&pool), 2 * each + 1);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

/* A list with lost words, a lost link or a circle costs no object and does not end the walk. */
START_TEST(test_bad_list_damage)
{
    struct mempool pool;
    struct store_recovery recovery;
    uint32_t row, frame;
    uint64_t *words;
    objid_t id;

    mempool_make(&pool, FRAMES, 0);
    row = mempool_object(&pool, &id);
    assert_same(store_page_add_many(pool.store, row, 1, 3, NULL, NULL), 0);
    for (uint32_t page = 1; page <= 3; page++)
        assert_same(store_page_poison(pool.store, row, page), 0);
    words = store_frame_ptr(pool.store, pool.store->bad_frame);
    words[2] = 0;
    ck_assert(mempool_check(&pool, true) > 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(count_bad(&pool), 2);
    words[0] = word_seal(word_body(STORE_NODE, 0, pool.store->bad_frame), pool.store->salt,
                         STORE_LOC_BAD, 0);
    ck_assert(mempool_check(&pool, true) > 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    words[0] = ~0ull;
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.damaged, 0);
    assert_same(store_lookup(pool.store, id, &row), 0);
    assert_same(store_page_add(pool.store, row, 9, &frame), 0);
    assert_same(store_page_poison(pool.store, row, 9), 0);
    assert_same(count_bad(&pool), 3);
    mempool_end(&pool);
}
END_TEST

/* A provisional object stays if its name was durable and the page of the name is poisoned. */
START_TEST(test_poisoned_witness)
{
    struct mempool pool;
    struct store_create create = { .nonce = { 5, 6 }, .perms = TWZ_READ, .witness_off = 4096 };
    struct store_recovery recovery;
    uint32_t names, row, frame;
    uint64_t *words;
    objid_t id;

    mempool_make(&pool, FRAMES, 0);
    names = mempool_object(&pool, &create.witness);
    assert_same(store_page_add(pool.store, names, 1, &frame), 0);
    assert_same(store_obj_create(pool.store, &create, &row, &id), 0);
    words = store_frame_ptr(pool.store, frame);
    words[0] = id.lo;
    assert_same(store_page_poison(pool.store, names, 1), 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.retained, 1);
    assert_same(store_lookup(pool.store, id, &row), 0);
    /* A word that cannot be read cannot commit a new object. */
    create.nonce[0]++;
    assert_same(store_obj_create(pool.store, &create, &row, &id), -TWZ_EPOISON);
    mempool_clean(&pool);
    mempool_end(&pool);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_refused_pools,           test_readonly_compatible, test_compatible,
        test_unknown_arguments,       test_attributes,          test_unnamed,
        test_writer_generation,       test_poisoned_frame,      test_poisoned_shared_frame,
        test_bad_list_grows,          test_bad_list_damage,     test_poisoned_witness,
        test_bad_list_in_a_full_pool,
    };
    SRunner *runner = units_runner("store-version", tests, sizeof(tests) / sizeof(tests[0]));

    units_loop(runner, test_later_objects, LATERS * 3);
    return units_finish(runner);
}
