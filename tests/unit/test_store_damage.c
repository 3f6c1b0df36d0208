/* SPDX-License-Identifier: MIT */
/*
 * Corrupt and hostile pools. The test damages each line of metadata in a pool: flips a bit, zeroes
 * the line, sets it to ones, or restores it from an earlier state. The store must refuse the pool
 * with a report, or repair the damage, or report the one object that owns the line. All other
 * objects must be unchanged. Forged words with valid checks must not crash the store.
 */
#include <stdlib.h>
#include <string.h>

#include <lib/crc32c.h>
#include <store/store.h>
#include <store/word.h>
#include <twz/error.h>

#include "mempool.h"
#include "units.h"

#define FRAMES  96u
#define BYTES   (FRAMES * STORE_FRAME_SIZE)
#define LINE    64u
#define OBJECTS 12u

enum damage { FLIP, ZERO, ONES, STALE, DAMAGES };

struct fixture {
    struct mempool pool;
    uint8_t *good;
    uint8_t *stale; /* the pool in an earlier state */
    objid_t id[OBJECTS];
    uint32_t pages[OBJECTS];
    bool meta[FRAMES]; /* the frame is metadata */
};

static struct fixture fix;

static const void *pattern(void *ctx, uint32_t page)
{
    static uint8_t bytes[STORE_FRAME_SIZE];

    (void)ctx;
    memset(bytes, (int)(page % 250 + 1), sizeof(bytes));
    return bytes;
}

static void expect_success(int err)
{
    if (err < 0) {
        printf("fixture: error %d\n0 passed, 1 failed\n", err);
        exit(1);
    }
}

static void count_pages(void)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        struct store_stat stat;
        uint32_t row;

        expect_success(store_lookup(fix.pool.store, fix.id[i], &row));
        expect_success(store_obj_stat(fix.pool.store, row, &stat));
        fix.pages[i] = (uint32_t)stat.pages;
    }
}

/* All frames but those filled with one pattern byte are metadata. */
static void find_meta(void)
{
    for (uint32_t f = 0; f < FRAMES; f++) {
        const uint8_t *bytes = fix.good + (size_t)f * STORE_FRAME_SIZE;
        bool one = bytes[0] != 0;

        for (uint32_t i = 1; i < STORE_FRAME_SIZE && one; i++)
            one = bytes[i] == bytes[0];
        fix.meta[f] = !one;
    }
}

/* Make a pool with metadata of every kind, and copies of it. */
static void build_pool(void)
{
    struct store_roots roots = { .init = { 5, 6 } };
    struct mempool *pool = &fix.pool;
    uint32_t row[OBJECTS];

    mempool_make(pool, FRAMES, 0);
    fix.good = malloc(BYTES);
    fix.stale = malloc(BYTES);
    for (uint32_t i = 0; i < OBJECTS; i++)
        row[i] = mempool_object(pool, &fix.id[i]);
    expect_success(store_page_add_many(pool->store, row[0], 1, 20, pattern, NULL));
    memcpy(fix.stale, pool->env.base, BYTES);
    expect_success(store_page_add_many(pool->store, row[1], 2000, 5, pattern, NULL));
    expect_success(store_page_add_many(pool->store, row[0], 600, 3, pattern, NULL));
    expect_success(store_page_share(pool->store, row[2], 1, row[0], 1, 6));
    expect_success(store_obj_tie(pool->store, row[3], fix.id[2]));
    expect_success(store_obj_revoke(pool->store, row[4], 77));
    expect_success(store_super_set(pool->store, &roots));
    expect_success(store_mono_raise(pool->store, STORE_MONO_TIME, 1234));
    count_pages();
    memcpy(fix.good, pool->env.base, BYTES);
    find_meta();
    store_close(pool->store);
    pool->store = NULL;
}

static bool damage_line(uint8_t *line, const uint8_t *stale, enum damage damage, uint32_t seed)
{
    uint8_t before[LINE];

    memcpy(before, line, LINE);
    if (damage == FLIP)
        line[seed % LINE] ^= (uint8_t)(1u << seed / LINE % 8);
    else if (damage == STALE)
        memcpy(line, stale, LINE);
    else
        memset(line, damage == ZERO ? 0 : 0xff, LINE);
    return memcmp(before, line, LINE) != 0;
}

