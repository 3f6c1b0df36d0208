/* SPDX-License-Identifier: MIT */
/*
 * Deletion and release of objects.
 *
 *   step                                      durable before it   after a crash in this step
 *   delete
 *   1 COMMIT: commit word DELETED             -                   old or new state
 *   2 COMMIT: the same for each object tied   the parent's word   recovery deletes the others, too
 *     to it, parents first, one a step
 *   release
 *   3 COMMIT: commit word FREE                -                   deleted; recovery releases it
 *   4 free the frames, batch by batch, then   the commit word     the frames and the row are free
 *     the row (volatile)
 *
 * After step 3 no durable word reaches the frames, so step 4 stores nothing to the media.
 */
#include <store/inside.h>

/* A leaf is freed in batches, each with its own part of the words. */
#define LEAF_BATCHES 4u
#define BATCH_WORDS  (STORE_NODE_WORDS / LEAF_BATCHES)
#define ALL_BATCHES  (STORE_NODE_WORDS * LEAF_BATCHES)

/* The parents whose children are being deleted, the deepest first, form a list through wit_next
 * that begins at wit_first of the object that the caller deleted. */
static void push_parent(const struct cursor *top, const struct cursor *parent)
{
    parent->row->wit_next = top->row->wit_first;
    top->row->wit_first = parent->number + 1;
}

static int commit_deletion(struct cursor *cursor, const struct store *store, uint32_t row)
{
    struct cursor parent;
    int err = cursor_open_writable(cursor, store, row);

    if (err < 0 && err != -TWZ_EDAMAGED)
        return err;
    if (cursor->row->flags & ROW_LATER)
        return -TWZ_EVERSION;
    if (cursor->row->state == STORE_DELETED)
        return -TWZ_EDELETED;
    if (object_parent(cursor, &parent))
        tie_unlink(cursor, &parent);
    object_commit_state(cursor, STORE_DELETED);
    cursor->row->wit_first = 0;
    return 0;
}

int store_obj_delete_begin(struct store *store, uint32_t row)
{
    struct cursor cursor;
    int err = commit_deletion(&cursor, store, row);

    return err < 0 ? err : cursor.row->tie_first != 0;
}

/* Each step deletes the first child of the deepest parent, or finds that this parent has no child
 * left. */
int store_obj_delete_tied(struct store *store, uint32_t row, uint32_t *deleted)
{
    struct cursor top, parent, child;

    cursor_set(&top, store, row);
    parent = top;
    if (top.row->wit_first)
        cursor_set(&parent, store, top.row->wit_first - 1);
    *deleted = parent.number;
    if (!parent.row->tie_first) {
        top.row->wit_first = parent.row->wit_next;
        return parent.number != row;
    }
    cursor_set(&child, store, parent.row->tie_first - 1);
    tie_unlink(&child, &parent);
    *deleted = row;
    if (commit_deletion(&child, store, child.number) < 0)
        return 1;
    if (child.row->tie_first)
        push_parent(&top, &child);
    else
        *deleted = child.number;
    return 1;
}

int store_obj_delete(struct store *store, uint32_t row, void (*deleted)(void *ctx, uint32_t row),
                     void *ctx)
{
    int err = store_obj_delete_begin(store, row);
    uint32_t tied;

    if (err < 0)
        return err;
    if (deleted)
        deleted(ctx, row);
    while (store_obj_delete_tied(store, row, &tied) > 0)
        if (deleted && tied != row)
            deleted(ctx, tied);
    return 0;
}

static void free_frame_of(struct store *store, uint64_t word, enum frame_use use)
{
    if (STORE_WORD_FRAME(word))
        frame_defer_free(store, STORE_WORD_FRAME(word), use, 0);
}

/* Free the pages of one batch: words `from` and following of the leaf that begins at page `first`.
 * */
static void free_leaf_batch(struct store *store, const struct cursor *cursor, const uint64_t *leaf,
                            uint32_t first, uint32_t from)
{
    uint64_t absent = word_absent(cursor->salt, STORE_LOC_PAGE, first);

    for (uint32_t i = from; i < from + BATCH_WORDS; i++)
        if (leaf[i] != word_absent_at(absent, store->low, i) &&
            walk_is_good(cursor, leaf[i], STORE_LOC_PAGE, first + i))
            free_frame_of(store, leaf[i], FRAME_PAGE);
}

