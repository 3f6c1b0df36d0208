/* SPDX-License-Identifier: MIT */
/*
 * Owns changes of the page words of an object. A page word points to the frame of one page. It is a
 * direct word of the entry, or a word of a leaf (format.h). The caller supplies two callbacks:
 * `plan` decides whether a page word changes, and `make_body` builds its new body.
 *
 * Invariants:
 *   - A frame or node is durable before a reachable word points to it. A word is reachable if a
 *     walk from the entry finds it.
 *   - A frame is freed only when no durable word points to it.
 *
 * The range of pages is split into spans. The words of a span are all direct, or all in one leaf.
 * If the plan changes a page whose leaf does not exist yet, the change builds the missing branch:
 * the leaf, and also the root if the object has none. One word, in the root or in the entry, links
 * the branch.
 *
 *   step                                       durable before it     after a crash in this step
 *   1 plan all pages: find every error, count  -                     old state
 *     the frames needed; store nothing
 *
 *   for each span whose words exist, at most PENDING_MAX words at a time:
 *   2 fill new frames by streaming stores      -                     old state
 *   3 COMMIT: each page word                   the new frames        each page is old or new
 *   4 free the frames of the old words         the new words         new state
 *
 *   for each span that changes and whose leaf does not exist:
 *   2 fill new frames; build the branch with   -                     old state
 *     the new words
 *   3 COMMIT: the word that links the branch   frames and branch     all pages are old, or all new
 */
#include <store/change.h>

struct span {
    uint32_t first; /* pages first .. end - 1 */
    uint32_t end;
    bool direct;      /* the words are direct words */
    uint64_t *leaf;   /* if not direct: the leaf, or NULL if there is none */
    uint64_t *parent; /* without a leaf: the word that will link the branch */
    uint32_t loc;     /* location of *parent: STORE_LOC_TREE or STORE_LOC_ROOT */
};

/* Find the longest span that begins at `page` and does not exceed `end`. -TWZ_EDAMAGED. */
static int find_span(const struct change *change, uint32_t page, uint32_t end, struct span *span)
{
    uint32_t top = page_of_direct(STORE_DIRECT - 1);
    uint32_t stop = (page | (STORE_NODE_WORDS - 1)) + 1;

    *span = (struct span){ .first = page, .direct = direct_of_page(page) >= 0 };
    if (page <= STORE_DIRECT_DATA)
        stop = STORE_DIRECT_DATA + 1;
    else if (page < top && stop > top)
        stop = top;
    span->end = stop < end ? stop : end;
    if (span->direct)
        return 0;
    return walk_leaf(&change->object, page, &span->leaf, &span->parent, &span->loc);
}

static bool has_words(const struct span *span)
{
    return span->direct || span->leaf;
}

static uint64_t *span_word(const struct change *change, const struct span *span, uint32_t page)
{
    if (span->direct)
        return &change->object.entry->direct[direct_of_page(page)];
    return &span->leaf[page % STORE_NODE_WORDS];
}

/* --- step 1 -------------------------------------------------------------------------------- */

static int plan_page(struct change *change, const struct span *span, uint32_t page)
{
    uint64_t word = word_body(STORE_ABSENT, 0, 0);

    if (has_words(span)) {
        word = *span_word(change, span, page);
        if (!walk_is_good(&change->object, word, STORE_LOC_PAGE, page))
            return -TWZ_EDAMAGED;
    }
    return change->plan(change, page, word);
}

/* Plan each page of a span, and the nodes of a missing branch. */
static int plan_span(struct change *change, const struct span *span)
{
    bool changes = false;

    if (!has_words(span) && !change->changes_absent)
        return 0;
    for (uint32_t page = span->first; page < span->end; page++) {
        int plan = plan_page(change, span, page);

        if (plan < 0)
            return plan;
        changes |= plan != PLAN_KEEP;
        change->frames += plan == PLAN_ALLOC;
    }
    if (!changes || has_words(span))
        return 0;
    change->frames++; /* the leaf */
    if (span->loc == STORE_LOC_TREE && !change->root_planned) {
        change->root_planned = true;
        change->frames++;
    }
    return 0;
}

