/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol: none of its own. Everything that changes the file goes through kernel/store or
 * objects/hier. Their protocols leave the pool as before or as after each step, wherever the
 * process ends.
 */
#include "pool.h"

#include <stdlib.h>
#include <twz/error.h>

#include "fail.h"
#include "host_platform.h"

static void *alloc_for_store(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void free_for_store(void *ctx, void *mem, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(mem);
}

static void warn_damage(void *ctx, const struct store_report *report)
{
    struct pool *pool = ctx;
    bool quiet = pool->quiet;

    pool->quiet = true;
    if (!quiet)
        fail_warn("%s: warning: %s (object " IDFMT ", byte %llu of the pool): run 'twz-obj check' "
                  "to list all problems",
                  pool->path, report->what, IDPR(report->object),
                  (unsigned long long)report->offset);
}

void pool_env(struct pool *pool, struct store_env *env)
{
    *env = (struct store_env){
        .base = pool->base,
        .size = pool->size,
        .ctx = pool,
        .alloc = alloc_for_store,
        .free = free_for_store,
        .report = warn_damage,
        .scratch = pool->mode == POOL_READ,
    };
}

/* The message for an error of store_open, with its remedy. */
static int explain_open(const char *path, int error, const struct store_report *why)
{
    unsigned long long found = why->found;
    unsigned long long wanted = why->wanted;
    unsigned long long offset = why->offset;
    const char *what = why->what ? why->what : "superblock";

    switch (-error) {
    case TWZ_ENOTPOOL:
        return fail(TOOL_DAMAGED,
                    "%s: not a pool (no superblock in the first two frames): name another file, or "
                    "overwrite it with 'twz-obj mkpool --force %s'",
                    path, path);
    case TWZ_EVERSION:
        return fail(TOOL_DAMAGED,
                    "%s: made by another version (%s: %llu, this one has %llu): use the twz-obj of "
                    "that version",
                    path, what, found, wanted);
    case TWZ_ESHORT:
        return fail(TOOL_DAMAGED,
                    "%s: shorter than its superblock says (%s: %llu, expected %llu): restore it "
                    "from a copy",
                    path, what, found, wanted);
    case TWZ_ERANGE:
        return fail(TOOL_DAMAGED,
                    "%s: longer than its superblock says (%s: %llu, expected %llu): truncate it to "
                    "that size, or restore it from a copy",
                    path, what, found, wanted);
    case TWZ_EMEMBER:
        return fail(TOOL_DAMAGED,
                    "%s: a member of the pool is missing (member %llu): twz-obj opens only pools "
                    "of one file",
                    path, found);
    case TWZ_ENOMEM: return fail(TOOL_FULL, "%s: out of memory for its tables: free memory", path);
    default:
        return fail(fail_code(error), "%s: %s (%s, byte %llu): restore it from a copy", path,
                    fail_text(error), what, offset);
    }
}

int pool_validate(struct pool *pool)
{
    struct store_env env;
    struct store_report why = { 0 };
    int err;

    pool_env(pool, &env);
    err = store_open(&env, &pool->store, &why);
    return err < 0 ? explain_open(pool->path, err, &why) : TOOL_OK;
}

/* A pool with features that this version may only read is opened as it is, and only for reading. */
static int recover_unknown(struct pool *pool)
{
    if (pool->mode == POOL_READ)
        return store_recover_readonly(pool->store, &pool->recovery);
    return fail(TOOL_DAMAGED,
                "%s: made by another version (superblock: read-only-compatible features %llx): "
                "only read it, or use the twz-obj of that version",
                pool->path, (unsigned long long)store_unknown_features(pool->store));
}

int pool_recover(struct pool *pool)
{
    int err;

    if (store_unknown_features(pool->store))
        err = recover_unknown(pool);
    else
        err = store_recover(pool->store, &pool->recovery);
    if (err > 0)
        return err;
    if (err < 0)
        return fail(fail_code(err), "%s: %s (recovery): restore it from a copy", pool->path,
                    fail_text(err));
    pool->names = store_super_get(pool->store)->roots.names;
    return host_platform_attach(pool);
}

int pool_open(struct pool **out, const char *path, enum pool_mode mode)
{
    struct pool *pool;
    int err = pool_file_open(&pool, path, mode);

    if (err)
        return err;
    err = pool_validate(pool);
    if (!err)
        err = pool_recover(pool);
    if (err)
        return fail_first(err, pool_close(pool));
    *out = pool;
    return TOOL_OK;
}

int pool_close(struct pool *pool)
{
    host_platform_detach(pool);
    if (pool->store)
        store_close(pool->store);
    return pool_file_close(pool);
}

int pool_roots_set(struct pool *pool, const struct store_roots *roots)
{
    int err = store_super_set(pool->store, roots);

    if (err < 0)
        return fail_twz(pool->path, err);
    pool->names = roots->names;
    return TOOL_OK;
}
