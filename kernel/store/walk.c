/* SPDX-License-Identifier: MIT */
/*
 * Reading the words of one object: direct words in its entry, then root -> leaf. Nothing here
 * stores. A walk uses only words that walk_is_good accepts, and the tree has two levels, whatever
 * the words contain. A walk therefore stays in the pool and ends.
 */
#include <store/inside.h>

int direct_of_page(uint32_t page)
{
    if (page >= 1 && page <= STORE_DIRECT_DATA)
        return (int)page - 1;
    if (page <= TWZ_PAGE_META && page > TWZ_PAGE_META - (STORE_DIRECT - STORE_DIRECT_META))
        return (int)(STORE_DIRECT_META + (TWZ_PAGE_META - page));
    return -1;
}

uint32_t page_of_direct(uint32_t direct)
{
    return direct < STORE_DIRECT_DATA ? direct + 1 : TWZ_PAGE_META - (direct - STORE_DIRECT_META);
}

uint64_t *walk_node(const struct store *store, uint64_t word)
{
    return env_frame(store, STORE_WORD_FRAME(word));
}

bool walk_is_good(const struct cursor *cursor, uint64_t word, uint32_t loc, uint32_t index)
{
    uint32_t state = STORE_WORD_STATE(word);

    if (!word_is_valid(word, cursor->salt, loc, index) ||
        !word_is_sane(word, cursor->store->frames))
        return false;
    if (state == STORE_ABSENT)
        return true;
    if (loc == STORE_LOC_PAGE)
        return state >= STORE_HOLE && state <= STORE_POISONED;
    return state == STORE_NODE;
}

int walk_leaf(const struct cursor *cursor, uint32_t page, uint64_t **leaf, uint64_t **parent,
              uint32_t *loc)
{
    uint32_t index = page >> STORE_NODE_SHIFT;
    uint64_t word = cursor->entry->tree;

    *leaf = NULL;
    *parent = &cursor->entry->tree;
    *loc = STORE_LOC_TREE;
    if (!walk_is_good(cursor, word, STORE_LOC_TREE, 0))
        return -TWZ_EDAMAGED;
    if (STORE_WORD_STATE(word) == STORE_ABSENT)
        return 0;
    *parent = &walk_node(cursor->store, word)[index];
    *loc = STORE_LOC_ROOT;
    word = **parent;
    if (!walk_is_good(cursor, word, STORE_LOC_ROOT, index))
        return -TWZ_EDAMAGED;
    if (STORE_WORD_STATE(word) == STORE_NODE)
        *leaf = walk_node(cursor->store, word);
    return 0;
}

int walk_page(const struct cursor *cursor, uint32_t page, struct store_page *out)
{
    int direct = direct_of_page(page);
    uint64_t *leaf, *parent, word;
    uint32_t loc;

    if (page < 1 || page > TWZ_PAGE_META)
        return -TWZ_ERANGE;
    *out = (struct store_page){ .page = page, .state = STORE_ABSENT };
    if (direct >= 0) {
        word = cursor->entry->direct[direct];
    } else {
        int err = walk_leaf(cursor, page, &leaf, &parent, &loc);

        if (err < 0 || !leaf)
            return err;
        word = leaf[page % STORE_NODE_WORDS];
    }
    if (!walk_is_good(cursor, word, STORE_LOC_PAGE, page))
        return -TWZ_EDAMAGED;
    out->frame = STORE_WORD_FRAME(word);
    out->state = STORE_WORD_STATE(word);
    out->flags = STORE_WORD_FLAGS(word);
    return 0;
}

int store_page_get(const struct store *store, uint32_t row, uint32_t page, struct store_page *out)
{
    struct cursor cursor;

    if (row >= table_rows(store))
        return -TWZ_EINVAL;
    cursor_set(&cursor, store, row);
    return walk_page(&cursor, page, out);
}

int walk_value(const struct cursor *cursor, uint64_t offset, uint64_t *value)
{
    struct store_page page;
    int err = walk_page(cursor, (uint32_t)(offset >> STORE_FRAME_SHIFT), &page);
    const uint64_t *words;

    *value = 0;
    if (err == 0 && page.state == STORE_POISONED)
        return -TWZ_EPOISON;
    if (err < 0 || (page.state != STORE_PRESENT && page.state != STORE_SHARED))
        return err;
    words = env_frame(cursor->store, page.frame);
    *value = words[(offset & (STORE_FRAME_SIZE - 1)) / sizeof(uint64_t)];
    return 0;
}

/* The arguments of walk_object. */
struct walk {
    const struct cursor *cursor;
    bool (*visit)(void *ctx, const struct walk_word *word);
    void *ctx;
};

