/* SPDX-License-Identifier: MIT */
/*
 * Operations on pages. Each supplies the callbacks plan and make_body for the protocol of change.c.
 *
 * Sharing frames. Every word that points to a shared frame must be SHARED.
 *
 *   step                                   durable before it   after a crash in this step
 *   1 COMMIT: the source's words become    -                   a SHARED word may be the only one
 *     SHARED                                                   of its frame, as good as PRESENT
 *   2 COMMIT: the destination's words      the source's words  each page is shared, or as before
 *
 * At most REF_MAX words reach a frame. If a page would exceed the limit, it gets a copy of the
 * frame, which is filled like the frame of a new page. Later pages of the same frame share the
 * copy.
 *
 * A frame may be lost while it is copied. The copy then lacks bytes, and the commit that would have
 * made the page PRESENT or SHARED makes it POISONED: no crash shows the copy as the page.
 */
#include <store/change.h>

/* Stream the content of a page to its frame. Returns false if the memory lost a part of it. */
static bool copy_content(struct change *change, uint32_t frame, const void *content)
{
    (void)env_lost(change->store);
    persist_copy_nt(env_frame(change->store, frame), content, STORE_FRAME_SIZE);
    change->unfenced = true;
    return !env_lost(change->store);
}

/* Allocate a frame and fill it with the content of another one. Streamed, not fenced. Sets
 * copy_lost. */
static uint32_t copy_page_frame(struct change *change, uint32_t frame)
{
    uint32_t copy = change_frame(change, FRAME_PAGE);

    change->copy_lost = !copy_content(change, copy, env_frame(change->store, frame));
    return copy;
}

/* --- add ----------------------------------------------------------------------------------- */

static int plan_add(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    switch (STORE_WORD_STATE(word)) {
    case STORE_ABSENT: return PLAN_ALLOC;
    case STORE_HOLE: return change->source ? PLAN_ALLOC : -TWZ_EFAULT;
    default: return -TWZ_EEXIST;
    }
}

static uint64_t make_add_body(struct change *change, uint32_t page, uint64_t word)
{
    const void *content = change->source ? change->source(change->ctx, page) : NULL;
    bool lost = false;

    (void)word;
    if (content) {
        change->frame = change_frame(change, FRAME_PAGE);
        lost = !copy_content(change, change->frame, content);
    } else {
        change->frame = frame_alloc_zeroed(change->store, FRAME_PAGE);
        change->frames--;
        change->unfenced = true;
    }
    return word_body(lost ? STORE_POISONED : STORE_PRESENT, 0, change->frame);
}

int store_page_add(struct store *store, uint32_t row, uint32_t page, uint32_t *frame)
{
    struct change change = {
        .store = store, .plan = plan_add, .make_body = make_add_body, .changes_absent = true
    };
    int err = change_pages(&change, row, page, 1);

    if (err == 0)
        *frame = change.frame;
    return err;
}

/* Number of pages from `page` on, below `end`, whose words in the leaf are ABSENT. */
static uint32_t count_absent(const struct cursor *cursor, const uint64_t *leaf, uint32_t page,
                             uint32_t end)
{
    uint32_t base = page & ~(STORE_NODE_WORDS - 1), at = page;
    uint64_t absent = word_absent(cursor->salt, STORE_LOC_PAGE, base);

    while (at < end && leaf[at - base] == word_absent_at(absent, cursor->store->low, at - base))
        at++;
    return at - page;
}

/* Add pages whose words in the leaf are ABSENT. The caller must have been promised the frames. */
static void add_run(struct store *store, const struct cursor *cursor, uint64_t *words,
                    uint32_t first, uint32_t count, uint32_t *frames)
{
    for (uint32_t i = 0; i < count; i++)
        frames[i] = frame_alloc_zeroed(store, FRAME_PAGE);
    persist_fence(); /* the frames must be durable before a word points to them */
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = word_seal(word_body(STORE_PRESENT, 0, frames[i]), cursor->salt,
                                  STORE_LOC_PAGE, first + i);

        persist_store64(&words[i], word); /* COMMIT: the page's word */
        row_count(cursor->row, 1, 0);
        if (i + 1 == count || (uintptr_t)&words[i + 1] % PERSIST_LINE == 0)
            persist_flush(&words[i], sizeof(uint64_t));
    }
    persist_fence(); /* the words must be durable before the caller maps the frames */
}

