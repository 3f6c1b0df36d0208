/* SPDX-License-Identifier: MIT */
/*
 * A million empty persistent objects in a pool of 8 GiB: their cost in media, and the cost of
 * recovery, which must be linear in their number. The unit is instructions if the machine counts
 * them, else processor time, which is only printed.
 */
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <lib/crc32c.h>
#include <store/store.h>
#include <twz/error.h>

#include "mempool.h"
#include "units.h"

#define GIB       (1ull << 30)
#define MILLION   1000000u
#define WITH_PAGE 20000u /* number of objects with a metadata page */

static int counter = -1;

static void counter_open(void)
{
    struct perf_event_attr attr = { .type = PERF_TYPE_HARDWARE,
                                    .size = sizeof(attr),
                                    .config = PERF_COUNT_HW_INSTRUCTIONS,
                                    .exclude_kernel = 1 };

    counter = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static const char *unit(void)
{
    return counter >= 0 ? "instructions" : "ns";
}

static uint64_t now(void)
{
    struct timespec time;
    uint64_t value;

    if (counter >= 0 && read(counter, &value, sizeof(value)) == sizeof(value))
        return value;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int create_many(struct mempool *pool, uint32_t from, uint32_t to)
{
    struct store_create create = { .perms = TWZ_READ };
    uint32_t row;
    objid_t id;
    int err = 0;

    for (uint32_t i = from; i < to && err == 0; i++) {
        create.nonce[0] = i;
        create.nonce[1] = 0x5ca1e;
        err = store_obj_create(pool->store, &create, &row, &id);
    }
    return err;
}

/* Cost of the recovery of a pool with `want` objects. */
static uint64_t measure_recovery(struct mempool *pool, uint64_t want)
{
    struct store_recovery recovery;
    uint64_t began = now();

    assert_same(mempool_reopen(pool, &recovery), 0);
    assert_same(recovery.objects, want);
    return now() - began;
}

START_TEST(test_million)
{
    static const uint32_t steps[] = { 125000, 250000, 500000, MILLION };
    struct mempool pool;
    struct store_usage usage, empty;
    uint64_t each[4];
    uint32_t have = 0;

    mempool_make(&pool, 8 * GIB / STORE_FRAME_SIZE, 0);
    store_usage(pool.store, &empty);
    for (int i = 0; i < 4; i++) {
        uint64_t cost;

        assert_same(create_many(&pool, have, steps[i]), 0);
        have = steps[i];
        cost = measure_recovery(&pool, have);
        each[i] = cost / have;
        printf("%u objects: recovery %llu %s, %llu an object\n", have, (unsigned long long)cost,
               unit(), (unsigned long long)each[i]);
    }
    if (counter >= 0) /* time on a shared machine proves nothing */
        ck_assert(each[3] < each[1] * 3);
    store_usage(pool.store, &usage);
    printf("%u objects take %llu frames for entries; %llu MiB of 8192 are free for pages\n",
           MILLION, (unsigned long long)(empty.free - usage.free),
           (unsigned long long)(usage.free >> 8));
    ck_assert((empty.free - usage.free) * STORE_FRAME_SIZE <= MILLION * 512ull);
    ck_assert(usage.free >= MILLION);
    mempool_end(&pool);
    assert_same(pool.allocated, 0);
}
END_TEST

/* An object with its metadata page is an entry and one frame: 4.5 KiB. */
START_TEST(test_cost)
{
    struct mempool pool;
    struct store_usage before, after;
    struct store_recovery recovery;
    uint32_t frame, row;
    uint64_t bytes;
    int err = 0;

    mempool_make(&pool, GIB / 8 / STORE_FRAME_SIZE, 0);
    store_usage(pool.store, &before);
    assert_same(create_many(&pool, 0, WITH_PAGE), 0);
    for (row = 0; store_obj_next(pool.store, &row) == 0 && err == 0; row++)
        err = store_page_add(pool.store, row, TWZ_PAGE_META, &frame);
    assert_same(err, 0);
    store_usage(pool.store, &after);
    bytes = (before.free - after.free) * STORE_FRAME_SIZE;
    printf("an empty object with its metadata page: %llu bytes\n",
           (unsigned long long)(bytes / WITH_PAGE));
    ck_assert(bytes <= WITH_PAGE * 4608ull);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.objects, WITH_PAGE);
    assert_same(mempool_check(&pool, false), 0);
    mempool_end(&pool);
}
END_TEST

/* Fill the table to the last row. The next object fails, and space for pages is left. */
START_TEST(test_table_end)
{
    struct mempool pool;
    struct store_usage usage;

    mempool_make(&pool, 4096, 0);
    assert_same(create_many(&pool, 0, 100000), -TWZ_EFULL);
    store_usage(pool.store, &usage);
    assert_same(usage.objects, usage.rows_max);
    ck_assert(usage.objects >= 4096ull * STORE_FRAME_SIZE / 4608);
    ck_assert(usage.free * 100 >= usage.objects * 99);
    mempool_end(&pool);
}
END_TEST

/* A directory for as many chunks as the format allows, whose first frame is that of `super`. */
static void enlarge_directory(struct mempool *pool)
{
    uint8_t *base = pool->env.base;
    struct store_super *super = pool->env.base;
    const uint64_t dir[2] = { 1u << 20, 1u << 21 };

    for (uint32_t copy = 0; copy < 2; copy++) {
        memcpy(base + dir[copy] * STORE_FRAME_SIZE, base + super->dir[copy] * STORE_FRAME_SIZE,
               STORE_FRAME_SIZE);
        super->dir[copy] = dir[copy];
    }
    super->dir_words = STORE_CHUNKS_MAX;
    super->sequence++;
    super->commit = crc32c(0, super, offsetof(struct store_super, commit));
    super->commit |= ~super->commit << 32;
}

#define BLOCK_MAX (2u << 20) /* bytes */

/* The largest pool, 4 TiB, with the largest table: no table needs a large block of memory. */
START_TEST(test_largest_pool)
{
    struct store_recovery recovery;
    struct mempool pool;
    struct store_usage usage;
    uint32_t row, frame;

    mempool_make(&pool, STORE_FRAMES_MAX, STORE_DIR_WORDS * STORE_CHUNK_ENTRIES);
    store_close(pool.store);
    pool.store = NULL;
    enlarge_directory(&pool);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    printf("a pool of 4 TiB: %ld MiB of tables, the largest block has %zu bytes\n",
           pool.allocated >> 20, pool.largest);
    ck_assert(pool.largest <= BLOCK_MAX);
    assert_same(create_many(&pool, 0, 4000), 0);
    store_usage(pool.store, &usage);
    assert_same(usage.rows_max, 1ull << 31);
    assert_same(store_lookup(pool.store, store_obj_id_of(pool.store, 3999), &row), 0);
    assert_same(store_page_add(pool.store, row, 1, &frame), 0);
    assert_same(mempool_reopen(&pool, &recovery), 0);
    assert_same(recovery.objects, 4000);
    ck_assert(pool.largest <= BLOCK_MAX);
    mempool_end(&pool);
    assert_same(pool.allocated, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_million, test_cost, test_table_end, test_largest_pool };

    counter_open();
    return units_run("store-scale", tests, sizeof(tests) / sizeof(tests[0]));
}
