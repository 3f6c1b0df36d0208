/* SPDX-License-Identifier: MIT */
/* Opening and closing a pool: the current superblock copy and the volatile tables. Reads only. */
#include <store/inside.h>

/* The error for two invalid copies: the one that says more. */
static int merge_errors(int a, int b)
{
    if (a == -TWZ_EVERSION || b == -TWZ_EVERSION)
        return -TWZ_EVERSION;
    return a == -TWZ_EDAMAGED || b == -TWZ_EDAMAGED ? -TWZ_EDAMAGED : -TWZ_ENOTPOOL;
}

/* Describe the error of a copy: what was found there, and what this version expects. */
static void explain_copy(const struct store_super *copy, int err, struct store_report *why)
{
    if (err == -TWZ_ENOTPOOL) {
        why->what = "superblock: magic";
        why->found = copy->magic;
        why->wanted = STORE_MAGIC;
    } else if (err == -TWZ_EVERSION && copy->version == STORE_VERSION) {
        why->what = "superblock: layout";
        why->found = copy->layout;
        why->wanted = store_layout();
    } else {
        why->what =
            err == -TWZ_EVERSION ? "superblock: version" : "superblock: checksum of both copies";
        why->found = copy->version;
        why->wanted = STORE_VERSION;
    }
}

/* Read the superblock. Returns the number of the current copy, or an error with *why filled in. */
static int read_super(const struct store_env *env, struct store_super *super,
                      struct store_report *why)
{
    const struct store_super *copy[2];
    int state[2], chosen;

    *why = (struct store_report){ .row = STORE_NO_ROW };
    for (uint32_t i = 0; i < 2; i++) {
        copy[i] = (const void *)((const uint8_t *)env->base + (size_t)i * STORE_FRAME_SIZE);
        state[i] = -TWZ_ENOTPOOL;
        if (env->size >= (uint64_t)(i + 1) * STORE_FRAME_SIZE)
            state[i] = super_copy_state(copy[i]);
    }
    chosen = state[0] == 0 && (state[1] || copy[0]->sequence >= copy[1]->sequence) ? 0 : 1;
    if (state[chosen] < 0) {
        int err = merge_errors(state[0], state[1]);

        if (env->size >= STORE_FRAME_SIZE)
            explain_copy(copy[state[0] == err ? 0 : 1], err, why);
        else
            why->what = "superblock: cut off";
        why->code = -err;
        return err;
    }
    *super = *copy[chosen];
    return chosen;
}

static uint32_t count_rows(const struct store *store)
{
    return (uint32_t)(store->super.dir_words * STORE_CHUNK_ENTRIES);
}

/* There is at most one bucket for each object, and one more. */
static size_t index_bytes(const struct store *store)
{
    return ((size_t)count_rows(store) + 1) * sizeof(uint32_t);
}

static int alloc_tables(struct store *store)
{
    int err = frames_open(store);

    if (err == 0)
        err = badframes_open(store);
    if (err == 0)
        err = table_open(store);
    if (err == 0)
        err = env_alloc_parts(store, &store->free_rows.words, bits_bytes(count_rows(store)));
    if (err == 0)
        bits_init(&store->free_rows, count_rows(store));
    if (err == 0)
        err = env_alloc_array(store, &store->index, index_bytes(store));
    return err < 0 ? err : index_reserve(store);
}

void store_close(struct store *store)
{
    struct store_env env = store->env;

    table_close(store);
    badframes_close(store);
    frames_close(store);
    env_free_parts(store, &store->free_rows.words);
    env_free_parts(store, &store->index);
    env.free(env.ctx, store, sizeof(*store));
}

int store_open(const struct store_env *env, struct store **out, struct store_report *why)
{
    struct store_report unused;
    struct store_super super;
    struct store *store;
    int copy, err;

    if (!why)
        why = &unused;
    copy = read_super(env, &super, why);
    if (copy < 0)
        return copy;
    store = env->alloc(env->ctx, sizeof(*store));
    if (!store)
        return -TWZ_ENOMEM;
    store->env = *env;
    store->super = super;
    store->super_copy = (uint32_t)copy;
    store->frames = super.frames;
    store->salt = word_salt_pool(super.uuid);
    word_low_table(store->low);
    err = super_check(&super, env->size >> STORE_FRAME_SHIFT, why);
    if (err < 0) {
        env->free(env->ctx, store, sizeof(*store));
        return err;
    }
    err = alloc_tables(store);
    if (err < 0) {
        store_close(store);
        return err;
    }
    *out = store;
    return 0;
}
