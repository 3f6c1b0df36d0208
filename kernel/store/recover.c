/* SPDX-License-Identifier: MIT */
/*
 * Recovery: from the state that a power failure left to a consistent pool and its volatile tables.
 *
 *   0 writer     Raise the writer generation; durable before any other store. A hint, a snapshot or
 *                a copy that names a generation is therefore out of date once the pool may differ.
 *   1 mirrors    Superblock, monotonic counters and directory have two copies. The current one is
 *                known by its sequence number, the higher value, or the only word present. Recovery
 *                completes the other copy from it. One copy may be torn or lost.
 *   2 rollback   Objects of a resume set return to the committed epoch. No object is in one today.
 *   3 walk       Visit every entry and every word once; build rows, index and frame counts. Store
 *                nothing. A word that fails its check makes one object a damaged object, as does
 *                anything in an entry that this version does not know.
 *   4 reclaim    Retain or free provisional, deleted and tied objects (reclaim.c).
 *
 * Each phase depends only on the media. Phases 1 to 4 find less to do when they are repeated. A
 * power failure in recovery is therefore recovered by the next one, and a second recovery stores
 * nothing but the generation.
 */
#include <store/inside.h>

/* --- 1 mirrors ----------------------------------------------------------------------------- */

static void recover_super(struct store *store, struct store_recovery *result)
{
    uint32_t other = store->super_copy ^ 1u;
    const struct store_super *copy = env_frame(store, other);

    if (super_copy_state(copy) == 0 && copy->sequence == store->super.sequence)
        return;
    result->mirrors++;
    if (!store->readonly)
        super_write(store->env.base, other, &store->super);
}

/* Store the current value of a mirrored word in a copy that differs. */
static void repair_copy(struct store *store, uint64_t *at, uint64_t word,
                        struct store_recovery *result)
{
    if (*at == word)
        return;
    result->mirrors++;
    if (!store->readonly)
        persist_commit64(at, word); /* COMMIT: the mirror is complete */
}

/* Both copies of a monotonic word become the higher valid one. */
static int recover_monotonic(struct store *store, uint64_t *const copy[2], uint32_t loc,
                             uint32_t index, uint64_t *value, struct store_recovery *result)
{
    if (!super_highest(store, copy, loc, index, value))
        return -TWZ_EDAMAGED;
    for (uint32_t i = 0; i < 2; i++)
        repair_copy(store, copy[i], word_seal(*value, store->salt, loc, index), result);
    return 0;
}

static int recover_mono(struct store *store, struct store_recovery *result)
{
    uint64_t *epoch[2] = { epoch_word(store, 0), epoch_word(store, 1) };
    uint64_t committed;
    int err = recover_monotonic(store, epoch, STORE_LOC_EPOCH, 0, &committed, result);

    for (uint32_t i = 0; i < STORE_MONO_COUNT && err == 0; i++) {
        uint64_t *copy[2] = { mono_word(store, 0, i), mono_word(store, 1, i) };

        err = recover_monotonic(store, copy, STORE_LOC_MONO, i, &store->mono[i], result);
    }
    return err;
}

static bool is_dir_word(const struct store *store, uint64_t word, uint32_t chunk)
{
    uint32_t state = STORE_WORD_STATE(word);

    return word_is_valid(word, store->salt, STORE_LOC_DIR, chunk) &&
           word_is_sane(word, store->frames) && (state == STORE_ABSENT || state == STORE_CHUNK);
}

/* The current directory word of a chunk, from both copies; 0 if both are lost, or disagree. */
static uint64_t current_dir_word(const struct store *store, uint32_t chunk)
{
    uint64_t a = *table_dir_word(store, 0, chunk);
    uint64_t b = *table_dir_word(store, 1, chunk);
    bool good_a = is_dir_word(store, a, chunk);
    bool good_b = is_dir_word(store, b, chunk);

    if (!good_a || !good_b)
        return good_a ? a : good_b ? b : 0;
    if (a == b || STORE_WORD_STATE(b) == STORE_ABSENT)
        return a;
    return STORE_WORD_STATE(a) == STORE_ABSENT ? b : 0;
}

