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
static bool next_tied(uint32_t top, struct cursor *at)
{
    const struct store *store = at->store;
    struct cursor parent;

    if (at->row->tie_first) {
        cursor_set(at, store, at->row->tie_first - 1);
        return true;
    }
    while (at->number != top) {
        if (at->row->tie_next) {
            cursor_set(at, store, at->row->tie_next - 1);
            return true;
        }
        if (!object_parent(at, &parent))
            return false;
        *at = parent;
    }
    return false;
}

int store_obj_delete(struct store *store, uint32_t row, void (*died)(void *ctx, uint32_t row),
                     void *ctx)
{
    struct cursor at, parent;
    int err = cursor_open_writable(&at, store, row);

    if (err < 0 && err != -TWZ_EDAMAGED)
        return err;
    if (at.row->state == STORE_DELETED)
        return -TWZ_EDELETED;
    if (object_parent(&at, &parent))
        tie_unlink(&at, &parent);
    do {
        if (at.row->state == STORE_DELETED)
            continue;
        object_commit_state(&at, STORE_DELETED);
        if (died)
            died(ctx, at.number);
    } while (next_tied(row, &at));
    return 0;
}

static void drop_frame(struct store *store, uint64_t word, int page)
{
    if (STORE_WORD_FRAME(word))
        frame_defer_free(store, STORE_WORD_FRAME(word), page, 0);
}

/* The words [from, from + PIECE_WORDS) of the leaf whose first page is `first`. */
static void drop_pages(struct store *store, const struct cursor *cursor, const uint64_t *leaf,
                       uint32_t first, uint32_t from)
{
    uint64_t absent = word_absent(cursor->salt, STORE_LOC_PAGE, first);

    for (uint32_t i = from; i < from + PIECE_WORDS; i++)
        if (leaf[i] != word_absent_at(absent, store->low, i) &&
            walk_is_good(cursor, leaf[i], STORE_LOC_PAGE, first + i))
            drop_frame(store, leaf[i], 1);
}

static void drop_direct(struct store *store, const struct cursor *cursor)
{
    const uint64_t *direct = cursor->entry->direct;

    for (uint32_t i = 0; i < STORE_DIRECT; i++)
        if (walk_is_good(cursor, direct[i], STORE_LOC_PAGE, page_of_direct(i)))
            drop_frame(store, direct[i], 1);
}

static void untie(const struct cursor *cursor)
{
    struct cursor other;

    while (cursor->row->tie_first) {
        cursor_set(&other, cursor->store, cursor->row->tie_first - 1);
        tie_unlink(&other, cursor);
    }
    if (object_parent(cursor, &other))
        tie_unlink(cursor, &other);
}

/* The entry becomes free; its words, which nothing on the media leads to now, wait for drain. */
static void free_entry(struct store *store, const struct cursor *cursor)
{
    untie(cursor);
    index_remove(store, cursor);
    object_commit_state(cursor, STORE_FREE);
    cursor->row->flags |= ROW_FREEING;
    cursor->row->drained = 0;
    store->objects--;
}

static int end_drain(struct store *store, const struct cursor *cursor)
{
    *cursor->row = (struct row){ .state = STORE_FREE };
    bits_add(&store->free_rows, cursor->number);
    return 0;
}

static bool is_node(const struct cursor *cursor, uint64_t word, uint32_t loc, uint32_t index)
{
    return walk_is_good(cursor, word, loc, index) && STORE_WORD_STATE(word) == STORE_NODE;
}

/* Give frames back, of so many pieces at most; 1 while there are more, 0: the row is free. */
static int drain(struct store *store, const struct cursor *cursor, uint32_t pieces)
{
    struct row *row = cursor->row;
    uint64_t tree = cursor->entry->tree;
    uint64_t *root = walk_node(store, tree);
    uint64_t absent = word_absent(cursor->salt, STORE_LOC_ROOT, 0);

    pieces += !pieces;
    if (row->flags & ROW_DAMAGED)        /* its words may name frames of others: */
        return end_drain(store, cursor); /* the next recovery counts anew */
    if (row->drained == 0)
        drop_direct(store, cursor);
    if (!is_node(cursor, tree, STORE_LOC_TREE, 0))
        return end_drain(store, cursor);
    for (; row->drained < ALL_PIECES; row->drained++) {
        uint32_t index = row->drained / PIECES, piece = row->drained % PIECES;
        uint64_t word = root[index];

        if (word == word_absent_at(absent, store->low, index) ||
            !is_node(cursor, word, STORE_LOC_ROOT, index)) {
            row->drained += PIECES - 1;
            continue;
        }
        if (!pieces--)
            return 1;
        drop_pages(store, cursor, walk_node(store, word), index << STORE_NODE_SHIFT,
                   piece * PIECE_WORDS);
        if (piece == PIECES - 1)
            drop_frame(store, word, 0);
    }
    drop_frame(store, tree, 0);
    return end_drain(store, cursor);
}

void object_free(struct store *store, const struct cursor *cursor)
{
    free_entry(store, cursor);
    (void)drain(store, cursor, ALL_PIECES);
}

int store_obj_release_some(struct store *store, uint32_t row, uint32_t pieces)
{
    struct cursor cursor;
    int err = cursor_open_writable(&cursor, store, row);

    if (err == -TWZ_ENOOBJ && cursor.row->flags & ROW_FREEING)
        return drain(store, &cursor, pieces);
    if (err < 0 && err != -TWZ_EDELETED && err != -TWZ_EDAMAGED)
        return err;
    if (cursor.row->state != STORE_DELETED)
        return -TWZ_EINVAL;
    free_entry(store, &cursor);
    return drain(store, &cursor, pieces);
}

int store_obj_release(struct store *store, uint32_t row)
{
    return store_obj_release_some(store, row, ALL_PIECES);
}
