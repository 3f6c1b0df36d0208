/* SPDX-License-Identifier: MIT */
/*
 * The end of objects.
 *
 *   delete     COMMIT: commit word dead; then the same for each object tied to it, parents first. A
 *              power failure in between is rolled forward by recovery from the parent's word
 *   release    COMMIT: commit word free; then its frames go, which nothing leads to any more. The
 *              row waits until the last one is given back: it is only in memory that they wait
 */
#include <store/inside.h>

/* What drain does in one go: a quarter of a leaf. */
#define PIECES      4u
#define PIECE_WORDS (STORE_NODE_WORDS / PIECES)
#define ALL_PIECES  (STORE_NODE_WORDS * PIECES)

/* The object after `at` in the tree of ties under `top`, parents first; NO_SLOT at the end. `top`
 * is on nobody's list, so even a circle of ties ends. */
static uint32_t tie_next(const struct store *store, uint32_t top, uint32_t at)
{
    const struct row *row = row_of(store, at);

    if (row->tie_first)
        return row->tie_first - 1;
    while (at != top && at != STORE_NO_ROW) {
        row = row_of(store, at);
        if (row->tie_next)
            return row->tie_next - 1;
        at = object_parent(store, at);
    }
    return STORE_NO_ROW;
}

int store_obj_delete(struct store *store, uint32_t row, void (*died)(void *ctx, uint32_t row),
                     void *ctx)
{
    int err = object_changeable(store, row);
    uint32_t parent;

    if (err < 0 && err != -TWZ_EDAMAGED)
        return err;
    if (row_of(store, row)->state == STORE_DEAD)
        return -TWZ_EDELETED;
    parent = object_parent(store, row);
    if (parent != STORE_NO_ROW)
        tie_unlink(store, row, parent);
    for (uint32_t at = row; at != STORE_NO_ROW; at = tie_next(store, row, at)) {
        if (row_of(store, at)->state == STORE_DEAD)
            continue;
        object_commit_state(store, at, STORE_DEAD);
        if (died)
            died(ctx, at);
    }
    return 0;
}

static void drop_frame(struct store *store, uint64_t word, int page)
{
    if (STORE_WORD_FRAME(word))
        frame_defer_free(store, STORE_WORD_FRAME(word), page, 0);
}

/* The words [from, from + PIECE_WORDS) of the leaf whose first page is `first`. */
static void drop_pages(struct store *store, uint32_t row, uint64_t *leaf, uint32_t first,
                       uint32_t from)
{
    uint16_t salt = row_of(store, row)->salt;
    uint64_t absent = word_absent(salt, STORE_LOC_PAGE, first);

    for (uint32_t i = from; i < from + PIECE_WORDS; i++)
        if (leaf[i] != word_absent_at(absent, store->low, i) &&
            word_good(store, leaf[i], salt, STORE_LOC_PAGE, first + i))
            drop_frame(store, leaf[i], 1);
}

static void drop_direct(struct store *store, uint32_t row)
{
    const struct store_entry *entry = entry_of(store, row);
    uint16_t salt = row_of(store, row)->salt;

    for (uint32_t i = 0; i < STORE_DIRECT; i++)
        if (word_good(store, entry->direct[i], salt, STORE_LOC_PAGE, direct_page(i)))
            drop_frame(store, entry->direct[i], 1);
}

static void untie(struct store *store, uint32_t row)
{
    uint32_t parent = object_parent(store, row);
    struct row *state = row_of(store, row);

    while (state->tie_first)
        tie_unlink(store, state->tie_first - 1, row);
    if (parent != STORE_NO_ROW)
        tie_unlink(store, row, parent);
}

/* The entry becomes free; its words, which nothing on the media leads to now, wait for drain. */
static void free_entry(struct store *store, uint32_t row)
{
    struct row *state = row_of(store, row);

    untie(store, row);
    index_remove(store, row);
    object_commit_state(store, row, STORE_FREE);
    state->flags |= ROW_FREEING;
    state->drained = 0;
    store->objects--;
}

static int end_drain(struct store *store, uint32_t row)
{
    *row_of(store, row) = (struct row){ .state = STORE_FREE };
    bits_add(&store->free_rows, row);
    return 0;
}

/* Give frames back, of so many pieces at most; 1 while there are more, 0: the row is free. */
static int drain(struct store *store, uint32_t row, uint32_t pieces)
{
    struct row *state = row_of(store, row);
    uint64_t tree = entry_of(store, row)->tree;
    uint64_t *root = node_of(store, tree);
    uint64_t absent = word_absent(state->salt, STORE_LOC_ROOT, 0);

    pieces += !pieces;
    if (state->flags & ROW_DAMAGED)   /* its words may name frames of others: */
        return end_drain(store, row); /* the next recovery counts anew */
    if (state->drained == 0)
        drop_direct(store, row);
    if (!word_good(store, tree, state->salt, STORE_LOC_TREE, 0) ||
        STORE_WORD_STATE(tree) != STORE_NODE)
        return end_drain(store, row);
    for (; state->drained < ALL_PIECES; state->drained++) {
        uint32_t index = state->drained / PIECES, piece = state->drained % PIECES;
        uint64_t word = root[index];

        if (word == word_absent_at(absent, store->low, index) ||
            !word_good(store, word, state->salt, STORE_LOC_ROOT, index) ||
            STORE_WORD_STATE(word) != STORE_NODE) {
            state->drained += PIECES - 1;
            continue;
        }
        if (!pieces--)
            return 1;
        drop_pages(store, row, node_of(store, word), index << STORE_NODE_SHIFT,
                   piece * PIECE_WORDS);
        if (piece == PIECES - 1)
            drop_frame(store, word, 0);
    }
    drop_frame(store, tree, 0);
    return end_drain(store, row);
}

void object_free(struct store *store, uint32_t row)
{
    free_entry(store, row);
    (void)drain(store, row, ALL_PIECES);
}

int store_obj_release_some(struct store *store, uint32_t row, uint32_t pieces)
{
    int err = object_changeable(store, row);

    if (row < store->chunks * STORE_CHUNK_ENTRIES && row_of(store, row)->flags & ROW_FREEING)
        return drain(store, row, pieces);
    if (err < 0 && err != -TWZ_EDELETED && err != -TWZ_EDAMAGED)
        return err;
    if (row_of(store, row)->state != STORE_DEAD)
        return -TWZ_EINVAL;
    free_entry(store, row);
    return drain(store, row, pieces);
}

int store_obj_release(struct store *store, uint32_t row)
{
    return store_obj_release_some(store, row, ALL_PIECES);
}