int store_page_add_run(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                       uint32_t *frames)
{
    uint32_t end = (first | (STORE_NODE_WORDS - 1)) + 1, n = 0, loc;
    uint64_t *leaf = NULL, *parent;
    struct cursor cursor;
    int err = cursor_open_writable(&cursor, store, row);

    if (err < 0 && err != -TWZ_EDELETED)
        return err;
    end = count < end - first ? first + count : end;
    if (direct_of_page(first) < 0 && direct_of_page(end - 1) < 0 && end <= TWZ_PAGE_META &&
        first > STORE_DIRECT_DATA) {
        err = walk_leaf(&cursor, first, &leaf, &parent, &loc);
        if (err < 0)
            return err;
    }
    if (leaf)
        n = count_absent(&cursor, leaf, first, end);
    while (n && !frames_promise(store, n))
        n /= 2;
    if (!n) {
        err = store_page_add(store, row, first, frames); /* the first page alone, or its error */
        return err < 0 ? err : 1;
    }
    add_run(store, &cursor, &leaf[first % STORE_NODE_WORDS], first, n, frames);
    return (int)n;
}

int store_page_add_many(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                        const void *(*source)(void *ctx, uint32_t page), void *ctx)
{
    struct change change = { .store = store,
                             .plan = plan_add,
                             .make_body = make_add_body,
                             .changes_absent = true,
                             .source = source,
                             .ctx = ctx };

    return change_pages(&change, row, first, count);
}

/* --- replace ------------------------------------------------------------------------------- */

/* A READONLY page keeps its content: only STORE_HOLE removes it. */
static bool is_protected(uint64_t word)
{
    return (STORE_WORD_FLAGS(word) & STORE_FLAG_READONLY) != 0 && STORE_WORD_FRAME(word) != 0;
}

static int plan_replace(struct change *change, uint32_t page, uint64_t word)
{
    const void *content;
    uint32_t state = change->content(change->ctx, page, &content);

    if (is_protected(word))
        return -TWZ_EDENIED;
    if (state == STORE_PRESENT || state == STORE_POISONED)
        return PLAN_ALLOC;
    return STORE_WORD_STATE(word) == state ? PLAN_KEEP : PLAN_CHANGE;
}

static uint64_t make_replace_body(struct change *change, uint32_t page, uint64_t word)
{
    const void *content;
    uint32_t state = change->content(change->ctx, page, &content);
    uint32_t frame;

    (void)word;
    if (state != STORE_PRESENT && state != STORE_POISONED)
        return word_body(state, 0, 0);
    frame = change_frame(change, FRAME_PAGE);
    if (state == STORE_PRESENT && !copy_content(change, frame, content))
        state = STORE_POISONED;
    change->unfenced = true;
    return word_body(state, 0, frame);
}

int store_page_replace(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                       uint32_t (*content)(void *ctx, uint32_t page, const void **bytes), void *ctx,
                       uint64_t *reserved)
{
    struct change change = { .store = store,
                             .plan = plan_replace,
                             .make_body = make_replace_body,
                             .changes_absent = true,
                             .content = content,
                             .ctx = ctx,
                             .reserved = reserved };

    return change_pages(&change, row, first, count);
}

/* --- discard ------------------------------------------------------------------------------- */

static int plan_discard(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    if (change->state == STORE_ABSENT && is_protected(word))
        return -TWZ_EDENIED;
    return STORE_WORD_STATE(word) == change->state ? PLAN_KEEP : PLAN_CHANGE;
}

static uint64_t make_discard_body(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    (void)word;
    return word_body(change->state, 0, 0);
}

int store_page_discard(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                       uint32_t state)
{
    struct change change = { .store = store,
                             .plan = plan_discard,
                             .make_body = make_discard_body,
                             .state = state,
                             .changes_absent = state == STORE_HOLE };

    if (state != STORE_ABSENT && state != STORE_HOLE)
        return -TWZ_EINVAL;
    return change_pages(&change, row, first, count);
}

/* --- protect ------------------------------------------------------------------------------- */

static int plan_protect(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t state = STORE_WORD_STATE(word);

    (void)page;
    if (state == STORE_ABSENT || state == STORE_HOLE || STORE_WORD_FLAGS(word) == change->flags)
        return PLAN_KEEP;
    return PLAN_CHANGE;
}