static bool is_content_ok(struct store *store, uint32_t row)
{
    struct store_page page = { 0 };
    int err;

    for (; (err = store_page_next(store, row, &page)) == 0; page.page++) {
        const uint8_t *bytes;

        if (!page.frame)
            continue;
        bytes = store_frame_ptr(store, page.frame);
        if (bytes[0] == 0 || bytes[0] != bytes[STORE_FRAME_SIZE - 1])
            return false;
    }
    return err == -TWZ_ENOOBJ;
}

static bool is_object_ok(struct store *store, uint32_t i)
{
    struct store_stat stat;
    uint32_t row;

    return store_lookup(store, fix.id[i], &row) == 0 && is_content_ok(store, row) &&
           store_obj_stat(store, row, &stat) == 0 && stat.pages == fix.pages[i];
}

/* Number of objects that are not as before. */
static uint32_t count_changed(struct store *store)
{
    uint32_t changed = 0;

    for (uint32_t i = 0; i < OBJECTS; i++)
        changed += !is_object_ok(store, i);
    return changed;
}

/* Use and delete every object. Errors are allowed, crashes are not. */
static void use_everything(struct store *store)
{
    struct store_create create = { .nonce = { ~0ull, 3 }, .perms = TWZ_READ };
    uint32_t row, frame;
    objid_t id;

    for (row = 0; store_obj_next(store, &row) == 0; row++) {
        (void)!store_page_add(store, row, 3000, &frame);
        (void)!store_page_break_cow(store, row, 1, &frame);
        (void)!store_page_discard(store, row, 1, TWZ_PAGE_META, STORE_ABSENT);
        (void)!store_obj_delete(store, row, NULL, NULL);
        (void)!store_obj_release(store, row);
    }
    (void)!store_obj_create(store, &create, &row, &id);
}

struct count {
    unsigned cases;
    unsigned refused;
    unsigned repaired;
    unsigned bounded;
    unsigned older;  /* one object reads as in an earlier state */
    unsigned unused; /* the line holds no data */
    unsigned wide;   /* several objects changed, or the damage was not detected */
};

/* Reopen the damaged pool and count the result. */
static void count_result(struct count *count, struct store_recovery *recovery, enum damage damage)
{
    struct mempool *pool = &fix.pool;
    bool found = mempool_check(pool, true) > 0;
    int err = mempool_reopen(pool, recovery);
    uint32_t changed;

    count->cases++;
    if (err < 0) {
        count->refused += pool->report.what != NULL;
        return;
    }
    changed = count_changed(pool->store);
    if (changed > 1)
        count->wide++;
    else if (recovery->damaged || pool->reports || found)
        count->bounded++;
    else if (changed == 1)
        *(damage == STALE ? &count->older : &count->wide) += 1;
    else
        *(recovery->mirrors ? &count->repaired : &count->unused) += 1;
    use_everything(pool->store);
    (void)!mempool_check(pool, true);
    store_close(pool->store);
    pool->store = NULL;
}

START_TEST(test_lines)
{
    enum damage damage = (enum damage)_i;
    static const char *const names[] = { "flipped", "zeroed", "ones", "stale" };
    struct count count = { 0 };
    uint8_t *base = fix.pool.env.base;

    for (uint32_t line = 0; line < BYTES / LINE; line++) {
        struct store_recovery recovery;

        if (!fix.meta[line / (STORE_FRAME_SIZE / LINE)])
            continue;
        memcpy(base, fix.good, BYTES);
        if (!damage_line(base + line * LINE, fix.stale + line * LINE, damage, line * 7919))
            continue;
        fix.pool.reports = 0;
        fix.pool.report.what = NULL;
        count_result(&count, &recovery, damage);
    }
    printf("lines %s: %u, refused %u, repaired %u, one object damaged %u, one object older %u, "
           "unused %u\n",
           names[damage], count.cases, count.refused, count.repaired, count.bounded, count.older,
           count.unused);
    assert_same(count.wide, 0);
    assert_same(count.refused, 0);
    ck_assert(count.repaired > 0);
    ck_assert(damage == STALE || count.bounded > 0);
    assert_same(fix.pool.allocated, 0);
}
END_TEST

/* --- forged words: valid checks, wrong bodies ---------------------------------------------- */

