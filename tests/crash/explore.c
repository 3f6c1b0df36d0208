/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <store/persist.h>
#include <store/word.h>
#include <twz/error.h>

#include "explore.h"

#define IMAGES_MAX    256u /* a point with more images is sampled ... */
#define RANDOM_IMAGES 32u  /* ... with so many random ones */
#define SECOND_MAX    64u  /* the same inside a recovery */
#define RANDOM_SECOND 8u
#define USE_EVERY     8u
#define RAISE_EVENTS  7u  /* of a recovery that only raises the writer generation ... */
#define RAISE_EVERY   16u /* ... of which so many are skipped for one that is interrupted */

/* --- sets ---------------------------------------------------------------------------------- */

static bool put_hash(struct hashes *set, uint64_t hash)
{
    uint64_t at = hash & (set->size - 1);

    for (; set->row[at]; at = (at + 1) & (set->size - 1))
        if (set->row[at] == hash)
            return false;
    set->row[at] = hash;
    set->count++;
    return true;
}

/* Add a hash. True if it is new. */
static bool add_hash(struct hashes *set, uint64_t hash)
{
    struct hashes grown = { .size = set->size ? set->size * 2 : 4096 };

    hash |= 1;
    if (set->count * 2 < set->size)
        return put_hash(set, hash);
    grown.row = calloc(grown.size, sizeof(*grown.row));
    if (!grown.row)
        abort();
    for (uint64_t i = 0; i < set->size; i++)
        if (set->row[i])
            (void)put_hash(&grown, set->row[i]);
    free(set->row);
    *set = grown;
    return put_hash(set, hash);
}

static void clear_hashes(struct hashes *set)
{
    if (set->size)
        memset(set->row, 0, set->size * sizeof(*set->row));
    set->count = 0;
}

void explorer_init(struct explorer *explorer, uint64_t seed)
{
    memset(explorer, 0, sizeof(*explorer));
    run_init(&explorer->run);
    images_init(&explorer->first, POOL_BYTES);
    images_init(&explorer->second, POOL_BYTES);
    arena_init(&explorer->arena);
    explorer->seed = seed;
    explorer->count_distinct = true;
    explorer->second_level = 4;
    explorer->only_point = ~0ull;
    explorer->only_image = ~0u;
}

void explorer_end(struct explorer *explorer)
{
    run_end(&explorer->run);
    images_end(&explorer->first);
    images_end(&explorer->second);
    free(explorer->arena.mem);
    free(explorer->recovery_log.event);
    free(explorer->distinct.row);
    free(explorer->seen.row);
}

/* --- checking one image -------------------------------------------------------------------- */

static void print_problem(void *ctx, const struct store_report *report)
{
    const struct explorer *explorer = ctx;

    if (explorer->verbose)
        printf("  check: %s, row %d, offset 0x%llx, found %llx, wanted %llx\n", report->what,
               (int)report->row, (unsigned long long)report->offset,
               (unsigned long long)report->found, (unsigned long long)report->wanted);
}

static const char *check_clean(struct explorer *explorer, const struct store_env *env)
{
    struct store_checked checked;

    if (store_check(env, print_problem, explorer, &checked) < 0)
        return "check cannot open the pool";
    if (checked.problems)
        return "the invariant walk finds problems";
    return checked.pending ? "the invariant walk finds unfinished work" : NULL;
}

/* Compare with the models after k and, unless returned, k + 1 operations. NULL, or the difference.
 * */
static const char *compare_state(struct explorer *explorer, struct store *store)
{
    struct run *run = &explorer->run;
    uint32_t last = explorer->k + (explorer->returned ? 0 : 1);
    const char *what = NULL;

    for (uint32_t k = last + 1; k-- > explorer->k;)
        for (uint32_t v = 0; v < run->variants[k]; v++) {
            const char *differs = model_differs(store, &run->after[k][v], &run->after[k][v], false);

            if (!differs)
                return NULL;
            if (explorer->verbose)
                printf("  not the state after %u operations%s: %s\n", k, v ? ", word old" : "",
                       differs);
            what = what ? what : differs;
        }
    if (explorer->returned || !run->mixed[last])
        return what;
    for (uint32_t v = 0; v < run->variants[explorer->k]; v++) {
        uint32_t w = v < run->variants[last] ? v : 0;

        if (!model_differs(store, &run->after[explorer->k][v], &run->after[last][w], true))
            return NULL;
    }
    return what;
}

/* Create, map, write and delete an object. NULL, or the failure. */
static const char *use_pool(struct store *store, const struct store_env *env,
                            struct explorer *explorer)
{
    struct store_create create = { .nonce = { ~0ull, 1 }, .perms = TWZ_READ };
    uint32_t row, frame;
    objid_t id;
    int err = store_obj_create(store, &create, &row, &id);