int change_plan(struct change *change, uint32_t row, uint32_t first, uint32_t count)
{
    uint32_t end = first + count;
    struct span span;
    int err = cursor_open_writable(&change->object, change->store, row);

    if (err < 0 && err != -TWZ_EDELETED) /* pages may change until store_obj_release */
        return err;
    if (first < 1 || first > TWZ_PAGE_META || count > TWZ_PAGE_META + 1 - first)
        return -TWZ_ERANGE;
    change->first = first;
    for (uint32_t page = first; page < end; page = span.end) {
        err = find_span(change, page, end, &span);
        if (err < 0)
            return err;
        err = plan_span(change, &span);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Return the new word of a page, or 0 if the plan keeps the current word. */
static uint64_t new_word(struct change *change, uint32_t page, uint64_t word)
{
    uint64_t body;

    if (change->plan(change, page, word) == PLAN_KEEP)
        return 0;
    body = change->make_body(change, page, word);
    return word_seal(body, change->object.salt, STORE_LOC_PAGE, page);
}

/* --- a span whose words exist -------------------------------------------------------------- */

#define PENDING_MAX 64u

/* Page words whose new values are not stored yet. */
struct pending {
    uint32_t count;
    struct {
        uint64_t *at;
        uint64_t before;
        uint64_t after;
    } word[PENDING_MAX];
};

static bool is_same_line(const void *a, const void *b)
{
    return (uintptr_t)a / PERSIST_LINE == (uintptr_t)b / PERSIST_LINE;
}

/* Update the count of the object's pages for a word that has changed. */
static void count_page(const struct change *change, uint64_t before, uint64_t after)
{
    row_count(change->object.row, STORE_WORD_FRAME(after) != 0, 0);
    row_count(change->object.row, STORE_WORD_FRAME(before) ? UINT32_MAX : 0, 0);
}

/* Do steps 3 and 4. */
static void commit_pending(struct change *change, const struct pending *pending)
{
    if (!pending->count)
        return;
    if (change->unfenced)
        persist_fence(); /* the new frames must be durable before a word points to them */
    change->unfenced = false;
    for (uint32_t i = 0; i < pending->count; i++) {
        persist_store64(pending->word[i].at, pending->word[i].after); /* COMMIT: the page's word */
        if (i + 1 == pending->count || !is_same_line(pending->word[i].at, pending->word[i + 1].at))
            persist_flush(pending->word[i].at, sizeof(uint64_t));
    }
    /* The words must be durable before an old frame is freed and before the caller uses them. */
    persist_fence();
    for (uint32_t i = 0; i < pending->count; i++) {
        uint32_t old = STORE_WORD_FRAME(pending->word[i].before);

        count_page(change, pending->word[i].before, pending->word[i].after);
        if (old && old != STORE_WORD_FRAME(pending->word[i].after))
            frame_defer_free(change->store, old, FRAME_PAGE, 0);
    }
}

/* Do steps 2 to 4. */
static void change_words(struct change *change, const struct span *span)
{
    struct pending pending;
    uint32_t page = span->first;

    while (page < span->end) {
        for (pending.count = 0; page < span->end && pending.count < PENDING_MAX; page++) {
            uint64_t *at = span_word(change, span, page);
            uint64_t after = new_word(change, page, *at);

            if (!after)
                continue;
            pending.word[pending.count].at = at;
            pending.word[pending.count].before = *at;
            pending.word[pending.count++].after = after;
        }
        commit_pending(change, &pending);
    }
}

/* --- a span whose leaf does not exist ------------------------------------------------------ */

uint32_t change_frame(struct change *change, enum frame_use use)
{
    change->frames--;
    return frame_alloc(change->store, use);
}

/* Build a leaf with the new words of the span; all other words are ABSENT. The leaf is flushed, and
 * the caller must fence. */
static uint32_t build_leaf(struct change *change, const struct span *span)
{
    uint32_t frame = change_frame(change, FRAME_META);
    uint64_t *leaf = env_frame(change->store, frame);
    uint32_t first = span->first & ~(STORE_NODE_WORDS - 1);
    uint64_t absent = word_absent(change->object.salt, STORE_LOC_PAGE, first);

    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++) {
        uint64_t word = 0;

        if (first + i >= span->first && first + i < span->end)
            word = new_word(change, first + i, word_body(STORE_ABSENT, 0, 0));
        count_page(change, 0, word);
        persist_store64(&leaf[i], word ? word : word_absent_at(absent, change->store->low, i));
    }
    persist_flush(leaf, STORE_FRAME_SIZE);
    row_count(change->object.row, 0, 1);
    return frame;
}

/* Build a root that points to one leaf; all other words are ABSENT. The root is flushed, and the
 * caller must fence. */
static uint32_t build_root(struct change *change, uint32_t index, uint32_t leaf)
{
    uint16_t salt = change->object.salt;
    uint32_t frame = change_frame(change, FRAME_META);
    uint64_t *root = env_frame(change->store, frame);
    uint64_t absent = word_absent(salt, STORE_LOC_ROOT, 0);
    uint64_t link = word_seal(word_body(STORE_NODE, 0, leaf), salt, STORE_LOC_ROOT, index);

    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++)
        persist_store64(&root[i],
                        i == index ? link : word_absent_at(absent, change->store->low, i));
    persist_flush(root, STORE_FRAME_SIZE);
    row_count(change->object.row, 0, 1);
    return frame;
}