/* True: the word is that of a node, which must be entered. */
static bool visit_word(const struct walk *walk, uint64_t *at, uint32_t loc, uint32_t index)
{
    struct walk_word word = { .at = at, .word = *at, .loc = loc, .index = index };
    uint32_t state = STORE_WORD_STATE(word.word);

    word.good = walk_is_good(walk->cursor, word.word, loc, index);
    if (word.good && state == STORE_ABSENT)
        return false;
    return walk->visit(walk->ctx, &word) && word.good && state == STORE_NODE;
}

static void walk_pages(const struct walk *walk, uint64_t *leaf, uint32_t first)
{
    const uint16_t *low = walk->cursor->store->low;
    uint64_t absent = word_absent(walk->cursor->salt, STORE_LOC_PAGE, first);

    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++) {
        if (leaf[i] != word_absent_at(absent, low, i))
            (void)visit_word(walk, &leaf[i], STORE_LOC_PAGE, first + i);
    }
}

static void walk_root(const struct walk *walk, uint64_t *root)
{
    const struct store *store = walk->cursor->store;
    uint64_t absent = word_absent(walk->cursor->salt, STORE_LOC_ROOT, 0);

    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++) {
        if (root[i] == word_absent_at(absent, store->low, i))
            continue;
        if (visit_word(walk, &root[i], STORE_LOC_ROOT, i))
            walk_pages(walk, walk_node(store, root[i]), i << STORE_NODE_SHIFT);
    }
}

void walk_object(const struct cursor *cursor,
                 bool (*visit)(void *ctx, const struct walk_word *word), void *ctx)
{
    struct store_entry *entry = cursor->entry;
    struct walk walk = { cursor, visit, ctx };

    for (uint32_t i = 0; i < STORE_DIRECT; i++)
        (void)visit_word(&walk, &entry->direct[i], STORE_LOC_PAGE, page_of_direct(i));
    if (visit_word(&walk, &entry->tree, STORE_LOC_TREE, 0))
        walk_root(&walk, walk_node(cursor->store, entry->tree));
}

/* The first page at or after `page` in its leaf whose word is not ABSENT, or the end of the leaf.
 * */
static uint32_t skip_pages(const struct cursor *cursor, const uint64_t *leaf, uint32_t page)
{
    const uint16_t *low = cursor->store->low;
    uint32_t first = page & ~(STORE_NODE_WORDS - 1);
    uint64_t absent = word_absent(cursor->salt, STORE_LOC_PAGE, first);

    do {
        if (leaf[page - first] != word_absent_at(absent, low, page - first))
            break;
        page++;
    } while (page % STORE_NODE_WORDS && direct_of_page(page) < 0);
    return page;
}

/* The first page of the next leaf that may exist. `parent` is the word that links no leaf. */
static uint32_t skip_leaves(const struct cursor *cursor, const uint64_t *parent, uint32_t loc,
                            uint32_t page)
{
    const uint16_t *low = cursor->store->low;
    uint64_t absent = word_absent(cursor->salt, STORE_LOC_ROOT, 0);
    uint32_t i = page >> STORE_NODE_SHIFT;

    if (loc == STORE_LOC_TREE)
        return TWZ_OBJ_PAGES;
    do {
        i++;
        parent++;
    } while (i < STORE_NODE_WORDS && *parent == word_absent_at(absent, low, i));
    return i << STORE_NODE_SHIFT;
}

/* Advance a page that is not direct to one that may exist, or to the first direct page above. */
static int skip_to_page(const struct cursor *cursor, uint32_t *page)
{
    uint32_t top = page_of_direct(STORE_DIRECT - 1);
    uint64_t *leaf, *parent;
    uint32_t loc;
    int err = walk_leaf(cursor, *page, &leaf, &parent, &loc);

    if (err < 0)
        return err;
    *page = leaf ? skip_pages(cursor, leaf, *page) : skip_leaves(cursor, parent, loc, *page);
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
    struct cursor cursor;

    if (row >= table_rows(store))
        return -TWZ_EINVAL;
    cursor_set(&cursor, store, row);
    while (page < end && page <= TWZ_PAGE_META) {
        uint32_t from = page;
        int err = direct_of_page(page) < 0 ? skip_to_page(&cursor, &page) : 0;

        if (err < 0)
            return err;
        if (page != from)
            continue;
        err = walk_page(&cursor, page, out);
        if (err < 0 || out->state != STORE_ABSENT)
            return err;
        page++;
    }
    out->page = page;
    return -TWZ_ENOOBJ;
}
