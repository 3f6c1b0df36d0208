/* SPDX-License-Identifier: MIT */
/*
 * The end of objects.
 *
 *   delete     COMMIT: commit word dead; then the same for each object tied to it, parents first. A
 *              power failure in between is rolled forward by recovery from the parent's word
 *   release    COMMIT: commit word free; then its frames go, which nothing leads to any more. The
 *              slot waits until the last one is given back: it is only in memory that they wait
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
    const struct slot *slot = slot_of(store, at);

    if (slot->tie_first)
        return slot->tie_first - 1;
    while (at != top && at != STORE_NO_SLOT) {
        slot = slot_of(store, at);
        if (slot->tie_next)
            return slot->tie_next - 1;
        at = object_parent(store, at);
    }
    return STORE_NO_SLOT;
}

int store_obj_delete(struct store *store, uint32_t slot, void (*died)(void *ctx, uint32_t slot),
                     void *ctx)
{
    int err = object_changeable(store, slot);
    uint32_t parent;

    if (err < 0 && err != -TWZ_EDAMAGED)
        return err;
    if (slot_of(store, slot)->state == STORE_DEAD)
        return -TWZ_EDELETED;
    parent = object_parent(store, slot);
    if (parent != STORE_NO_SLOT)
        tie_unlink(store, slot, parent);
    for (uint32_t at = slot; at != STORE_NO_SLOT; at = tie_next(store, slot, at)) {
        if (slot_of(store, at)->state == STORE_DEAD)
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
        space_defer_free(store, STORE_WORD_FRAME(word), page, 0);
}

/* The words [from, from + PIECE_WORDS) of the leaf whose first page is `first`. */
static void drop_pages(struct store *store, uint32_t slot, uint64_t *leaf, uint32_t first,
                       uint32_t from)
{
    uint16_t salt = slot_of(store, slot)->salt;
    uint64_t absent = word_absent(salt, STORE_PLACE_PAGE, first);

    for (uint32_t i = from; i < from + PIECE_WORDS; i++)
        if (leaf[i] != word_absent_at(absent, store->low, i) &&
            word_good(store, leaf[i], salt, STORE_PLACE_PAGE, first + i))
            drop_frame(store, leaf[i], 1);
}

static void drop_direct(struct store *store, uint32_t slot)
{
    const struct store_entry *entry = entry_of(store, slot);
    uint16_t salt = slot_of(store, slot)->salt;

    for (uint32_t i = 0; i < STORE_DIRECT; i++)
        if (word_good(store, entry->direct[i], salt, STORE_PLACE_PAGE, direct_page(i)))
            drop_frame(store, entry->direct[i], 1);
}

static void untie(struct store *store, uint32_t slot)
{
    uint32_t parent = object_parent(store, slot);
    struct slot *state = slot_of(store, slot);

    while (state->tie_first)
        tie_unlink(store, state->tie_first - 1, slot);
    if (parent != STORE_NO_SLOT)
        tie_unlink(store, slot, parent);
}

/* The entry becomes free; its words, which nothing on the media leads to now, wait for drain. */
static void free_entry(struct store *store, uint32_t slot)
{
    struct slot *state = slot_of(store, slot);

    untie(store, slot);
    index_remove(store, slot);
    object_commit_state(store, slot, STORE_FREE);
    state->flags |= SLOT_DRAINING;
    state->drained = 0;
    store->objects--;
}

static int end_drain(struct store *store, uint32_t slot)
{
    *slot_of(store, slot) = (struct slot){ .state = STORE_FREE };
    bits_add(&store->free_slots, slot);
    return 0;
}

/* Give frames back, of so many pieces at most; 1 while there are more, 0: the slot is free. */
static int drain(struct store *store, uint32_t slot, uint32_t pieces)
{
    struct slot *state = slot_of(store, slot);
    uint64_t tree = entry_of(store, slot)->tree;
    uint64_t *root = node_of(store, tree);
    uint64_t absent = word_absent(state->salt, STORE_PLACE_ROOT, 0);

    pieces += !pieces;
    if (state->flags & SLOT_DAMAGED)   /* its words may name frames of others: */
        return end_drain(store, slot); /* the next recovery counts anew */
    if (state->drained == 0)
        drop_direct(store, slot);
    if (!word_good(store, tree, state->salt, STORE_PLACE_TREE, 0) ||
        STORE_WORD_STATE(tree) != STORE_NODE)
        return end_drain(store, slot);
    for (; state->drained < ALL_PIECES; state->drained++) {
        uint32_t index = state->drained / PIECES, piece = state->drained % PIECES;
        uint64_t word = root[index];

        if (word == word_absent_at(absent, store->low, index) ||
            !word_good(store, word, state->salt, STORE_PLACE_ROOT, index) ||
            STORE_WORD_STATE(word) != STORE_NODE) {
            state->drained += PIECES - 1;
            continue;
        }
        if (!pieces--)
            return 1;
        drop_pages(store, slot, node_of(store, word), index << STORE_NODE_SHIFT,
                   piece * PIECE_WORDS);
        if (piece == PIECES - 1)
            drop_frame(store, word, 0);
    }
    drop_frame(store, tree, 0);
    return end_drain(store, slot);
}

void object_free(struct store *store, uint32_t slot)
{
    free_entry(store, slot);
    (void)drain(store, slot, ALL_PIECES);
}

int store_obj_release_some(struct store *store, uint32_t slot, uint32_t pieces)
{
    int err = object_changeable(store, slot);

    if (slot < store->chunks * STORE_CHUNK_SLOTS && slot_of(store, slot)->flags & SLOT_DRAINING)
        return drain(store, slot, pieces);
    if (err < 0 && err != -TWZ_EDELETED && err != -TWZ_EDAMAGED)
        return err;
    if (slot_of(store, slot)->state != STORE_DEAD)
        return -TWZ_EINVAL;
    free_entry(store, slot);
    return drain(store, slot, pieces);
}

int store_obj_release(struct store *store, uint32_t slot)
{
    return store_obj_release_some(store, slot, ALL_PIECES);
}
