/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mempool.h"

static void *pool_alloc(void *ctx, size_t bytes)
{
    struct mempool *pool = ctx;

    if (pool->fail_after == 0)
        return NULL;
    if (pool->fail_after > 0)
        pool->fail_after--;
    pool->allocated += (long)bytes;
    pool->largest = bytes > pool->largest ? bytes : pool->largest;
    return calloc(1, bytes);
}

static void pool_free(void *ctx, void *mem, size_t bytes)
{
    struct mempool *pool = ctx;

    pool->allocated -= (long)bytes;
    free(mem);
}

/* The store asks before and after each copy. */
static bool has_lost(void *ctx)
{
    struct mempool *pool = ctx;

    return pool->lost_after >= 0 && pool->lost_after-- == 0;
}

static void pool_report(void *ctx, const struct store_report *report)
{
    struct mempool *pool = ctx;

    pool->report = *report;
    pool->reports++;
}

void mempool_env(struct mempool *pool, void *base, uint64_t size)
{
    memset(pool, 0, sizeof(*pool));
    pool->fail_after = -1;
    pool->lost_after = -1;
    pool->env = (struct store_env){ .base = base,
                                    .size = size,
                                    .ctx = pool,
                                    .alloc = pool_alloc,
                                    .free = pool_free,
                                    .lost = has_lost,
                                    .report = pool_report };
}

static void expect_success(int err, const char *what)
{
    if (err >= 0)
        return;
    printf("%s: error %d\n0 passed, 1 failed\n", what, err);
    exit(1);
}

void mempool_make(struct mempool *pool, uint64_t frames, uint64_t max_objects)
{
    struct store_mkpool params = { .uuid = { 1, 2, 3 },
                                   .label = "test",
                                   .max_objects = max_objects };
    struct store_recovery recovery;
    uint64_t size = frames * STORE_FRAME_SIZE;
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    expect_success(base == MAP_FAILED ? -1 : 0, "mmap");
    mempool_env(pool, base, size);
    expect_success(store_mkpool(&pool->env, &params), "store_mkpool");
    expect_success(store_open(&pool->env, &pool->store, NULL), "store_open");
    expect_success(store_recover(pool->store, &recovery), "store_recover");
}

int mempool_reopen(struct mempool *pool, struct store_recovery *recovery)
{
    int err;

    if (pool->store)
        store_close(pool->store);
    pool->store = NULL;
    err = store_open(&pool->env, &pool->store, &pool->report);
    if (err < 0)
        return err;
    err = store_recover(pool->store, recovery);
    if (err < 0) {
        store_close(pool->store);
        pool->store = NULL;
    }
    return err;
}

void mempool_end(struct mempool *pool)
{
    if (pool->store)
        store_close(pool->store);
    munmap(pool->env.base, pool->env.size);
}

static void print_report(void *ctx, const struct store_report *report)
{
    const bool *quiet = ctx;

    if (!*quiet)
        printf("check: %s: row %u offset %llu found %llx wanted %llx\n", report->what, report->row,
               (unsigned long long)report->offset, (unsigned long long)report->found,
               (unsigned long long)report->wanted);
}

long mempool_check(struct mempool *pool, bool quiet)
{
    struct store_checked result;
    int err = store_check(&pool->env, print_report, &quiet, &result);

    return err < 0 ? err : (long)result.problems;
}

uint64_t mempool_free(const struct mempool *pool)
{
    struct store_usage usage;

    store_usage(pool->store, &usage);
    return usage.free;
}

void mempool_clean(struct mempool *pool)
{
    struct store_recovery got;
    uint64_t before = mempool_free(pool);

    expect_success(mempool_check(pool, false) == 0 ? 0 : -1, "mempool_clean: store_check");
    expect_success(mempool_reopen(pool, &got), "mempool_clean: reopening");
    expect_success(got.mirrors + got.damaged + got.deleted + got.reclaimed ? -1 : 0,
                   "mempool_clean: recovery");
    expect_success(mempool_free(pool) == before ? 0 : -1, "mempool_clean: free frames");
}

uint32_t mempool_object(struct mempool *pool, objid_t *id)
{
    struct store_create create = { .nonce = { ++pool->nonce, 7 }, .perms = TWZ_READ | TWZ_WRITE };
    uint32_t row = STORE_NO_ROW;
    objid_t unused;

    expect_success(store_obj_create(pool->store, &create, &row, id ? id : &unused),
                   "store_obj_create");
    return row;
}