    if (err == -TWZ_ENOSPC || err == -TWZ_EFULL)
        return NULL;
    if (err < 0)
        return "create fails after recovery";
    err = store_page_add(store, row, 1, &frame);
    if (err < 0 && err != -TWZ_ENOSPC)
        return "adding a page fails after recovery";
    if (err == 0)
        persist_host_store64(store_frame_ptr(store, frame), 1);
    if (store_obj_delete(store, row, NULL, NULL) < 0 || store_obj_release(store, row) < 0)
        return "delete fails after recovery";
    return check_clean(explorer, env);
}

static bool is_no_pool(int err)
{
    return err == -TWZ_ENOTPOOL || err == -TWZ_EDAMAGED;
}

/* The writer generation of an image: the higher valid copy. */
static uint64_t generation_of(const struct store *store)
{
    const struct store_super *super = store_super_get(store);
    uint16_t salt = word_salt_pool(super->uuid);
    uint64_t highest = 0;

    for (uint32_t i = 0; i < 2; i++) {
        const uint64_t *word = store_frame_ptr(store, (uint32_t)super->mono[i]);

        word += STORE_MONO_WRITER * STORE_MONO_STRIDE / sizeof(*word);
        if (word_is_valid(*word, salt, STORE_LOC_MONO, STORE_MONO_WRITER) &&
            STORE_WORD_BODY(*word) > highest)
            highest = STORE_WORD_BODY(*word);
    }
    return highest;
}

/* Check the generation before a recovery, and remember it. NULL, or the failure. */
static const char *check_began(struct explorer *explorer, const struct store *store, uint64_t hash,
                               uint64_t *generation)
{
    const struct run *run = &explorer->run;
    uint64_t k = run->after[explorer->k][0].mono[STORE_MONO_WRITER] - 1;
    uint64_t last =
        explorer->returned ? k : run->after[explorer->k + 1][0].mono[STORE_MONO_WRITER] - 1;

    *generation = generation_of(store);
    if (explorer->inside && *generation == explorer->began_generation &&
        hash != explorer->began_hash)
        return "recovery has stored something before the writer generation";
    if (explorer->inside)
        return NULL;
    explorer->began_hash = hash;
    explorer->began_generation = *generation;
    if (explorer->mkpool)
        return NULL;
    return *generation < k || *generation > last ? "the writer generation of the image" : NULL;
}

/* Recover an image and check it. `log`, if not NULL, records the recovery. NULL, or the failure. */
static const char *check_image(struct explorer *explorer, void *image, struct dirty *dirty,
                               struct event_log *log, uint64_t hash, bool try_use)
{
    struct store_recovery recovery;
    struct store_env env;
    struct store *store, *again;
    uint64_t stores, generation;
    const char *what;
    int err;

    arena_reset(&explorer->arena);
    arena_env(&explorer->arena, &env, image, POOL_BYTES);
    record_attach(image, POOL_BYTES, log, dirty);
    err = store_open(&env, &store, NULL);
    if (err < 0)
        return explorer->mkpool && !explorer->returned && is_no_pool(err) ? NULL : "open fails";
    what = check_began(explorer, store, hash, &generation);
    if (what)
        return what;
    if (store_recover(store, &recovery) < 0)
        return "recovery fails";
    if (store_mono_get(store, STORE_MONO_WRITER) != generation + 1)
        return "recovery does not raise the writer generation by one";
    record_attach(image, POOL_BYTES, NULL, dirty);
    if (recovery.damaged)
        return "recovery finds damage";
    if (explorer->returned && recovery.mirrors)
        return "a mirror is not complete although the operation has returned";
    if (explorer->recovered &&
        recovery.mirrors + recovery.retained + recovery.reclaimed + recovery.deleted)
        return "something is left to do although a recovery has returned";
    what = compare_state(explorer, store);
    if (what)
        return what;
    stores = record.stores;
    env.scratch = true;
    if (store_open(&env, &again, NULL) < 0 || store_recover(again, &recovery) < 0)
        return "second recovery fails";
    if (record.stores != stores)
        return "second recovery changes something";
    what = check_clean(explorer, &env);
    return what || !try_use ? what : use_pool(store, &env, explorer);
}

/* --- points -------------------------------------------------------------------------------- */

/* Check an image inside a recovery. */
static int visit_second(void *ctx, uint64_t hash, uint32_t number)
{
    struct explorer *explorer = ctx;
    const char *what;

    (void)number;
    if (!add_hash(&explorer->seen,
                  mix64(hash, explorer->k * 4u +
                                  (uint32_t)(explorer->recovered * 2 + explorer->returned))))
        return 0;
    explorer->images++;
    explorer->second_images++;
    if (explorer->count_distinct)
        (void)add_hash(&explorer->distinct, hash);
    explorer->inside = true;
    what =
        check_image(explorer, explorer->second.image, &explorer->second.dirty, NULL, hash, false);
    explorer->inside = false;
    if (!what)
        return 0;
    explorer->failure = what;
    return -1;
}

/* Interrupt the recovery in recovery_log at each point. `second` has the image that it began with.
 * */