static struct store_entry *entry_at(uint32_t row)
{
    const struct store_super *super = fix.pool.env.base;
    const uint8_t *base = fix.pool.env.base;
    const uint64_t *dir = (const void *)(base + super->dir[0] * STORE_FRAME_SIZE);
    uint64_t word = dir[row / STORE_CHUNK_ENTRIES];

    return (struct store_entry *)(void *)(uintptr_t)(base + (size_t)STORE_WORD_FRAME(word) *
                                                                STORE_FRAME_SIZE) +
           row % STORE_CHUNK_ENTRIES;
}

START_TEST(test_forged)
{
    uint8_t *base = fix.pool.env.base;
    const struct store_super *super = (const void *)base;
    uint16_t pool_salt = word_salt_pool(super->uuid);
    unsigned found = 0, cases = 0;

    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t dice = i * 2654435761u;
        uint32_t row = dice % OBJECTS;
        uint32_t frame = (dice >> 8) % (FRAMES + 8), state = (dice >> 16) % 16;
        struct store_entry *entry;
        struct store_recovery recovery;
        uint16_t salt;

        memcpy(base, fix.good, BYTES);
        entry = entry_at(row);
        salt = word_salt_object(pool_salt, entry->id);
        if (dice >> 24 & 1)
            entry->tree = word_seal(word_body(state, 0, frame), salt, STORE_LOC_TREE, 0);
        else
            entry->direct[dice >> 20 & 7] =
                word_seal(word_body(state, 0, frame), salt, STORE_LOC_PAGE, 1 + (dice >> 20 & 7));
        cases++;
        found += mempool_check(&fix.pool, true) > 0;
        if (mempool_reopen(&fix.pool, &recovery) < 0)
            continue;
        use_everything(fix.pool.store);
        store_close(fix.pool.store);
        fix.pool.store = NULL;
    }
    printf("forged words: %u, %u found by the check\n", cases, found);
    ck_assert(found > cases * 3 / 4);
    assert_same(fix.pool.allocated, 0);
}
END_TEST

/* Seal an entry after a change of its current version. */
static void seal_entry(struct store_entry *entry, uint32_t row, uint16_t pool_salt)
{
    uint32_t sequence = STORE_COMMIT_SEQ(entry->commit);
    const struct store_version *version = &entry->version[sequence & 1u];
    uint32_t crc = crc32c(0, &entry->id, sizeof(entry->id));

    crc = crc32c(crc, &entry->identity, sizeof(entry->identity));
    crc = crc32c(crc, version, sizeof(*version));
    entry->commit = word_commit(STORE_COMMIT_STATE(entry->commit), sequence, crc, pool_salt, row);
}

#define CIRCLE 200u

/* A chain of ties of any length is clean. One that is forged into a circle is reported once, and
 * its objects can be deleted. */
START_TEST(test_forged_circle)
{
    struct mempool pool;
    struct store_recovery recovery;
    struct store_entry *first;
    objid_t id[CIRCLE];
    uint32_t row[CIRCLE];
    const uint64_t *dir;

    mempool_make(&pool, 256, 0);
    for (uint32_t i = 0; i < CIRCLE; i++) {
        struct store_create create = { .nonce = { i + 1, 5 }, .perms = TWZ_READ };

        if (i > 0)
            create.tie_parent = id[i - 1];
        assert_same(store_obj_create(pool.store, &create, &row[i], &id[i]), 0);
    }
    assert_same(mempool_check(&pool, false), 0);
    dir = (const void *)((uint8_t *)pool.env.base +
                         store_super_get(pool.store)->dir[0] * STORE_FRAME_SIZE);
    first = store_frame_ptr(pool.store, STORE_WORD_FRAME(dir[0]));
    first[0].version[0].tie_parent = id[CIRCLE - 1];
    seal_entry(&first[0], 0, word_salt_pool(store_super_get(pool.store)->uuid));
    assert_same(mempool_check(&pool, true), 1);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.damaged, 0);
    assert_same(store_obj_delete(pool.store, row[7], NULL, NULL), 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.objects, 0);
    mempool_end(&pool);
}
END_TEST

static void seal_super(struct store_super *super)
{
    uint32_t crc = crc32c(0, super, offsetof(struct store_super, commit));

    super->commit = (uint64_t)crc | (uint64_t)~crc << 32;
}