static uint64_t make_protect_body(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    return word_body(STORE_WORD_STATE(word), change->flags, STORE_WORD_FRAME(word));
}

int store_page_protect(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                       bool readonly)
{
    struct change change = { .store = store,
                             .plan = plan_protect,
                             .make_body = make_protect_body,
                             .flags = readonly ? STORE_FLAG_READONLY : 0 };

    return change_pages(&change, row, first, count);
}

/* --- poison -------------------------------------------------------------------------------- */

static int plan_poison(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t state = STORE_WORD_STATE(word);

    (void)page;
    change->frame = STORE_WORD_FRAME(word);
    return state == STORE_PRESENT || state == STORE_SHARED ? PLAN_CHANGE : -TWZ_EINVAL;
}

static uint64_t make_poison_body(struct change *change, uint32_t page, uint64_t word)
{
    (void)change;
    (void)page;
    return word_body(STORE_POISONED, STORE_WORD_FLAGS(word), STORE_WORD_FRAME(word));
}

int store_page_poison(struct store *store, uint32_t row, uint32_t page)
{
    struct change change = {
        .store = store, .plan = plan_poison, .make_body = make_poison_body, .changes_absent = true
    };
    int err = change_plan(&change, row, page, 1);

    if (err < 0)
        return err;
    (void)!badframes_add(store, change.frame); /* without space for the list, the word alone */
    change_apply(&change, page, 1);
    return 0;
}

/* --- share --------------------------------------------------------------------------------- */

/*
 * The change of the source. It sets `saturated` if a reference count may exceed REF_MAX. A count
 * that is REF_MAX / 2 at most cannot: sharing adds no more references than the source range has
 * already.
 */
static int plan_source(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    switch (STORE_WORD_STATE(word)) {
    case STORE_PRESENT: return PLAN_CHANGE;
    case STORE_SHARED:
        change->saturated |= frame_refs(change->store, STORE_WORD_FRAME(word)) > REF_MAX / 2;
        return PLAN_KEEP;
    case STORE_POISONED: return -TWZ_EPOISON;
    default: return PLAN_KEEP;
    }
}

static uint64_t make_source_body(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    frame_mark_shared(change->store, STORE_WORD_FRAME(word));
    return word_body(STORE_SHARED, STORE_WORD_FLAGS(word), STORE_WORD_FRAME(word));
}

/* The page of the source that corresponds to a page of the destination. */
static int get_source_page(const struct change *change, uint32_t page, struct store_page *out)
{
    return walk_page(change->other, page - change->first + change->other_first, out);
}

static int plan_dest(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t state = STORE_WORD_STATE(word);
    struct store_page from;
    int err = get_source_page(change, page, &from);

    if (err < 0)
        return err;
    if (is_protected(word))
        return -TWZ_EDENIED;
    if (STORE_WORD_FRAME(word) == from.frame && from.state == state)
        return PLAN_KEEP; /* absent, a hole, or shared already */
    return PLAN_CHANGE;
}

enum share { SHARE_FRAME, SHARE_LAST_COPY, SHARE_NEW_COPY };

/* Choose the frame of the next page. The source page has `frame`, which `refs` words reach now. */
static enum share choose_share(struct change *change, uint32_t frame, uint32_t refs)
{
    if (refs < REF_MAX)
        return SHARE_FRAME;
    if (change->copied == frame && change->copy_refs < REF_MAX) {
        change->copy_refs++;
        return SHARE_LAST_COPY;
    }
    change->copied = frame;
    change->copy_refs = 1;
    return SHARE_NEW_COPY;
}

/* Take a reference to the frame of the source page, or to a copy of it. A copy that lacks bytes is
 * not what the page was to be: its pages are POISONED. */
static uint64_t make_dest_body(struct change *change, uint32_t page, uint64_t word)
{
    struct store *store = change->store;
    struct store_page from;
    bool lost = false;

    (void)word;
    if (get_source_page(change, page, &from) < 0 || !from.frame)
        return word_body(from.state, 0, 0);
    switch (choose_share(change, from.frame, frame_refs(store, from.frame))) {
    case SHARE_FRAME: frame_ref(store, from.frame); break;
    case SHARE_LAST_COPY:
        from.frame = change->frame;
        frame_ref(store, from.frame);
        lost = change->copy_lost;
        break;
    case SHARE_NEW_COPY:
        from.frame = change->frame = copy_page_frame(change, from.frame);
        frame_mark_shared(store, from.frame);
        lost = change->copy_lost;
        break;
    }
    return word_body(lost ? STORE_POISONED : STORE_SHARED, 0, from.frame);
}