static int explore_recovery(struct explorer *explorer)
{
    const struct event_log *log = &explorer->recovery_log;
    int ret = 0;

    for (size_t i = 0; i < log->count && !ret; i++) {
        const struct event *event = &log->event[i];

        if (event->type == EV_FENCE || event->type == EV_COMMIT)
            ret = images_visit(&explorer->second, SECOND_MAX, RANDOM_SECOND,
                               mix64(explorer->seed, i), visit_second, explorer);
        images_event(&explorer->second, event);
    }
    explorer->recovered = true;
    if (!ret)
        ret = images_visit(&explorer->second, SECOND_MAX, RANDOM_SECOND, explorer->seed,
                           visit_second, explorer);
    explorer->recovered = false;
    return ret;
}

/* Check an image, and maybe the images inside its recovery. */
static int visit_first(void *ctx, uint64_t hash, uint32_t number)
{
    struct explorer *explorer = ctx;
    uint64_t expected = mix64(hash, explorer->k * 4u + (uint32_t)explorer->returned);
    bool deeper = mix64(expected, 5) % explorer->second_level == 0;
    const char *what;

    if (explorer->only_image != ~0u && number != explorer->only_image)
        return 0;
    if (!add_hash(&explorer->seen, expected))
        return 0;
    explorer->image = number;
    explorer->images++;
    if (explorer->count_distinct)
        (void)add_hash(&explorer->distinct, hash);
    explorer->recovery_log.count = 0;
    what = check_image(explorer, explorer->first.image, &explorer->first.dirty,
                       deeper ? &explorer->recovery_log : NULL, hash,
                       mix64(expected, 3) % USE_EVERY == 0);
    if (what) {
        explorer->failure = what;
        return -1;
    }
    if (!deeper)
        return 0;
    if (explorer->recovery_log.count <= RAISE_EVENTS && mix64(expected, 7) % RAISE_EVERY)
        return 0;
    images_fork(&explorer->second, &explorer->first, hash);
    return explore_recovery(explorer);
}

static int explore_point(struct explorer *explorer, bool returned)
{
    uint64_t number = explorer->point++;

    explorer->returned = returned;
    if (explorer->only_point != ~0ull && number != explorer->only_point)
        return 0;
    explorer->points++;
    return images_visit(&explorer->first, IMAGES_MAX, RANDOM_IMAGES, mix64(explorer->seed, number),
                        visit_first, explorer);
}

static int explore_event(struct explorer *explorer, const struct event *event, uint32_t from)
{
    bool skip = explorer->k < from;
    int ret = 0;

    if (event->type == EV_RETURN) {
        explorer->k = (uint32_t)event->value;
        ret = skip ? 0 : explore_point(explorer, true);
    } else if ((event->type == EV_FENCE || event->type == EV_COMMIT) && !skip) {
        ret = explore_point(explorer, false);
    }
    images_event(&explorer->first, event);
    return ret;
}

static int explore_log(struct explorer *explorer, uint32_t from)
{
    const struct event_log *log = &explorer->run.log;
    int ret = 0;

    explorer->k = 0;
    explorer->point = 0;
    explorer->failure = NULL;
    explorer->recovered = false;
    explorer->workloads++;
    clear_hashes(&explorer->seen);
    for (size_t i = 0; i < log->count && !ret; i++)
        ret = explore_event(explorer, &log->event[i], from);
    if (!ret && !images_match(&explorer->first, explorer->run.pool)) {
        explorer->failure = "applying the log does not give the pool";
        ret = -1;
    }
    return ret;
}

int explore(struct explorer *explorer, const struct workload *workload, uint32_t from)
{
    struct run *run = &explorer->run;
    int ret;

    explorer->mkpool = false;
    if (run_start(run, workload->start) < 0) {
        explorer->failure = run->error;
        return -1;
    }
    images_reset(&explorer->first, run->pool);
    if (run_ops(run, workload) < 0) {
        explorer->failure = run->error;
        return -1;
    }
    ret = explore_log(explorer, from);
    return ret;
}

int explore_mkpool(struct explorer *explorer, bool over_pool)
{
    struct run *run = &explorer->run;
    struct store_mkpool params = { .uuid = { 0x99, 0x18 } };
    struct store_env env;

    if (run_start(run, 1) < 0) {
        explorer->failure = run->error;
        return -1;
    }
    if (!over_pool)
        memset(run->pool, 0x3c, POOL_BYTES);
    run->after[0][0] = run->now;
    model_recover(&run->after[0][0]);
    memset(&run->after[1][0], 0, sizeof(run->after[1][0]));
    run->after[1][0].mono[STORE_MONO_WRITER] = 1;
    run->variants[0] = run->variants[1] = 1;
    run->mixed[1] = false;
    images_reset(&explorer->first, run->pool);
    record_attach(run->pool, POOL_BYTES, &run->log, NULL);
    arena_env(&run->arena, &env, run->pool, POOL_BYTES);
    if (store_mkpool(&env, &params) < 0) {
        explorer->failure = "store_mkpool fails";
        return -1;
    }
    record_return(1);
    explorer->mkpool = true;
    return explore_log(explorer, 0);
}