/* Complete the directory and find the chunks. The first absent word ends the table. */
static int recover_directory(struct store *store, struct store_recovery *result)
{
    for (uint32_t chunk = 0; chunk < store->super.dir_words; chunk++) {
        uint64_t *copy[2] = { table_dir_word(store, 0, chunk), table_dir_word(store, 1, chunk) };
        uint64_t word = current_dir_word(store, chunk);

        if (!word) {
            env_report_pool(store, copy[0], *copy[0], *copy[1], "directory word: both copies");
            return -TWZ_EDAMAGED;
        }
        repair_copy(store, copy[0], word, result);
        repair_copy(store, copy[1], word, result);
        if (STORE_WORD_STATE(word) == STORE_ABSENT)
            return 0;
        if (table_reserve(store, chunk) < 0)
            return -TWZ_ENOMEM;
        table_set_chunk(store, chunk, STORE_WORD_FRAME(word));
        store->chunks = chunk + 1;
    }
    return 0;
}

static int recover_mirrors(struct store *store, struct store_recovery *result)
{
    int err;

    recover_super(store, result);
    err = recover_mono(store, result);
    return err < 0 ? err : recover_directory(store, result);
}

/* --- 2 rollback ---------------------------------------------------------------------------- */

static void recover_rollback(struct store *store)
{
    (void)store; /* all objects are of class 0, which is never rolled back */
}

/* --- 3 walk -------------------------------------------------------------------------------- */

static void claim_fixed(struct store *store)
{
    uint64_t dir_frames = (store->super.dir_words + STORE_DIR_WORDS - 1) / STORE_DIR_WORDS;

    frames_fill(store);
    (void)frame_claim(store, (uint32_t)store->super.bad, FRAME_META, false);
    for (uint32_t copy = 0; copy < 2; copy++) {
        (void)frame_claim(store, copy, FRAME_META, false);
        (void)frame_claim(store, (uint32_t)store->super.mono[copy], FRAME_META, false);
        for (uint64_t i = 0; i < dir_frames; i++)
            (void)frame_claim(store, (uint32_t)(store->super.dir[copy] + i), FRAME_META, false);
    }
}

static int claim_chunks(struct store *store)
{
    for (uint32_t chunk = 0; chunk < store->chunks; chunk++) {
        uint64_t *word = table_dir_word(store, 0, chunk);

        if (frame_claim(store, STORE_WORD_FRAME(current_dir_word(store, chunk)), FRAME_META,
                        false) == 0)
            continue;
        env_report_pool(store, word, *word, 0, "directory word: frame is in use");
        return -TWZ_EDAMAGED;
    }
    return 0;
}

static void set_damaged(const struct cursor *cursor, const void *at, uint64_t found,
                        uint64_t wanted, const char *what)
{
    cursor->row->flags |= ROW_DAMAGED;
    cursor_report(cursor, at, found, wanted, what);
}

struct claim {
    struct store *store;
    const struct cursor *cursor;
};

/* Claim the frame that a word points to. */
static bool claim_word(void *ctx, const struct walk_word *word)
{
    struct claim *claim = ctx;
    uint32_t state = STORE_WORD_STATE(word->word);
    uint32_t frame = STORE_WORD_FRAME(word->word);
    int err;

    if (!word->good) {
        set_damaged(claim->cursor, word->at, word->word, word->index,
                    word->loc == STORE_LOC_PAGE ? "page word" : "node word");
        return false;
    }
    if (!frame)
        return false;
    err = frame_claim(claim->store, frame, word->loc == STORE_LOC_PAGE ? FRAME_PAGE : FRAME_META,
                      state == STORE_SHARED || state == STORE_POISONED);
    if (err == 0) {
        row_count(claim->cursor->row, word->loc == STORE_LOC_PAGE, word->loc != STORE_LOC_PAGE);
        return true;
    }
    set_damaged(claim->cursor, word->at, word->word, frame,
                err == -TWZ_EFULL ? "frame is shared by too many words" : "frame is reached twice");
    return false;
}

