/* SPDX-License-Identifier: MIT */
/*
 * Making a pool.
 *
 *   step                                       durable before it     after a crash in this step
 *   1 COMMIT: wipe the magic of both old       -                     the old pool, or none
 *     superblocks
 *   2 wipe the rest of their frames, write     both magics are 0     no pool
 *     counters, directory and bad-frame list
 *   3 COMMIT: superblock copy 0                all of step 2         no pool, or the new one
 *   4 write superblock copy 1                  copy 0                the new pool; recovery
 *                                                                    writes copy 1
 */
#include <store/inside.h>

/* Bytes of an empty object with its metadata page. */
#define EMPTY_OBJECT (STORE_FRAME_SIZE + sizeof(struct store_entry))

static uint64_t count_dir_words(uint64_t frames, uint64_t max_objects)
{
    uint64_t most = frames * STORE_FRAME_SIZE / sizeof(struct store_entry);

    if (!max_objects)
        max_objects = frames * STORE_FRAME_SIZE / EMPTY_OBJECT;
    if (most > STORE_CHUNKS_MAX * STORE_CHUNK_ENTRIES)
        most = STORE_CHUNKS_MAX * STORE_CHUNK_ENTRIES;
    if (max_objects > most)
        max_objects = most;
    return (max_objects + STORE_CHUNK_ENTRIES - 1) / STORE_CHUNK_ENTRIES;
}

/* Lay out the fixed frames: counters and directory, their second copies, the bad-frame list. */
static void plan_super(struct store_super *super, const struct store_mkpool *params,
                       uint64_t frames)
{
    uint64_t dir_frames;

    memset(super, 0, sizeof(*super));
    super->magic = STORE_MAGIC;
    super->version = STORE_VERSION;
    super->layout = store_layout();
    super->incompatible = STORE_INCOMPATIBLE;
    super->readonly_compatible = STORE_READONLY_COMPATIBLE;
    super->compatible = STORE_COMPATIBLE;
    memcpy(super->uuid, params->uuid, sizeof(super->uuid));
    super->frames = frames;
    super->member_count = 1;
    memcpy(super->member[0].uuid, params->uuid, sizeof(super->uuid));
    super->member[0].frames = frames;
    super->dir_words = count_dir_words(frames, params->max_objects);
    dir_frames = (super->dir_words + STORE_DIR_WORDS - 1) / STORE_DIR_WORDS;
    super->mono[0] = 2;
    super->dir[0] = 3;
    super->mono[1] = super->dir[0] + dir_frames;
    super->dir[1] = super->mono[1] + 1;
    super->bad = super->dir[1] + dir_frames;
    super->created = params->created;
    memcpy(super->label, params->label, sizeof(super->label) - 1);
    super->sequence = 1;
}

static void *frame_at(const struct store_env *env, uint64_t frame)
{
    return (uint8_t *)env->base + (frame << STORE_FRAME_SHIFT);
}

/* Fill a table with words of one body, index 0 and up. Flushed, not fenced. */
static void fill_words(uint64_t *words, uint64_t count, uint16_t salt, uint32_t loc, uint64_t body)
{
    for (uint64_t i = 0; i < count; i++)
        persist_store64(&words[i], word_seal(body, salt, loc, (uint32_t)i));
    persist_flush(words, count * sizeof(*words));
}

static void fill_counters(void *frame, uint16_t salt)
{
    uint8_t *at = frame;

    persist_zero_nt(frame, STORE_FRAME_SIZE);
    for (uint32_t i = 0; i < STORE_MONO_COUNT; i++) {
        uint64_t *word = (uint64_t *)(void *)(at + (size_t)i * STORE_MONO_STRIDE);

        persist_store64(word, word_seal(0, salt, STORE_LOC_MONO, i));
        persist_flush(word, sizeof(*word));
    }
}

static void wipe_supers(const struct store_env *env)
{
    for (uint32_t copy = 0; copy < 2; copy++) {
        struct store_super *super = frame_at(env, copy);

        persist_publish64(&super->magic, 0); /* COMMIT: the second one ends the old pool */
    }
    persist_fence(); /* no superblock, before the frames that it points to change */
    for (uint32_t copy = 0; copy < 2; copy++)
        persist_zero_nt(frame_at(env, copy), STORE_FRAME_SIZE);
}

int store_mkpool(const struct store_env *env, const struct store_mkpool *params)
{
    uint64_t frames = env->size >> STORE_FRAME_SHIFT;
    struct store_super super;
    uint16_t salt = word_salt_pool(params->uuid);

    if (frames < STORE_FRAMES_MIN)
        return -TWZ_ESHORT;
    if (frames > STORE_FRAMES_MAX)
        return -TWZ_EINVAL;
    plan_super(&super, params, frames);
    wipe_supers(env);
    for (uint32_t copy = 0; copy < 2; copy++) {
        uint8_t *block = frame_at(env, copy);
        uint64_t *epoch = (uint64_t *)(void *)(block + STORE_EPOCH_OFFSET);

        fill_words(epoch, 1, salt, STORE_LOC_EPOCH, 0);
        fill_counters(frame_at(env, super.mono[copy]), salt);
        fill_words(frame_at(env, super.dir[copy]), super.dir_words, salt, STORE_LOC_DIR,
                   word_body(STORE_ABSENT, 0, 0));
    }
    fill_words(frame_at(env, super.bad), STORE_NODE_WORDS, salt, STORE_LOC_BAD,
               word_body(STORE_ABSENT, 0, 0));
    persist_fence(); /* all that the superblock points to, before its first copy */
    super_write(env->base, 0, &super);
    super_write(env->base, 1, &super);
    return 0;
}
