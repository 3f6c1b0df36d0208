/* SPDX-License-Identifier: MIT */
/*
 * The operations on pages, each a plan and a make for the protocol of change.c.
 *
 * Sharing: both words are STORE_SHARED while several objects may hold one frame. COMMIT order: the
 * source's words first, so that no frame is ever reached twice without saying so; a power failure
 * in between leaves a SHARED frame with one holder, which is as good as PRESENT.
 *
 * No frame is in more than REF_MAX words. A page whose frame is gets a copy, which is filled like
 * the frame of a new page; the pages after it that hold the same frame share the copy.
 */
#include <store/change.h>

/* A new frame with the content of another; durable at the next fence, which `taken` asks for. */
static uint32_t copy_of(struct change *change, uint32_t frame)
{
    uint32_t copy = frame_alloc(change->store, 1);

    persist_copy_nt(env_frame(change->store, copy), env_frame(change->store, frame),
                    STORE_FRAME_SIZE);
    change->taken = 1;
    return copy;
}

/* --- add ----------------------------------------------------------------------------------- */

static int plan_add(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    switch (STORE_WORD_STATE(word)) {
    case STORE_ABSENT: return PLAN_CHANGE_AND_TAKE;
    case STORE_HOLE: return change->source ? PLAN_CHANGE_AND_TAKE : -TWZ_EFAULT;
    default: return -TWZ_EEXIST;
    }
}

static uint64_t make_add(struct change *change, uint32_t page, uint64_t word)
{
    const void *content = change->source ? change->source(change->ctx, page) : NULL;

    (void)word;
    if (content) {
        change->frame = frame_alloc(change->store, 1);
        persist_copy_nt(env_frame(change->store, change->frame), content, STORE_FRAME_SIZE);
    } else {
        change->frame = frame_alloc_zeroed(change->store);
    }
    change->taken = 1;
    return word_body(STORE_PRESENT, 0, change->frame);
}

int store_page_add(struct store *store, uint32_t row, uint32_t page, uint32_t *frame)
{
    struct change change = { .store = store, .plan = plan_add, .make = make_add, .absent_too = 1 };
    int err = change_pages(&change, row, page, 1);

    if (err == 0)
        *frame = change.frame;
    return err;
}

int store_page_add_many(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                        const void *(*source)(void *ctx, uint32_t page), void *ctx)
{
    struct change change = { .store = store,
                             .plan = plan_add,
                             .make = make_add,
                             .absent_too = 1,
                             .source = source,
                             .ctx = ctx };

    return change_pages(&change, row, first, count);
}

/* --- discard ------------------------------------------------------------------------------- */

static int plan_discard(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    return STORE_WORD_STATE(word) == change->state ? PLAN_KEEP : PLAN_CHANGE;
}

static uint64_t make_discard(struct change *change, uint32_t page, uint64_t word)
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
                             .make = make_discard,
                             .state = state,
                             .absent_too = state == STORE_HOLE };

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

static uint64_t make_protect(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    return word_body(STORE_WORD_STATE(word), change->flags, STORE_WORD_FRAME(word));
}

int store_page_protect(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                       uint32_t readonly)
{
    struct change change = { .store = store,
                             .plan = plan_protect,
                             .make = make_protect,
                             .flags = readonly ? STORE_FLAG_READONLY : 0 };

    return change_pages(&change, row, first, count);
}

/* --- poison -------------------------------------------------------------------------------- */

static int plan_poison(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t state = STORE_WORD_STATE(word);

    (void)change;
    (void)page;
    return state == STORE_PRESENT || state == STORE_SHARED ? PLAN_CHANGE : -TWZ_EINVAL;
}

static uint64_t make_poison(struct change *change, uint32_t page, uint64_t word)
{
    (void)change;
    (void)page;
    return word_body(STORE_POISONED, STORE_WORD_FLAGS(word), STORE_WORD_FRAME(word));
}

int store_page_poison(struct store *store, uint32_t row, uint32_t page)
{
    struct change change = {
        .store = store, .plan = plan_poison, .make = make_poison, .absent_too = 1
    };

    return change_pages(&change, row, page, 1);
}

/* --- share --------------------------------------------------------------------------------- */

/* The range's words are counted, and it adds as many at most: a frame of few words has room. */
static int plan_lend(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    switch (STORE_WORD_STATE(word)) {
    case STORE_PRESENT: return PLAN_CHANGE;
    case STORE_SHARED:
        change->crowded |= frame_refs(change->store, STORE_WORD_FRAME(word)) > REF_MAX / 2;
        return PLAN_KEEP;
    case STORE_POISONED: return -TWZ_EPOISON;
    default: return PLAN_KEEP;
    }
}

static uint64_t make_lend(struct change *change, uint32_t page, uint64_t word)
{
    (void)page;
    frame_mark_shared(change->store, STORE_WORD_FRAME(word));
    return word_body(STORE_SHARED, STORE_WORD_FLAGS(word), STORE_WORD_FRAME(word));
}