/* Superblocks with valid checks and arbitrary numbers. */
START_TEST(test_forged_super)
{
    static const uint64_t numbers[] = { 0,  1,    2,          3,          95,         96,
                                        97, 1024, 1ull << 30, 1ull << 32, ~0ull >> 1, ~0ull };
    uint32_t n = sizeof(numbers) / sizeof(numbers[0]);
    uint8_t *base = fix.pool.env.base;
    unsigned refused = 0;

    for (uint32_t field = 0; field < 6; field++)
        for (uint32_t i = 0; i < n; i++) {
            struct store_super *super = (void *)base;
            struct store_report why;
            struct store_recovery recovery;
            uint64_t *at[] = { &super->frames, &super->mono[0], &super->mono[1],
                               &super->dir[0], &super->dir[1],  &super->dir_words };

            memcpy(base, fix.good, BYTES);
            if (*at[field] == numbers[i])
                continue;
            *at[field] = numbers[i];
            super->sequence += 10;
            seal_super(super);
            if (store_open(&fix.pool.env, &fix.pool.store, &why) < 0) {
                fix.pool.store = NULL;
                refused++;
                ck_assert_ptr_nonnull(why.what);
                continue;
            }
            if (store_recover(fix.pool.store, &recovery) == 0)
                use_everything(fix.pool.store);
            else
                refused++;
            store_close(fix.pool.store);
            fix.pool.store = NULL;
        }
    printf("forged superblocks: %u refused\n", refused);
    ck_assert(refused > 50);
    assert_same(fix.pool.allocated, 0);
}
END_TEST

#define LARGE (10ull << 18) /* frames */

/* Large tables in a pool with space for their directories. */
START_TEST(test_forged_super_large)
{
    static const uint64_t numbers[] = { 1ull << 21, LARGE - 1,        LARGE,      LARGE + 1,
                                        1ull << 28, (1ull << 29) - 1, 1ull << 29, (1ull << 29) + 1,
                                        1ull << 30, (1ull << 32) + 8, 1ull << 61, ~0ull };
    uint32_t n = sizeof(numbers) / sizeof(numbers[0]), opened = 0;
    struct store_super *super, good;
    struct mempool pool;
    uint8_t *base;

    mempool_make(&pool, LARGE, 4096);
    (void)mempool_object(&pool, NULL);
    store_close(pool.store);
    base = pool.env.base;
    super = pool.env.base;
    good = *super;
    memcpy(base + (1ull << 30), base + good.dir[0] * STORE_FRAME_SIZE, STORE_FRAME_SIZE);
    for (uint32_t i = 0; i < n; i++) {
        struct store_recovery recovery;

        *super = good;
        super->dir[0] = 1u << 18;
        super->dir[1] = super->dir[0] + (1u << 20);
        super->dir_words = numbers[i];
        super->sequence += 10 + i;
        seal_super(super);
        if (store_open(&pool.env, &pool.store, NULL) < 0)
            continue;
        opened++;
        if (store_recover_readonly(pool.store, &recovery) == 0)
            use_everything(pool.store);
        store_close(pool.store);
    }
    assert_same(opened, 3); /* no more chunks than frames */
    pool.store = NULL;
    assert_same(pool.allocated, 0);
    mempool_end(&pool);
}
END_TEST

/* Random bytes after a correct superblock. */
START_TEST(test_noise)
{
    uint8_t *base = fix.pool.env.base;
    uint64_t state = 88172645463325252ull;

    for (uint32_t round = 0; round < 300; round++) {
        struct store_recovery recovery;

        memcpy(base, fix.good, BYTES);
        for (uint32_t hits = round % 40 + 1; hits; hits--) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            base[8192 + state % (BYTES - 8192)] ^= (uint8_t)(state >> 32);
        }
        (void)!mempool_check(&fix.pool, true);
        if (mempool_reopen(&fix.pool, &recovery) < 0)
            continue;
        use_everything(fix.pool.store);
        store_close(fix.pool.store);
        fix.pool.store = NULL;
    }
    assert_same(fix.pool.allocated, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_forged, test_forged_circle, test_forged_super,
                                   test_forged_super_large, test_noise };
    SRunner *runner;
    int failed;

    build_pool();
    runner = units_runner("store-damage", tests, sizeof(tests) / sizeof(tests[0]));
    units_loop(runner, test_lines, DAMAGES);
    failed = units_finish(runner);
    free(fix.good);
    free(fix.stale);
    mempool_end(&fix.pool);
    return failed;
}
