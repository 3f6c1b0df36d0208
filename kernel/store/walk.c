/* SPDX-License-Identifier: MIT */
/*
 * Reading the words of one object: direct words in its entry, then root -> leaf. Nothing here
 * stores. A word counts only if its check and its sanity hold; a node is entered only through such
 * a word, so no walk leaves the pool or loops (the tree has two levels, whatever the words say).
 */
#include <store/inside.h>

int page_direct(uint32_t page)
{
    if (page >= 1 && page <= STORE_DIRECT_DATA)
        return (int)page - 1;
    if (page <= TWZ_PAGE_META && page > TWZ_PAGE_META - (STORE_DIRECT - STORE_DIRECT_META))
        return (int)(STORE_DIRECT_META + (TWZ_PAGE_META - page));
    return -1;
}

uint32_t direct_page(uint32_t direct)
{
    return direct < STORE_DIRECT_DATA ? direct + 1 : TWZ_PAGE_META - (direct - STORE_DIRECT_META);
}

uint64_t *node_of(const struct store *store, uint64_t word)
{
    return store_frame_ptr(store, STORE_WORD_FRAME(word));
}

int word_good(const struct store *store, uint64_t word, uint16_t salt, uint32_t place,
              uint32_t index)
{
    uint32_t state = STORE_WORD_STATE(word);

    if (!word_valid(word, salt, place, index) || !word_sane(word, store->frames))
        return 0;
    if (state == STORE_ABSENT)
        return 1;
    if (place == STORE_LOC_PAGE)
        return state >= STORE_HOLE && state <= STORE_POISONED;
    return state == STORE_NODE;
}

int walk_leaf(const struct store *store, uint32_t row, uint32_t page, uint64_t **leaf,
              uint64_t **parent, uint32_t *place)
{
    struct store_entry *entry = entry_of(store, row);
    uint16_t salt = row_of(store, row)->salt;
    uint32_t index = page >> STORE_NODE_SHIFT;
    uint64_t word = entry->tree;

    *leaf = NULL;
    *parent = &entry->tree;
    *place = STORE_LOC_TREE;
    if (!word_good(store, word, salt, STORE_LOC_TREE, 0))
        return -TWZ_EDAMAGED;
    if (STORE_WORD_STATE(word) == STORE_ABSENT)
        return 0;
    *parent = &node_of(store, word)[index];
    *place = STORE_LOC_ROOT;
    word = **parent;
    if (!word_good(store, word, salt, STORE_LOC_ROOT, index))
        return -TWZ_EDAMAGED;
    if (STORE_WORD_STATE(word) == STORE_NODE)
        *leaf = node_of(store, word);
    return 0;
}

int store_page_get(const struct store *store, uint32_t row, uint32_t page, struct store_page *out)
{
    int direct = page_direct(page);
    uint64_t *leaf, *parent, word;
    uint32_t place;

    if (row >= store->chunks * STORE_CHUNK_ENTRIES)
        return -TWZ_EINVAL;
    if (page < 1 || page > TWZ_PAGE_META)
        return -TWZ_ERANGE;
    *out = (struct store_page){ .page = page, .state = STORE_ABSENT };
    if (direct >= 0) {
        word = entry_of(store, row)->direct[direct];
    } else {
        int err = walk_leaf(store, row, page, &leaf, &parent, &place);

        if (err < 0 || !leaf)
            return err;
        word = leaf[page % STORE_NODE_WORDS];
    }
    if (!word_good(store, word, row_of(store, row)->salt, STORE_LOC_PAGE, page))
        return -TWZ_EDAMAGED;
    out->frame = STORE_WORD_FRAME(word);
    out->state = STORE_WORD_STATE(word);
    out->flags = STORE_WORD_FLAGS(word);
    return 0;
}

int walk_value(const struct store *store, uint32_t row, uint64_t offset, uint64_t *value)
{
    struct store_page page;
    int err = store_page_get(store, row, (uint32_t)(offset >> STORE_FRAME_SHIFT), &page);
    const uint64_t *words;

    *value = 0;
    if (err < 0 || (page.state != STORE_PRESENT && page.state != STORE_SHARED))
        return err;
    words = store_frame_ptr(store, page.frame);
    *value = words[(offset & (STORE_FRAME_SIZE - 1)) / sizeof(uint64_t)];
    return 0;
}

/* One pass over an object: who looks, and whose words they are. */
struct walk {
    const struct store *store;
    uint16_t salt;
    int (*visit)(void *ctx, const struct walk_word *word);
    void *ctx;
};

