/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: which frames are free, and how many words reach each of the others. All of
 * its state is volatile. Recovery claims each frame that it reaches; the remaining frames are free.
 * A power failure can therefore neither leak nor tear free space.
 *
 * A free frame is in free_frames, which all cores share, or in the reserve of one core. An
 * operation takes its frames in two steps:
 *
 *   1 frames_promise takes them off the counter `available`, or fails. It names no frame.
 *   2 frame_alloc takes each from the own core's reserve, else 64 at a time from free_frames, else
 *     from the reserve of another core.
 *
 * Only step 2 takes the lock STORE_LOCK_FRAMES, once for up to 64 frames. After step 1 it always
 * finds a frame:
 *   - `available` is the number of free frames less the promised ones.
 *   - A frame leaves free_frames and the reserves only for a promise. store_prezero holds one for
 *     the frame that it zeroes.
 *   - A frame moves from free_frames to a reserve under the lock, and a search of the other
 *     reserves holds it.
 *
 * Reserves. A slot holds a frame or 0. The owner pushes and pops without a lock; another core only
 * empties slots, by an atomic exchange, so each frame is taken once. The zeros of `zeroed` are
 * durable at the owner's next fence. Another core that takes such a frame therefore zeroes it
 * again.
 *
 * Reference counts:
 *   - A frame that a SHARED word reaches does not have REF_SOLE.
 *   - A frame on the bad-frame list has one reference for it, on top of those of page words.
 *   - At most REF_MAX words reach a frame. page.c copies a frame instead of exceeding the limit; on
 *     the media an excess is damage.
 *   - A count falls under the lock of the object whose word lost the frame. It rises only in
 *     store_page_share. So a count of 1 is stable for the object whose word it is.
 */
#include <store/inside.h>

#define PREZERO_FLOOR 512u /* store_prezero keeps off a pool with fewer free frames */

/* --- reserves ------------------------------------------------------------------------------ */

static struct reserve *own_reserve(const struct store *store)
{
    return &store->reserve[store->env.core ? store->env.core(store->env.ctx) : 0];
}

/* Take the last frame of a stack of the own core, or 0. */
static uint32_t pop_frame(struct reserve_stack *stack)
{
    uint32_t frame = 0;

    while (!frame && stack->count)
        frame = __atomic_exchange_n(&stack->slot[--stack->count], 0, __ATOMIC_RELAXED);
    return frame;
}

/* False if the stack is full. */
static bool push_frame(struct reserve_stack *stack, uint32_t frame)
{
    if (stack->count == RESERVE_FRAMES)
        return false;
    __atomic_store_n(&stack->slot[stack->count++], frame, __ATOMIC_RELAXED);
    return true;
}

/* Move frames from free_frames to the own core's reserve, whose `raw` must be empty. */
static void refill_reserve(struct store *store, struct reserve *own)
{
    uint32_t frame[RESERVE_FRAMES], count;

    env_lock(store, STORE_LOCK_FRAMES);
    count = bits_take_word(&store->free_frames, frame);
    for (uint32_t i = 0; i < count; i++)
        (void)push_frame(&own->raw, frame[i]);
    env_unlock(store, STORE_LOCK_FRAMES);
}

/* Take a frame from any slot of a stack of another core, or 0. */
static uint32_t steal_slot(struct reserve_stack *stack)
{
    for (uint32_t i = 0; i < RESERVE_FRAMES; i++) {
        uint32_t frame = __atomic_load_n(&stack->slot[i], __ATOMIC_RELAXED);

        if (frame)
            frame = __atomic_exchange_n(&stack->slot[i], 0, __ATOMIC_RELAXED);
        if (frame)
            return frame;
    }
    return 0;
}

/* Find a promised frame while the own reserve is empty. */
static uint32_t steal_frame(struct store *store)
{
    uint32_t frame = 0;

    do {
        env_lock(store, STORE_LOCK_FRAMES);
        frame = bits_first(&store->free_frames);
        if (frame != BITS_NONE)
            bits_drop(&store->free_frames, frame);
        else
            frame = 0;
        for (uint32_t i = 0; !frame && i < store->reserves; i++) {
            frame = steal_slot(&store->reserve[i].raw);
            if (!frame)
                frame = steal_slot(&store->reserve[i].zeroed);
        }
        env_unlock(store, STORE_LOCK_FRAMES);
    } while (!frame);
    return frame;
}

