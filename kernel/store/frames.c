/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: which frames are free, and how many words reach each of the others. All of
 * its state is volatile. Recovery claims each frame that it reaches; the remaining frames are free.
 * A power failure can therefore neither leak nor tear free space.
 *
 * Invariants:
 *   - A frame is in exactly one of free_frames and zeroed[], or its reference count is above 0.
 *   - A frame that a SHARED word reaches does not have REF_SOLE.
 *   - At most REF_MAX words reach a frame. page.c copies a frame instead of exceeding the limit; on
 *     the media an excess is damage.
 */
#include <store/inside.h>

uint64_t frames_free(const struct store *store)
{
    return (uint64_t)store->free_frames.count + store->zeroed_count;
}

static uint32_t get_free_frame(struct store *store)
{
    uint32_t frame = bits_first(&store->free_frames);

    if (frame != BITS_NONE)
        bits_drop(&store->free_frames, frame);
    else
        frame = store->zeroed[--store->zeroed_count];
    store->refs[frame] = REF_SOLE | 1;
    return frame;
}

uint32_t frame_alloc(struct store *store, enum frame_use use)
{
    if (use == FRAME_META)
        store->meta++;
    return get_free_frame(store);
}

uint32_t frame_alloc_zeroed(struct store *store, enum frame_use use)
{
    uint32_t frame;

    if (use == FRAME_META)
        store->meta++;
    if (store->zeroed_count) {
        frame = store->zeroed[--store->zeroed_count];
        store->refs[frame] = REF_SOLE | 1;
        return frame;
    }
    frame = get_free_frame(store);
    persist_zero_nt(env_frame(store, frame), STORE_FRAME_SIZE);
    return frame;
}

uint32_t store_prezero(struct store *store, uint32_t count)
{
    uint32_t done = 0;

    if (env_writable(store) < 0)
        return 0;
    for (; done < count && store->zeroed_count < ZEROED_MAX && store->free_frames.count; done++) {
        uint32_t frame = bits_first(&store->free_frames);

        bits_drop(&store->free_frames, frame);
        persist_zero_nt(env_frame(store, frame), STORE_FRAME_SIZE);
        store->zeroed[store->zeroed_count++] = frame;
    }
    return done;
}

int frame_claim(struct store *store, uint32_t frame, enum frame_use use, bool shared)
{
    uint16_t refs = store->refs[frame];

    if (refs && (!shared || refs & REF_SOLE))
        return -TWZ_EDAMAGED;
    if (refs >= REF_MAX)
        return -TWZ_EFULL;
    if (!refs && use == FRAME_META)
        store->meta++;
    store->refs[frame] = (uint16_t)((refs + 1u) | (shared ? 0u : REF_SOLE));
    bits_drop(&store->free_frames, frame);
    return 0;
}

uint32_t frame_refs(const struct store *store, uint32_t frame)
{
    return store->refs[frame] & ~REF_SOLE;
}

void frame_mark_shared(struct store *store, uint32_t frame)
{
    store->refs[frame] &= (uint16_t)~REF_SOLE;
}

void frame_ref(struct store *store, uint32_t frame)
{
    store->refs[frame]++;
}

void frame_defer_free(struct store *store, uint32_t frame, enum frame_use use, uint64_t epoch)
{
    uint16_t left = (uint16_t)(frame_refs(store, frame) - 1u);

    (void)epoch;
    store->refs[frame] = left;
    if (left)
        return;
    if (use == FRAME_META)
        store->meta--;
    bits_add(&store->free_frames, frame);
}

void store_usage(const struct store *store, struct store_usage *usage)
{
    usage->frames = store->frames;
    usage->free = frames_free(store);
    usage->meta = store->meta;
    usage->pages = usage->frames - usage->free - usage->meta;
    usage->objects = store->objects;
    usage->rows = (uint64_t)store->chunks * STORE_CHUNK_ENTRIES;
    usage->rows_max = store->super.dir_words * STORE_CHUNK_ENTRIES;
}
