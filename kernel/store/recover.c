/* SPDX-License-Identifier: MIT */
/*
 * Recovery: from whatever a power failure left to a consistent pool and its volatile tables.
 *
 *   1 mirrors    superblock, mono words and directory: of each pair the copy that holds is known
 *                (sequence number; the higher value; the word that is there); the other is written
 *                from it. Either copy may be torn or lost, not both.
 *   2 rollback   objects of a resume set go back to the committed epoch. No object is in one today.
 *   3 walk       every entry, every word, once: rows, index, frames. Stores nothing. What fails
 *                its check is damage of that one object.
 *   4 sweep      provisional, dead and tied objects are settled (reclaim.c)
 *
 * Each phase only repeats what a finished one would find done, so a power failure inside is
 * recovered by beginning again, and a second recovery stores nothing.
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

/* The winner of a mirrored word is known: store it where it is not. */
static void mirror_word(struct store *store, uint64_t *at, uint64_t word,
                        struct store_recovery *result)
{
    if (*at == word)
        return;
    result->mirrors++;
    if (!store->readonly)
        persist_commit64(at, word); /* COMMIT: mirror complete */
}

/* Two copies of a word that only rises: both become the higher valid one. */
static int recover_rising(struct store *store, uint64_t *copy[2], uint32_t place, uint32_t index,
                          uint64_t *value, struct store_recovery *result)
{
    int valid = 0;

    *value = 0;
    for (uint32_t i = 0; i < 2; i++) {
        if (!word_is_valid(*copy[i], store->salt, place, index))
            continue;
        valid = 1;
        if (STORE_WORD_BODY(*copy[i]) > *value)
            *value = STORE_WORD_BODY(*copy[i]);
    }
    if (!valid) {
        env_report_pool(store, copy[0], *copy[0], *copy[1],
                        "word that never goes back: both copies");
        return -TWZ_EDAMAGED;
    }
    for (uint32_t i = 0; i < 2; i++)
        mirror_word(store, copy[i], word_seal(*value, store->salt, place, index), result);
    return 0;
}

static int recover_mono(struct store *store, struct store_recovery *result)
{
    uint64_t *epoch[2] = { epoch_word(store, 0), epoch_word(store, 1) };
    uint64_t committed;
    int err = recover_rising(store, epoch, STORE_LOC_EPOCH, 0, &committed, result);

    for (uint32_t i = 0; i < STORE_MONO_COUNT && err == 0; i++) {
        uint64_t *copy[2] = { mono_word(store, 0, i), mono_word(store, 1, i) };

        err = recover_rising(store, copy, STORE_LOC_MONO, i, &store->mono[i], result);
    }
    return err;
}

static int dir_good(const struct store *store, uint64_t word, uint32_t chunk)
{
    uint32_t state = STORE_WORD_STATE(word);

    return word_is_valid(word, store->salt, STORE_LOC_DIR, chunk) &&
           word_is_sane(word, store->frames) && (state == STORE_ABSENT || state == STORE_CHUNK);
}

/* The directory's word for a chunk, from both copies; 0 where both are lost or disagree. */
static uint64_t dir_winner(const struct store *store, uint32_t chunk)
{
    uint64_t a = *table_dir_word(store, 0, chunk);
    uint64_t b = *table_dir_word(store, 1, chunk);
    int good_a = dir_good(store, a, chunk);
    int good_b = dir_good(store, b, chunk);

    if (!good_a || !good_b)
        return good_a ? a : good_b ? b : 0;
    if (a == b || STORE_WORD_STATE(b) == STORE_ABSENT)
        return a;
    return STORE_WORD_STATE(a) == STORE_ABSENT ? b : 0;
}