/* Enter an object into the index. If two have one ID, the second is damaged. */
static void index_object(struct store *store, const struct cursor *cursor)
{
    const objid_t *id = &cursor->entry->id;
    struct cursor other;

    if (!index_find(store, *id, &other))
        index_add(store, cursor);
    else
        set_damaged(cursor, id, id->lo, 0, "ID exists twice");
}

/* Set the state of an object from its commit word, and check its version. */
static void recover_state(const struct cursor *cursor)
{
    const struct store_entry *entry = cursor->entry;
    uint32_t state = STORE_COMMIT_STATE(entry->commit);
    const struct store_version *version = entry_version(entry);
    const char *unknown;
    uint32_t crc;

    if (!word_is_valid(entry->commit, cursor->store->salt, STORE_LOC_COMMIT, cursor->number) ||
        state < STORE_PROVISIONAL || state > STORE_DELETED) {
        set_damaged(cursor, &entry->commit, entry->commit, 0, "commit word");
        return;
    }
    cursor->row->state = (uint8_t)state;
    crc = entry_crc(entry->id, &entry->identity, version);
    if (crc != STORE_COMMIT_CRC(entry->commit)) {
        set_damaged(cursor, version, crc, STORE_COMMIT_CRC(entry->commit), "entry checksum");
        return;
    }
    unknown = entry_unknown(&entry->identity, version);
    if (!unknown)
        return;
    set_damaged(cursor, version, version->flags, entry->identity.kind, unknown);
    cursor->row->flags |= ROW_LATER;
}

static int recover_object(struct store *store, struct cursor *cursor, struct store_recovery *result)
{
    const uint64_t *revoke = &cursor->entry->revoke;
    struct claim claim = { store, cursor };

    if (index_reserve(store) < 0)
        return -TWZ_ENOMEM;
    cursor->salt = word_salt_object(store->salt, cursor->entry->id);
    cursor->row->salt = cursor->salt;
    cursor->row->state = STORE_LIVE;
    store->objects++;
    recover_state(cursor);
    store->charged |= !objid_is_none(entry_version(cursor->entry)->account);
    if (!word_is_valid(*revoke, cursor->salt, STORE_LOC_REVOKE, 0))
        set_damaged(cursor, revoke, *revoke, 0, "revocation word");
    index_object(store, cursor);
    walk_object(cursor, claim_word, &claim);
    result->damaged += cursor->row->flags & ROW_DAMAGED ? 1u : 0u;
    return 0;
}

static bool is_free_row(const struct cursor *cursor)
{
    uint64_t commit = cursor->entry->commit;

    return STORE_COMMIT_STATE(commit) == STORE_FREE &&
           word_is_valid(commit, cursor->store->salt, STORE_LOC_COMMIT, cursor->number);
}

static int recover_walk(struct store *store, struct store_recovery *result)
{
    struct cursor cursor;
    int err;

    claim_fixed(store);
    err = claim_chunks(store);
    badframes_find(store);
    for (uint32_t number = 0; err == 0 && number < table_rows(store); number++) {
        cursor_set(&cursor, store, number);
        if (is_free_row(&cursor)) {
            cursor.row->state = STORE_FREE;
            bits_add(&store->free_rows, number);
        } else {
            err = recover_object(store, &cursor, result);
        }
    }
    badframes_claim(store);
    return err;
}

/* --- all ----------------------------------------------------------------------------------- */

/* Run the phases in order. */
static int recover_pool(struct store *store, struct store_recovery *result)
{
    int err;

    memset(result, 0, sizeof(*result));
    err = recover_mirrors(store, result);
    if (err < 0)
        return err;
    recover_rollback(store);
    err = recover_walk(store, result);
    if (err < 0)
        return err;
    reclaim_objects(store, result);
    result->objects = store->objects;
    result->frames = store->frames - frames_free(store) - (store->bad_spare ? 1 : 0);
    store->recovered = true;
    return 0;
}

int store_recover(struct store *store, struct store_recovery *result)
{
    int err = 0;

    if (store_unknown_features(store))
        return -TWZ_EVERSION;
    if (!store->env.scratch)
        err = super_raise_writer(store);
    return err < 0 ? err : recover_pool(store, result);
}

int store_recover_readonly(struct store *store, struct store_recovery *result)
{
    store->readonly = true;
    return recover_pool(store, result);
}