static void free_direct(struct store *store, const struct cursor *cursor)
{
    const uint64_t *direct = cursor->entry->direct;

    for (uint32_t i = 0; i < STORE_DIRECT; i++)
        if (walk_is_good(cursor, direct[i], STORE_LOC_PAGE, page_of_direct(i)))
            free_frame_of(store, direct[i], FRAME_PAGE);
}

static void unlink_ties(const struct cursor *cursor)
{
    struct cursor other;

    while (cursor->row->tie_first) {
        cursor_set(&other, cursor->store, cursor->row->tie_first - 1);
        tie_unlink(&other, cursor);
    }
    if (object_parent(cursor, &other))
        tie_unlink(cursor, &other);
}

/* From here on the row has only frames to lose. A draft, too: no durable word reaches its frames.
 * */
static void begin_freeing(const struct cursor *cursor)
{
    cursor->row->flags &= (uint8_t)~ROW_DRAFT;
    cursor->row->flags |= ROW_FREEING;
    cursor->row->freed = 0;
}

/* Step 3. The words of the entry stay as they are, for free_batches. */
static void commit_free(struct store *store, const struct cursor *cursor)
{
    unlink_ties(cursor);
    index_remove(store, cursor);
    object_commit_state(cursor, STORE_FREE);
    begin_freeing(cursor);
    store->objects--;
}

static int free_row(struct store *store, const struct cursor *cursor)
{
    *cursor->row = (struct row){ .state = STORE_FREE };
    bits_add(&store->free_rows, cursor->number);
    return 0;
}

static bool is_node(const struct cursor *cursor, uint64_t word, uint32_t loc, uint32_t index)
{
    return walk_is_good(cursor, word, loc, index) && STORE_WORD_STATE(word) == STORE_NODE;
}

/*
 * Step 4: free at most `batches` batches, at least one. 1 if some are left, 0 if the row is free.
 * The words of a damaged object may name frames of other objects. Its frames therefore stay in use
 * until the next recovery, which counts the references again.
 */
static int free_batches(struct store *store, const struct cursor *cursor, uint32_t batches)
{
    struct row *row = cursor->row;
    uint64_t tree = cursor->entry->tree;
    uint64_t *root = walk_node(store, tree);
    uint64_t absent = word_absent(cursor->salt, STORE_LOC_ROOT, 0);

    batches += !batches;
    if (row->flags & ROW_DAMAGED)
        return free_row(store, cursor);
    if (row->freed == 0)
        free_direct(store, cursor);
    if (!is_node(cursor, tree, STORE_LOC_TREE, 0))
        return free_row(store, cursor);
    for (; row->freed < ALL_BATCHES; row->freed++) {
        uint32_t index = row->freed / LEAF_BATCHES, batch = row->freed % LEAF_BATCHES;
        uint64_t word = root[index];

        if (word == word_absent_at(absent, store->low, index) ||
            !is_node(cursor, word, STORE_LOC_ROOT, index)) {
            row->freed += LEAF_BATCHES - 1;
            continue;
        }
        if (!batches--)
            return 1;
        free_leaf_batch(store, cursor, walk_node(store, word), index << STORE_NODE_SHIFT,
                        batch * BATCH_WORDS);
        if (batch == LEAF_BATCHES - 1)
            free_frame_of(store, word, FRAME_META);
    }
    free_frame_of(store, tree, FRAME_META);
    return free_row(store, cursor);
}

void object_free(struct store *store, const struct cursor *cursor)
{
    commit_free(store, cursor);
    (void)free_batches(store, cursor, ALL_BATCHES);
}

int store_obj_release_some(struct store *store, uint32_t row, uint32_t batches)
{
    struct cursor cursor;
    int err = cursor_open_writable(&cursor, store, row);

    if (err == -TWZ_ENOOBJ && cursor.row->flags & ROW_FREEING)
        return free_batches(store, &cursor, batches);
    if (err < 0 && err != -TWZ_EDELETED && err != -TWZ_EDAMAGED)
        return err;
    if (cursor.row->flags & ROW_DRAFT) {
        begin_freeing(&cursor);
        return free_batches(store, &cursor, batches);
    }
    if (cursor.row->state != STORE_DELETED || cursor.row->flags & ROW_LATER)
        return -TWZ_EINVAL;
    commit_free(store, &cursor);
    return free_batches(store, &cursor, batches);
}

int store_obj_release(struct store *store, uint32_t row)
{
    return store_obj_release_some(store, row, ALL_BATCHES);
}