static int recover_directory(struct store *store, struct store_recovery *result)
{
    for (uint32_t chunk = 0; chunk < store->super.dir_words; chunk++) {
        uint64_t *copy[2] = { table_dir_word(store, 0, chunk), table_dir_word(store, 1, chunk) };
        uint64_t word = dir_winner(store, chunk);

        if (!word) {
            env_report_pool(store, copy[0], *copy[0], *copy[1], "directory word: both copies");
            return -TWZ_EDAMAGED;
        }
        mirror_word(store, copy[0], word, result);
        mirror_word(store, copy[1], word, result);
        if (STORE_WORD_STATE(word) == STORE_ABSENT)
            return 0;
        if (table_reserve(store, chunk) < 0)
            return -TWZ_ENOMEM;
        store->segment[chunk / SEGMENT_CHUNKS]->chunk[chunk % SEGMENT_CHUNKS].frame =
            STORE_WORD_FRAME(word);
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
    (void)store; /* every object keeps the promise of class 0: nothing goes back */
}

/* --- 3 walk -------------------------------------------------------------------------------- */

static void claim_fixed(struct store *store)
{
    uint64_t dir_frames = (store->super.dir_words + STORE_DIR_WORDS - 1) / STORE_DIR_WORDS;

    bits_fill(&store->free_frames);
    for (uint32_t copy = 0; copy < 2; copy++) {
        (void)frame_claim(store, copy, 0, 0);
        (void)frame_claim(store, (uint32_t)store->super.mono[copy], 0, 0);
        for (uint64_t i = 0; i < dir_frames; i++)
            (void)frame_claim(store, (uint32_t)(store->super.dir[copy] + i), 0, 0);
    }
}

static int claim_chunks(struct store *store)
{
    for (uint32_t chunk = 0; chunk < store->chunks; chunk++) {
        uint64_t *word = table_dir_word(store, 0, chunk);

        if (frame_claim(store, STORE_WORD_FRAME(dir_winner(store, chunk)), 0, 0) == 0)
            continue;
        env_report_pool(store, word, *word, 0, "directory word: frame is taken");
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

static int claim_word(void *ctx, const struct walk_word *word)
{
    struct claim *claim = ctx;
    uint32_t state = STORE_WORD_STATE(word->word);
    uint32_t frame = STORE_WORD_FRAME(word->word);
    int err;

    if (!word->valid) {
        set_damaged(claim->cursor, word->at, word->word, word->index,
                    word->loc == STORE_LOC_PAGE ? "page word" : "node word");
        return 0;
    }
    if (!frame)
        return 0;
    err = frame_claim(claim->store, frame, word->loc == STORE_LOC_PAGE,
                      state == STORE_SHARED || state == STORE_POISONED);
    if (err == 0)
        return 1;
    set_damaged(claim->cursor, word->at, word->word, frame,
                err == -TWZ_EFULL ? "frame is shared by too many words" : "frame is reached twice");
    return 0;
}

/* Make a row known under its ID, unless another is. */
static void walk_index(struct store *store, const struct cursor *cursor)
{
    const objid_t *id = &cursor->entry->id;
    struct cursor other;

    if (!index_find(store, *id, &other))
        index_add(store, cursor);
    else
        set_damaged(cursor, id, id->lo, 0, "ID exists twice");
}

static void check_commit(const struct cursor *cursor)
{
    const struct store_entry *entry = cursor->entry;
    uint32_t state = STORE_COMMIT_STATE(entry->commit);
    uint32_t crc;

    if (!word_is_valid(entry->commit, cursor->store->salt, STORE_LOC_COMMIT, cursor->number) ||
        state < STORE_PROVISIONAL || state > STORE_DELETED) {
        set_damaged(cursor, &entry->commit, entry->commit, 0, "commit word");
        return;
    }
    cursor->row->state = (uint8_t)state;
    crc = entry_crc(entry->id, &entry->identity, entry_version(entry));
    if (crc != STORE_COMMIT_CRC(entry->commit))
        set_damaged(cursor, entry_version(entry), crc, STORE_COMMIT_CRC(entry->commit),
                    "record checksum");
}

static int walk_entry(struct store *store, struct cursor *cursor, struct store_recovery *result)
{
    const uint64_t *revoke = &cursor->entry->revoke;
    struct claim claim = { store, cursor };

    if (index_reserve(store) < 0)
        return -TWZ_ENOMEM;
    cursor->salt = word_salt_object(store->salt, cursor->entry->id);
    cursor->row->salt = cursor->salt;
    cursor->row->state = STORE_LIVE;
    store->objects++;
    check_commit(cursor);
    if (!word_is_valid(*revoke, cursor->salt, STORE_LOC_REVOKE, 0))
        set_damaged(cursor, revoke, *revoke, 0, "revocation word");
    walk_index(store, cursor);
    (void)walk_object(cursor, claim_word, &claim);
    result->damaged += cursor->row->flags & ROW_DAMAGED ? 1u : 0u;
    return 0;
}

static bool is_free(const struct cursor *cursor)
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
    for (uint32_t number = 0; err == 0 && number < table_rows(store); number++) {
        cursor_set(&cursor, store, number);
        if (is_free(&cursor)) {
            cursor.row->state = STORE_FREE;
            bits_add(&store->free_rows, number);
        } else {
            err = walk_entry(store, &cursor, result);
        }
    }
    return err;
}

/* --- all ----------------------------------------------------------------------------------- */

static int recover(struct store *store, struct store_recovery *result)
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
    err = reclaim_objects(store, result);
    if (err < 0)
        return err;
    result->objects = store->objects;
    result->frames = store->frames - frames_free(store);
    store->recovered = 1;
    return 0;
}

int store_recover(struct store *store, struct store_recovery *result)
{
    return recover(store, result);
}

int store_recover_readonly(struct store *store, struct store_recovery *result)
{
    store->readonly = 1;
    return recover(store, result);
}