static bool needs_leaf(struct change *change, const struct span *span)
{
    if (!change->changes_absent)
        return false;
    for (uint32_t page = span->first; page < span->end; page++)
        if (change->plan(change, page, word_body(STORE_ABSENT, 0, 0)) != PLAN_KEEP)
            return true;
    return false;
}

/* Do steps 2 and 3. */
static void add_branch(struct change *change, const struct span *span)
{
    uint32_t index = span->first >> STORE_NODE_SHIFT;
    uint64_t link;
    uint32_t frame;

    if (!needs_leaf(change, span))
        return;
    frame = build_leaf(change, span);
    if (span->loc == STORE_LOC_TREE) {
        frame = build_root(change, index, frame);
        index = 0;
    }
    persist_fence(); /* frames, leaf and root must be durable before a word links them */
    change->unfenced = false;
    link = word_seal(word_body(STORE_NODE, 0, frame), change->object.salt, span->loc, index);
    persist_commit64(span->parent, link); /* COMMIT: the branch with all its pages */
}

/* --- all spans ----------------------------------------------------------------------------- */

void change_apply(struct change *change, uint32_t first, uint32_t count)
{
    uint32_t end = first + count;
    struct span span;

    for (uint32_t page = first; page < end; page = span.end) {
        if (find_span(change, page, end, &span) < 0)
            break; /* not reached: change_plan found every node word good */
        if (has_words(&span))
            change_words(change, &span);
        else
            add_branch(change, &span);
    }
    frames_return(change->store, change->frames);
}

bool change_promise(struct change *change)
{
    uint64_t own = change->reserved ? *change->reserved : 0;

    own = own < change->frames ? own : change->frames;
    if (!frames_promise(change->store, change->frames - own))
        return false;
    if (own)
        *change->reserved -= own;
    return true;
}

int change_pages(struct change *change, uint32_t row, uint32_t first, uint32_t count)
{
    int err = change_plan(change, row, first, count);

    if (err < 0)
        return err;
    if (!change_promise(change))
        return -TWZ_ENOSPC;
    change_apply(change, first, count);
    return 0;
}