static uint32_t take_raw_frame(struct store *store, struct reserve *own)
{
    uint32_t frame = pop_frame(&own->raw);

    if (frame)
        return frame;
    refill_reserve(store, own);
    frame = pop_frame(&own->raw);
    return frame ? frame : steal_frame(store);
}

/* --- allocation ---------------------------------------------------------------------------- */

uint64_t frames_free(const struct store *store)
{
    return __atomic_load_n(&store->available, __ATOMIC_RELAXED);
}

bool frames_promise(struct store *store, uint64_t count)
{
    uint64_t have = frames_free(store);

    while (have >= count)
        if (__atomic_compare_exchange_n(&store->available, &have, have - count, true,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
    return false;
}

/* The release pairs with the acquire of frames_promise: the frame must be where the allocator
 * searches before it can be promised. */
void frames_return(struct store *store, uint64_t count)
{
    if (count)
        __atomic_fetch_add(&store->available, count, __ATOMIC_RELEASE);
}

int store_reserve(struct store *store, uint64_t frames)
{
    return frames_promise(store, frames) ? 0 : -TWZ_ENOSPC;
}

void store_unreserve(struct store *store, uint64_t frames)
{
    frames_return(store, frames);
}

/* The pages may lie in different leaves. One frame more is for the root. */
uint64_t store_replace_bound(uint32_t count, uint64_t pages)
{
    uint64_t leaves = count / STORE_NODE_WORDS + 2;

    pages = pages < count ? pages : count;
    return pages + leaves + 1;
}

uint64_t store_share_bound(const struct store *store, uint32_t count, uint64_t pages)
{
    uint64_t bound = store_replace_bound(count, pages);

    pages = pages < count ? pages : count;
    return __atomic_load_n(&store->saturating, __ATOMIC_RELAXED) ? bound : bound - pages;
}

static uint16_t *ref_of(const struct store *store, uint32_t frame)
{
    return parts_at(&store->refs, (size_t)frame * sizeof(uint16_t));
}

static uint32_t give_frame(struct store *store, uint32_t frame, enum frame_use use)
{
    if (use == FRAME_META)
        __atomic_fetch_add(&store->meta, 1, __ATOMIC_RELAXED);
    __atomic_store_n(ref_of(store, frame), REF_SOLE | 1, __ATOMIC_RELAXED);
    return frame;
}

uint32_t frame_alloc(struct store *store, enum frame_use use)
{
    return give_frame(store, take_raw_frame(store, own_reserve(store)), use);
}

uint32_t frame_alloc_zeroed(struct store *store, enum frame_use use)
{
    struct reserve *own = own_reserve(store);
    uint32_t frame = pop_frame(&own->zeroed);

    if (!frame) {
        frame = take_raw_frame(store, own);
        persist_zero_nt(env_frame(store, frame), STORE_FRAME_SIZE);
    }
    return give_frame(store, frame, use);
}

uint32_t store_prezero(struct store *store, uint32_t count)
{
    struct reserve *own = own_reserve(store);
    uint32_t done = 0, frame;

    if (env_writable(store) < 0)
        return 0;
    while (done < count && own->zeroed.count < RESERVE_FRAMES &&
           frames_free(store) >= PREZERO_FLOOR && frames_promise(store, 1)) {
        frame = take_raw_frame(store, own);
        persist_zero_nt(env_frame(store, frame), STORE_FRAME_SIZE);
        (void)push_frame(&own->zeroed, frame);
        frames_return(store, 1);
        done++;
    }
    return done;
}

/* --- reference counts ---------------------------------------------------------------------- */

int frame_claim(struct store *store, uint32_t frame, enum frame_use use, bool shared)
{
    uint16_t *ref = ref_of(store, frame), refs = *ref;

    if (refs && (!shared || refs & REF_SOLE))
        return -TWZ_EDAMAGED;
    if (refs >= REF_MAX)
        return -TWZ_EFULL;
    *ref = (uint16_t)((refs + 1u) | (shared ? 0u : REF_SOLE));
    store->saturating |= (refs & ~REF_SOLE) >= REF_MAX / 2;
    if (refs)
        return 0;
    if (use == FRAME_META)
        store->meta++;
    bits_drop(&store->free_frames, frame);
    store->available--;
    return 0;
}

uint32_t frame_refs(const struct store *store, uint32_t frame)
{
    return __atomic_load_n(ref_of(store, frame), __ATOMIC_RELAXED) & ~REF_SOLE;
}

void frame_mark_shared(struct store *store, uint32_t frame)
{
    __atomic_fetch_and(ref_of(store, frame), (uint16_t)~REF_SOLE, __ATOMIC_RELAXED);
}

void frame_ref(struct store *store, uint32_t frame)
{
    uint16_t refs = __atomic_add_fetch(ref_of(store, frame), 1, __ATOMIC_RELAXED);

    if (refs > REF_MAX / 2)
        __atomic_store_n(&store->saturating, true, __ATOMIC_RELAXED);
}

void frame_retire(struct store *store, uint32_t frame)
{
    uint32_t refs = frame_refs(store, frame);

    frame_mark_shared(store, frame);
    if (refs <= REF_MAX) /* more only if hostile media list it many times */
        frame_ref(store, frame);
    if (refs)
        return;
    bits_drop(&store->free_frames, frame); /* in recovery */
    store->available--;
}

void frame_defer_free(struct store *store, uint32_t frame, enum frame_use use, uint64_t epoch)
{
    uint16_t *ref = ref_of(store, frame);
    /* The release orders this object's last use of the frame before the acquire of the core that
     * drops the last reference. */
    uint16_t left = __atomic_sub_fetch(ref, 1, __ATOMIC_ACQ_REL);

    (void)epoch;
    if (left & ~REF_SOLE)
        return;
    __atomic_store_n(ref, 0, __ATOMIC_RELAXED);
    if (use == FRAME_META)
        __atomic_fetch_sub(&store->meta, 1, __ATOMIC_RELAXED);
    if (!push_frame(&own_reserve(store)->raw, frame)) {
        env_lock(store, STORE_LOCK_FRAMES);
        bits_add(&store->free_frames, frame);
        env_unlock(store, STORE_LOCK_FRAMES);
    }
    frames_return(store, 1);
}

/* --- tables -------------------------------------------------------------------------------- */

int frames_open(struct store *store)
{
    uint32_t frames = (uint32_t)store->frames;
    int err = env_alloc_parts(store, &store->free_frames.words, bits_bytes(frames));

    if (err == 0)
        bits_init(&store->free_frames, frames);
    if (err == 0)
        err = env_alloc_parts(store, &store->refs, frames * sizeof(uint16_t));
    store->reserves = store->env.core ? store->env.cores : 1;
    store->reserve = env_alloc(store, store->reserves * sizeof(*store->reserve));
    return store->reserve ? err : -TWZ_ENOMEM;
}

void frames_close(struct store *store)
{
    env_free_parts(store, &store->refs);
    env_free(store, store->reserve, store->reserves * sizeof(*store->reserve));
    env_free_parts(store, &store->free_frames.words);
}

void frames_fill(struct store *store)
{
    bits_fill(&store->free_frames);
    store->available = store->frames;
}

void store_usage(const struct store *store, struct store_usage *usage)
{
    usage->frames = store->frames;
    usage->free = frames_free(store);
    usage->meta = __atomic_load_n(&store->meta, __ATOMIC_RELAXED);
    usage->pages = usage->frames - usage->free - usage->meta;
    usage->bad = __atomic_load_n(&store->bad_count, __ATOMIC_RELAXED);
    usage->objects = store->objects;
    usage->rows = (uint64_t)store->chunks * STORE_CHUNK_ENTRIES;
    usage->rows_max = store->super.dir_words * STORE_CHUNK_ENTRIES;
}
