/* SPDX-License-Identifier: MIT */
/*
 * Changing the pages of an object. Every change is "old word -> new word" over a range of pages:
 *
 *   plan    looks at each word of the range, counts the frames and nodes that will be taken, and
 *           finds every error; nothing is stored
 *   make    gives a page its new word; a page that gets a frame has it filled by streaming stores
 *   commit  where the leaf exists: fence (frames filled), then the words, each a commit of its own,
 *           fence. COMMIT: each page word.
 *           where it does not: leaf, and root if there is none, are built complete, with the new
 *           words in them, while nothing leads to them; flush, fence (frames and nodes).
 *           COMMIT: the one word that hangs the new branch.
 *   free    frames that the old words held go last, when nothing durable leads to them any more
 *
 * So a frame or node is durable before a word leads to it, and no word leads to it when it is free.
 */
#include <store/change.h>

/* Pages of a range whose words lie in one place. */
struct group {
    uint32_t first;
    uint32_t end;
    uint64_t *leaf;   /* NULL: direct, or there is none */
    uint64_t *parent; /* where there is none: the word that would hang the branch ... */
    uint32_t place;   /* ... and its place */
    int direct;
};

static int group_find(const struct change *change, uint32_t page, uint32_t end, struct group *group)
{
    uint32_t top = page_of_direct(STORE_DIRECT - 1);
    uint32_t stop = (page | (STORE_NODE_WORDS - 1)) + 1;

    *group = (struct group){ .first = page, .direct = direct_of_page(page) >= 0 };
    if (page <= STORE_DIRECT_DATA)
        stop = STORE_DIRECT_DATA + 1;
    else if (page < top && stop > top)
        stop = top;
    group->end = stop < end ? stop : end;
    if (group->direct)
        return 0;
    return walk_leaf(&change->object, page, &group->leaf, &group->parent, &group->place);
}

static uint64_t *group_word(const struct change *change, const struct group *group, uint32_t page)
{
    if (group->direct)
        return &change->object.entry->direct[direct_of_page(page)];
    return &group->leaf[page % STORE_NODE_WORDS];
}

static int group_missing(const struct group *group)
{
    return !group->direct && !group->leaf;
}

static uint64_t seal_page(const struct change *change, uint64_t body, uint32_t page)
{
    return word_seal(body, change->object.salt, STORE_LOC_PAGE, page);
}

static int plan_page(struct change *change, const struct group *group, uint32_t page)
{
    uint64_t word = word_body(STORE_ABSENT, 0, 0);

    if (!group_missing(group)) {
        word = *group_word(change, group, page);
        if (!walk_is_good(&change->object, word, STORE_LOC_PAGE, page))
            return -TWZ_EDAMAGED;
    }
    return change->plan(change, page, word);
}

static int plan_group(struct change *change, const struct group *group)
{
    int changes = 0;

    if (group_missing(group) && !change->absent_too)
        return 0;
    for (uint32_t page = group->first; page < group->end; page++) {
        int said = plan_page(change, group, page);

        if (said < 0)
            return said;
        changes |= said != PLAN_KEEP;
        change->frames += said == PLAN_CHANGE_AND_TAKE;
    }
    if (!changes || !group_missing(group))
        return 0;
    change->frames++;
    if (group->place == STORE_LOC_TREE && !change->root_planned) {
        change->root_planned = 1;
        change->frames++;
    }
    return 0;
}

int change_plan(struct change *change, uint32_t row, uint32_t first, uint32_t count)
{
    uint32_t end = first + count;
    struct group group;
    int err = cursor_open_writable(&change->object, change->store, row);

    if (err < 0 && err != -TWZ_EDELETED) /* a dead object is used on until its release */
        return err;
    if (first < 1 || first > TWZ_PAGE_META || count > TWZ_PAGE_META + 1 - first)
        return -TWZ_ERANGE;
    change->first = first;
    for (uint32_t page = first; page < end; page = group.end) {
        err = group_find(change, page, end, &group);
        if (err < 0)
            return err;
        err = plan_group(change, &group);
        if (err < 0)
            return err;
    }
    return 0;
}

/* The new word of a page, or 0 where it keeps the one it has. */
static uint64_t make_word(struct change *change, uint32_t page, uint64_t word)
{
    if (change->plan(change, page, word) == PLAN_KEEP)
        return 0;
    return seal_page(change, change->make(change, page, word), page);
}

#define BATCH 64u
struct batch {
    uint32_t count;
    struct {
        uint64_t *at;
        uint64_t before;
        uint64_t after;
    } word[BATCH];
};

static const void *line_of(const void *at)
{
    return (const void *)((uintptr_t)at & ~(uintptr_t)(PERSIST_LINE - 1));
}