/* The page gets a frame that is SHARED already. */
static bool has_shared_source(const struct change *change, uint32_t page, struct store_page *from)
{
    struct store_page to;

    if (get_source_page(change, page, from) < 0 || from->state != STORE_SHARED)
        return false;
    return walk_page(&change->object, page, &to) < 0 || to.frame != from->frame;
}

/*
 * Count the copies that make_dest_body may make of frames that are SHARED already. It assumes that
 * every shared page before a page adds a reference to that page's frame. The result may therefore
 * be too high, but only while a frame is about to be saturated. Counts that other objects lower
 * meanwhile lower the number of copies, too.
 */
static uint64_t count_copies(struct change *change, uint32_t first, uint32_t count)
{
    struct store_page from;
    uint64_t copies = 0;
    uint32_t added = 0;

    for (uint32_t page = first; page < first + count; page++)
        if (has_shared_source(change, page, &from))
            copies +=
                choose_share(change, from.frame, frame_refs(change->store, from.frame) + added++) ==
                SHARE_NEW_COPY;
    change->copied = 0;
    return copies;
}

int store_page_share(struct store *store, uint32_t dst, uint32_t dst_first, uint32_t src,
                     uint32_t src_first, uint32_t count)
{
    return store_page_share_reserved(store, dst, dst_first, src, src_first, count, NULL);
}

int store_page_share_reserved(struct store *store, uint32_t dst, uint32_t dst_first, uint32_t src,
                              uint32_t src_first, uint32_t count, uint64_t *reserved)
{
    struct change source = { .store = store, .plan = plan_source, .make_body = make_source_body };
    struct change dest = { .store = store,
                           .plan = plan_dest,
                           .make_body = make_dest_body,
                           .changes_absent = true,
                           .other = &source.object,
                           .other_first = src_first,
                           .reserved = reserved };
    int err;

    if (dst == src && dst_first < src_first + count && src_first < dst_first + count)
        return -TWZ_EINVAL;
    err = change_plan(&source, src, src_first, count);
    if (err < 0)
        return err;
    err = change_plan(&dest, dst, dst_first, count);
    if (err < 0)
        return err;
    if (source.saturated)
        dest.frames += count_copies(&dest, dst_first, count);
    if (!change_promise(&dest))
        return -TWZ_ENOSPC;
    change_apply(&source, src_first, count);
    change_apply(&dest, dst_first, count);
    return 0;
}

/* --- break copy-on-write ------------------------------------------------------------------- */

static int plan_break_cow(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t frame = STORE_WORD_FRAME(word);

    (void)page;
    change->frame = frame;
    switch (STORE_WORD_STATE(word)) {
    case STORE_PRESENT: return PLAN_KEEP;
    case STORE_SHARED: return frame_refs(change->store, frame) == 1 ? PLAN_CHANGE : PLAN_ALLOC;
    case STORE_POISONED: return -TWZ_EPOISON;
    default: return -TWZ_EINVAL;
    }
}

/* Copy the frame, unless no other word reaches it. If the frame is lost, the page keeps it, as in
 * store_page_poison. */
static uint64_t make_private_body(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t frame = STORE_WORD_FRAME(word);

    (void)page;
    change->frame = frame;
    if (frame_refs(change->store, frame) > 1)
        change->frame = copy_page_frame(change, frame);
    if (!change->copy_lost)
        return word_body(STORE_PRESENT, STORE_WORD_FLAGS(word), change->frame);
    (void)!badframes_add(change->store, frame);
    return word_body(STORE_POISONED, STORE_WORD_FLAGS(word), frame);
}

int store_page_break_cow(struct store *store, uint32_t row, uint32_t page, uint32_t *frame)
{
    struct change change = { .store = store,
                             .plan = plan_break_cow,
                             .make_body = make_private_body,
                             .changes_absent = true };
    int err = change_pages(&change, row, page, 1);

    if (err == 0 && change.copy_lost) { /* no word reaches the copy */
        frame_defer_free(store, change.frame, FRAME_PAGE, 0);
        return -TWZ_EPOISON;
    }
    if (err == 0)
        *frame = change.frame;
    return err;
}