static int source_page(const struct change *change, uint32_t page, struct store_page *out)
{
    return walk_page(change->other, page - change->first + change->other_first, out);
}

static int plan_borrow(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t state = STORE_WORD_STATE(word);
    struct store_page from;
    int err = source_page(change, page, &from);

    if (err < 0)
        return err;
    if (state != STORE_ABSENT && state != STORE_HOLE)
        return -TWZ_EEXIST;
    return from.state == state ? PLAN_KEEP : PLAN_CHANGE;
}

enum lent { LENT_ITSELF, LENT_LAST_COPY, LENT_NEW_COPY };

/* What the next page borrows where the source's holds `frame`, which `refs` words reach by now. */
static enum lent lent_for(struct change *change, uint32_t frame, uint32_t refs)
{
    if (refs < REF_MAX)
        return LENT_ITSELF;
    if (change->copied == frame && change->copy_refs < REF_MAX) {
        change->copy_refs++;
        return LENT_LAST_COPY;
    }
    change->copied = frame;
    change->copy_refs = 1;
    return LENT_NEW_COPY;
}

static uint64_t make_borrow(struct change *change, uint32_t page, uint64_t word)
{
    struct store *store = change->store;
    struct store_page from;

    (void)word;
    if (source_page(change, page, &from) < 0 || !from.frame)
        return word_body(from.state, 0, 0);
    switch (lent_for(change, from.frame, frame_refs(store, from.frame))) {
    case LENT_ITSELF: frame_ref(store, from.frame); break;
    case LENT_LAST_COPY:
        from.frame = change->frame;
        frame_ref(store, from.frame);
        break;
    case LENT_NEW_COPY:
        from.frame = change->frame = copy_of(change, from.frame);
        frame_mark_shared(store, from.frame);
        break;
    }
    return word_body(STORE_SHARED, 0, from.frame);
}

static int borrows_shared(const struct change *change, uint32_t page, struct store_page *from)
{
    return source_page(change, page, from) == 0 && from->state == STORE_SHARED;
}

/*
 * The copies that make_borrow will make of frames that are SHARED already: its decisions, on counts
 * that are put back afterwards. Each page of the range is counted already, so no count more than
 * doubles: it goes above REF_MAX here, and fits.
 */
static uint64_t count_copies(struct change *change, uint32_t first, uint32_t count)
{
    uint16_t *refs = change->store->refs;
    struct store_page from;
    uint64_t copies = 0;

    for (uint32_t page = first; page < first + count; page++)
        if (borrows_shared(change, page, &from))
            copies += lent_for(change, from.frame, refs[from.frame]++) == LENT_NEW_COPY;
    for (uint32_t page = first; page < first + count; page++)
        if (borrows_shared(change, page, &from))
            refs[from.frame]--;
    change->copied = 0;
    return copies;
}

int store_page_share(struct store *store, uint32_t dst, uint32_t dst_first, uint32_t src,
                     uint32_t src_first, uint32_t count)
{
    struct change lend = { .store = store, .plan = plan_lend, .make = make_lend };
    struct change borrow = { .store = store,
                             .plan = plan_borrow,
                             .make = make_borrow,
                             .absent_too = 1,
                             .other = &lend.object,
                             .other_first = src_first };
    int err;

    if (dst == src && dst_first < src_first + count && src_first < dst_first + count)
        return -TWZ_EINVAL;
    err = change_plan(&lend, src, src_first, count);
    if (err < 0)
        return err;
    err = change_plan(&borrow, dst, dst_first, count);
    if (err < 0)
        return err;
    if (lend.crowded)
        borrow.frames += count_copies(&borrow, dst_first, count);
    if (borrow.frames > frames_free(store))
        return -TWZ_ENOSPC;
    change_apply(&lend, src_first, count);
    change_apply(&borrow, dst_first, count);
    return 0;
}

/* --- own ----------------------------------------------------------------------------------- */

static int plan_own(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t frame = STORE_WORD_FRAME(word);

    (void)page;
    change->frame = frame;
    switch (STORE_WORD_STATE(word)) {
    case STORE_PRESENT: return PLAN_KEEP;
    case STORE_SHARED:
        return frame_refs(change->store, frame) == 1 ? PLAN_CHANGE : PLAN_CHANGE_AND_TAKE;
    case STORE_POISONED: return -TWZ_EPOISON;
    default: return -TWZ_EINVAL;
    }
}

static uint64_t make_own(struct change *change, uint32_t page, uint64_t word)
{
    uint32_t frame = STORE_WORD_FRAME(word);

    (void)page;
    change->frame = frame_refs(change->store, frame) > 1 ? copy_of(change, frame) : frame;
    return word_body(STORE_PRESENT, STORE_WORD_FLAGS(word), change->frame);
}

int store_page_break_cow(struct store *store, uint32_t row, uint32_t page, uint32_t *frame)
{
    struct change change = { .store = store, .plan = plan_own, .make = make_own, .absent_too = 1 };
    int err = change_pages(&change, row, page, 1);

    if (err == 0)
        *frame = change.frame;
    return err;
}
