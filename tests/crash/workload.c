/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <store/persist.h>
#include <twz/error.h>

#include "workload.h"

#define ARENA_BYTES (1u << 20)
#define JUNK        0xa5

/* --- memory -------------------------------------------------------------------------------- */

void arena_init(struct arena *arena)
{
    arena->mem = calloc(1, ARENA_BYTES);
    arena->capacity = ARENA_BYTES;
    arena->used = 0;
    if (!arena->mem)
        abort();
}

void arena_reset(struct arena *arena)
{
    memset(arena->mem, 0, arena->used);
    arena->used = 0;
}

static void *arena_alloc(void *ctx, size_t bytes)
{
    struct arena *arena = ctx;
    void *at = arena->mem + arena->used;

    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > arena->capacity - arena->used)
        return NULL;
    arena->used += bytes;
    return at;
}

static void arena_free(void *ctx, void *mem, size_t bytes)
{
    (void)ctx;
    (void)mem;
    (void)bytes;
}

void arena_env(struct arena *arena, struct store_env *env, void *base, uint64_t size)
{
    *env = (struct store_env){
        .base = base, .size = size, .ctx = arena, .alloc = arena_alloc, .free = arena_free
    };
}

/* --- running ------------------------------------------------------------------------------- */

void run_init(struct run *run)
{
    memset(run, 0, sizeof(*run));
    run->pool = aligned_alloc(4096, POOL_BYTES);
    if (!run->pool)
        abort();
    arena_init(&run->arena);
}

void run_end(struct run *run)
{
    free(run->pool);
    free(run->arena.mem);
    free(run->log.event);
}

int run_open(struct run *run)
{
    struct store_env env;
    struct store_recovery recovery;

    arena_reset(&run->arena);
    arena_env(&run->arena, &env, run->pool, POOL_BYTES);
    run->error = "the pool cannot be opened, or an object is missing after a clean close";
    if (store_open(&env, &run->store, NULL) < 0 || store_recover(run->store, &recovery) < 0)
        return -1;
    for (uint32_t i = 0; i < run->now.count; i++)
        if (run->now.object[i].state &&
            store_lookup(run->store, run->now.object[i].id, &run->row[i]) < 0)
            return -1;
    run->error = NULL;
    return 0;
}

int run_start(struct run *run, uint32_t start)
{
    struct store_env env;
    struct store_mkpool params = { .uuid = { 0x17, 0x2a } };

    memset(run->pool, JUNK, POOL_BYTES);
    memset(&run->now, 0, sizeof(run->now));
    run->loose = (struct loose){ 0 };
    run->nonce = 0;
    run->tight = false;
    run->error = NULL;
    run->error_op = 0;
    run->log.count = 0;
    record_attach(run->pool, POOL_BYTES, NULL, NULL);
    arena_env(&run->arena, &env, run->pool, POOL_BYTES);
    if (store_mkpool(&env, &params) < 0 || run_open(run) < 0)
        return -1;
    run->now.mono[STORE_MONO_WRITER] = 1;
    return ops_start(run, start);
}

/* Keep the models of the state after k operations. */
static void save_models(struct run *run, uint32_t k)
{
    struct loose loose = run->loose;

    run->after[k][0] = run->now;
    run->variants[k] = 1;
    if (loose.object) {
        struct model *old = &run->after[k][1];
        struct model_page *page;

        *old = run->now;
        page = model_page(&old->object[loose.object - 1], loose.page);
        if (page && model_word(page, loose.at, loose.old)) {
            model_recover(old);
            run->variants[k] = 2;
        }
    }
    model_recover(&run->after[k][0]);
}

/* Flush the loose word. */
static void flush_loose(struct run *run)
{
    struct store_page page;
    uint64_t *word;

    if (store_page_get(run->store, run->row[run->loose.object - 1], run->loose.page, &page) < 0)
        return;
    word = (uint64_t *)store_frame_ptr(run->store, page.frame) + run->loose.at;
    persist_host_flush(word, 8, "user flush");
    persist_host_fence("user fence");
    run->loose = (struct loose){ 0 };
}

static size_t count_stores(const struct event_log *log, size_t from)
{
    size_t stores = 0;

    for (size_t i = from; i < log->count; i++)
        stores += log->event[i].type == EV_STORE || log->event[i].type == EV_STREAM;
    return stores;
}

int run_ops(struct run *run, const struct workload *workload)
{
    record_attach(run->pool, POOL_BYTES, &run->log, NULL);
    save_models(run, 0);
    for (uint32_t k = 0; k < workload->count; k++) {
        const struct op *op = op_get(workload->op[k]);
        size_t before;
        int ret;

        run->error_op = k;
        if (op->flush_loose && run->loose.object)
            flush_loose(run);
        before = run->log.count;
        ret = op->run(run, op);
        if (ret == SKIP && count_stores(&run->log, before))
            run->error = "a call that failed has stored something";
        if (ret < 0 || run->error)
            return -1;
        run->skipped[k + 1] = ret == SKIP;
        run->mixed[k + 1] = op->mixed;
        record_return(k + 1);
        save_models(run, k + 1);
    }
    return 0;
}
