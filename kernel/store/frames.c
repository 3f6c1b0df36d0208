/* SPDX-License-Identifier: MIT */
/*
 * Frames: which are free, and how often the others are reached. Volatile only: recovery claims each
 * frame it reaches, what is left is free. So no power failure can tear or leak space.
 * Invariants: a frame is in exactly one of free_frames, zeroed[], or has refs > 0. A frame that a
 * SHARED word reaches has no REF_OWN, and no frame is reached by more than REF_MAX words: what
 * would be is copied (page.c) or, on the media, damage.
 */
#include <store/inside.h>

uint64_t frames_free(const struct store *store)
{
    return (uint64_t)store->free_frames.count + store->zeroed_count;
}

static uint32_t take(struct store *store)
{
    uint32_t frame = bits_first(&store->free_frames);

    if (frame != BITS_NONE)
        bits_drop(&store->free_frames, frame);
    else
        frame = store->zeroed[--store->zeroed_count];
    store->refs[frame] = REF_OWN | 1;
    return frame;
}

uint32_t frame_alloc(struct store *store, int page)
{
    if (!page)
        store->meta++;
    return take(store);
}

uint32_t frame_alloc_zeroed(struct store *store)
{
    uint32_t frame;

    if (store->zeroed_count) {
        frame = store->zeroed[--store->zeroed_count];
        store->refs[frame] = REF_OWN | 1;
        return frame;
    }
    frame = take(store);
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

int frame_claim(struct store *store, uint32_t frame, int page, int shared)
{
    uint16_t refs = store->refs[frame];

    if (refs && (!shared || refs & REF_OWN))
        return -TWZ_EDAMAGED;
    if (refs >= REF_MAX)
        return -TWZ_EFULL;
    if (!refs && !page)
        store->meta++;
    store->refs[frame] = (uint16_t)((refs + 1u) | (shared ? 0u : REF_OWN));
    bits_drop(&store->free_frames, frame);
    return 0;
}

uint32_t frame_refs(const struct store *store, uint32_t frame)
{
    return store->refs[frame] & ~REF_OWN;
}

void frame_mark_shared(struct store *store, uint32_t frame)
{
    store->refs[frame] &= (uint16_t)~REF_OWN;
}

void frame_ref(struct store *store, uint32_t frame)
{
    store->refs[frame]++;
}

void frame_defer_free(struct store *store, uint32_t frame, int page, uint64_t epoch)
{
    uint16_t left = (uint16_t)(frame_refs(store, frame) - 1u);

    (void)epoch;
    store->refs[frame] = left;
    if (left)
        return;
    if (!page)
        store->meta--;
    bits_add(&store->free_frames, frame);
}

void store_usage(const struct store *store, struct store_usage *space)
{
    space->frames = store->frames;
    space->free = frames_free(store);
    space->meta = store->meta;
    space->pages = space->frames - space->free - space->meta;
    space->objects = store->objects;
    space->rows = (uint64_t)store->chunks * STORE_CHUNK_ENTRIES;
    space->rows_max = store->super.dir_words * STORE_CHUNK_ENTRIES;
}