static int visit_word(const struct walk *walk, uint64_t *at, uint32_t place, uint32_t index)
{
    struct walk_word word = { .at = at, .word = *at, .place = place, .index = index };
    int said;

    word.valid = word_good(walk->store, word.word, walk->salt, place, index);
    if (word.valid && STORE_WORD_STATE(word.word) == STORE_ABSENT)
        return 0;
    said = walk->visit(walk->ctx, &word);
    return word.valid || said < 0 ? said : 0;
}

static int may_enter(int said, uint64_t word)
{
    return said > 0 && STORE_WORD_STATE(word) == STORE_NODE;
}

static int walk_pages(const struct walk *walk, uint64_t *leaf, uint32_t first)
{
    uint64_t absent = word_absent(walk->salt, STORE_LOC_PAGE, first);

    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++) {
        int said;

        if (leaf[i] == word_absent_at(absent, walk->store->low, i))
            continue;
        said = visit_word(walk, &leaf[i], STORE_LOC_PAGE, first + i);
        if (said < 0)
            return said;
    }
    return 0;
}

static int walk_root(const struct walk *walk, uint64_t *root)
{
    uint64_t absent = word_absent(walk->salt, STORE_LOC_ROOT, 0);

    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++) {
        int said;

        if (root[i] == word_absent_at(absent, walk->store->low, i))
            continue;
        said = visit_word(walk, &root[i], STORE_LOC_ROOT, i);
        if (may_enter(said, root[i]))
            said = walk_pages(walk, node_of(walk->store, root[i]), i << STORE_NODE_SHIFT);
        if (said < 0)
            return said;
    }
    return 0;
}

int walk_object(const struct store *store, uint32_t row,
                int (*visit)(void *ctx, const struct walk_word *word), void *ctx)
{
    struct store_entry *entry = entry_of(store, row);
    struct walk walk = { store, row_of(store, row)->salt, visit, ctx };
    int said;

    for (uint32_t i = 0; i < STORE_DIRECT; i++) {
        said = visit_word(&walk, &entry->direct[i], STORE_LOC_PAGE, direct_page(i));
        if (said < 0)
            return said;
    }
    said = visit_word(&walk, &entry->tree, STORE_LOC_TREE, 0);
    if (may_enter(said, entry->tree))
        said = walk_root(&walk, node_of(store, entry->tree));
    return said < 0 ? said : 0;
}

/* The first page from `page` on, within its leaf, that is not simply absent. */
static uint32_t skip_absent(const struct store *store, uint32_t row, const uint64_t *leaf,
                            uint32_t page)
{
    uint32_t first = page & ~(STORE_NODE_WORDS - 1);
    uint64_t absent = word_absent(row_of(store, row)->salt, STORE_LOC_PAGE, first);

    do {
        if (leaf[page - first] != word_absent_at(absent, store->low, page - first))
            break;
        page++;
    } while (page % STORE_NODE_WORDS && page_direct(page) < 0);
    return page;
}

/* The first page of the next leaf that may exist, `parent` being the word that hangs none. */
static uint32_t skip_leaves(const struct store *store, uint32_t row, const uint64_t *parent,
                            uint32_t place, uint32_t page)
{
    uint64_t absent = word_absent(row_of(store, row)->salt, STORE_LOC_ROOT, 0);
    uint32_t i = page >> STORE_NODE_SHIFT;

    if (place == STORE_LOC_TREE)
        return TWZ_OBJ_PAGES;
    do {
        i++;
        parent++;
    } while (i < STORE_NODE_WORDS && *parent == word_absent_at(absent, store->low, i));
    return i << STORE_NODE_SHIFT;
}

/* From a page that is not direct on: one that may not be absent, or the first direct one above. */
static int skip(const struct store *store, uint32_t row, uint32_t *page)
{
    uint32_t top = direct_page(STORE_DIRECT - 1);
    uint64_t *leaf, *parent;
    uint32_t place;
    int err = walk_leaf(store, row, *page, &leaf, &parent, &place);

    if (err < 0)
        return err;
    *page =
        leaf ? skip_absent(store, row, leaf, *page) : skip_leaves(store, row, parent, place, *page);
    if (*page > top)
        *page = top;
    return 0;
}

int store_page_next(const struct store *store, uint32_t row, struct store_page *out)
{
    return store_page_next_before(store, row, TWZ_PAGE_META + 1, out);
}

int store_page_next_before(const struct store *store, uint32_t row, uint32_t end,
                           struct store_page *out)
{
    uint32_t page = out->page ? out->page : 1;

    while (page < end && page <= TWZ_PAGE_META) {
        uint32_t from = page;
        int err = page_direct(page) < 0 ? skip(store, row, &page) : 0;

        if (err < 0)
            return err;
        if (page != from)
            continue;
        err = store_page_get(store, row, page, out);
        if (err < 0 || out->state != STORE_ABSENT)
            return err;
        page++;
    }
    return -TWZ_ENOOBJ;
}