static void batch_commit(struct change *change, const struct batch *batch)
{
    if (!batch->count)
        return;
    if (change->taken)
        persist_fence(); /* the frames' content, before a word leads to them */
    change->taken = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        persist_store64(batch->word[i].at, batch->word[i].after); /* COMMIT: a page's word */
        if (i + 1 == batch->count || line_of(batch->word[i].at) != line_of(batch->word[i + 1].at))
            persist_flush(batch->word[i].at, sizeof(uint64_t));
    }
    persist_fence(); /* the words, before anybody relies on them or an old frame is taken again */
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t old = STORE_WORD_FRAME(batch->word[i].before);

        if (old && old != STORE_WORD_FRAME(batch->word[i].after))
            frame_defer_free(change->store, old, 1, 0);
    }
}

static void apply_words(struct change *change, const struct group *group)
{
    struct batch batch;
    uint32_t page = group->first;

    while (page < group->end) {
        for (batch.count = 0; page < group->end && batch.count < BATCH; page++) {
            uint64_t *at = group_word(change, group, page);
            uint64_t after = make_word(change, page, *at);

            if (!after)
                continue;
            batch.word[batch.count].at = at;
            batch.word[batch.count].before = *at;
            batch.word[batch.count++].after = after;
        }
        batch_commit(change, &batch);
    }
}

/* A leaf with the group's new words, all others absent; flushed, not fenced. */
static uint32_t build_leaf(struct change *change, const struct group *group)
{
    uint32_t frame = frame_alloc(change->store, 0);
    uint64_t *leaf = env_frame(change->store, frame);
    uint32_t first = group->first & ~(STORE_NODE_WORDS - 1);
    uint16_t salt = change->object.salt;
    uint64_t absent = word_absent(salt, STORE_LOC_PAGE, first);

    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++) {
        uint64_t word = 0;

        if (first + i >= group->first && first + i < group->end)
            word = make_word(change, first + i, word_body(STORE_ABSENT, 0, 0));
        persist_store64(&leaf[i], word ? word : word_absent_at(absent, change->store->low, i));
    }
    persist_flush(leaf, STORE_FRAME_SIZE);
    return frame;
}

/* A root that leads to one leaf; flushed, not fenced. */
static uint32_t build_root(struct change *change, uint32_t index, uint32_t leaf)
{
    uint16_t salt = change->object.salt;
    uint32_t frame = frame_alloc(change->store, 0);
    uint64_t *root = env_frame(change->store, frame);

    uint64_t absent = word_absent(salt, STORE_LOC_ROOT, 0);
    uint64_t hung = word_seal(word_body(STORE_NODE, 0, leaf), salt, STORE_LOC_ROOT, index);

    for (uint32_t i = 0; i < STORE_NODE_WORDS; i++)
        persist_store64(&root[i],
                        i == index ? hung : word_absent_at(absent, change->store->low, i));
    persist_flush(root, STORE_FRAME_SIZE);
    return frame;
}

static int group_changes(struct change *change, const struct group *group)
{
    if (!change->absent_too)
        return 0;
    for (uint32_t page = group->first; page < group->end; page++)
        if (change->plan(change, page, word_body(STORE_ABSENT, 0, 0)) != PLAN_KEEP)
            return 1;
    return 0;
}

static void apply_branch(struct change *change, const struct group *group)
{
    uint16_t salt = change->object.salt;
    uint32_t index = group->first >> STORE_NODE_SHIFT;
    uint32_t place_index = group->place == STORE_LOC_TREE ? 0 : index;
    uint32_t frame;

    if (!group_changes(change, group))
        return;
    frame = build_leaf(change, group);
    if (group->place == STORE_LOC_TREE)
        frame = build_root(change, index, frame);
    persist_fence(); /* frames, leaf and root, before the branch hangs */
    change->taken = 0;
    persist_commit64(group->parent, /* COMMIT: the branch, with all its pages */
                     word_seal(word_body(STORE_NODE, 0, frame), salt, group->place, place_index));
}

void change_apply(struct change *change, uint32_t first, uint32_t count)
{
    uint32_t end = first + count;
    struct group group;

    for (uint32_t page = first; page < end; page = group.end) {
        if (group_find(change, page, end, &group) < 0)
            return; /* planned: every word on the way was good */
        if (group_missing(&group))
            apply_branch(change, &group);
        else
            apply_words(change, &group);
    }
}

int change_pages(struct change *change, uint32_t row, uint32_t first, uint32_t count)
{
    int err = change_plan(change, row, first, count);

    if (err < 0)
        return err;
    if (change->frames > frames_free(change->store))
        return -TWZ_ENOSPC;
    change_apply(change, first, count);
    return 0;
}
