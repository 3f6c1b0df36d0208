/* SPDX-License-Identifier: MIT */
/*
 * Owns the bad-frame list (format.h): the frames that lost data.
 *
 *   step                                     durable before it     after a crash in this step
 *   the last frame of the list has a free word
 *   1 COMMIT: the word of the bad frame      -                     the frame is on the list, or not
 *   it has none
 *   1 fill a new frame of the list: the      -                     the new frame is free
 *     bad frame's word, the rest ABSENT
 *   2 COMMIT: the word that links it         the new frame         the frame is on the list, or not
 *
 * Invariants:
 *   - The lock STORE_LOCK_BAD guards the list, its words and the end of it in struct store.
 *   - The free words of a frame of the list are its last ones. Words are never removed.
 *   - The list has a reference to each frame on it. So the frame may lose its page at any time, and
 *     a page of any state may still have it: after a crash between the list and the page's word the
 *     word is PRESENT or SHARED.
 *   - One frame is promised to the list, so that it can grow in a full pool. When the list has used
 *     it, the next free frame is promised: at each addition, and in a recovery. If none is free
 *     until the list must grow again, 511 bad frames later, the page's word alone has the mark
 *     (store_page_poison). It keeps the frame until the page ends.
 *   - The list has no mirror. A word that is lost is reported, and costs nothing but the knowledge
 *     that one frame is bad.
 */
#include <store/inside.h>

#define LIST_WORDS STORE_NODE_WORDS

static uint64_t *list_words(const struct store *store, uint32_t frame)
{
    return env_frame(store, frame);
}

static bool is_list_word(const struct store *store, uint64_t word, uint32_t number, uint32_t i)
{
    uint32_t state = STORE_WORD_STATE(word);

    return word_is_valid(word, store->salt, STORE_LOC_BAD, number * LIST_WORDS + i) &&
           word_is_sane(word, store->frames) &&
           (state == STORE_ABSENT || state == (i ? STORE_POISONED : STORE_NODE));
}

static uint64_t seal_list_word(const struct store *store, uint32_t state, uint32_t frame,
                               uint32_t number, uint32_t i)
{
    return word_seal(word_body(state, 0, frame), store->salt, STORE_LOC_BAD,
                     number * LIST_WORDS + i);
}

/* The frame of the list after this one, or 0. Damage ends the list. */
static uint32_t next_list_frame(const struct store *store, uint32_t frame, uint32_t number)
{
    uint64_t *link = list_words(store, frame);

    return is_list_word(store, *link, number, 0) ? STORE_WORD_FRAME(*link) : 0;
}

/* The bad frame in a word of the list, or 0. */
static uint32_t bad_frame_at(const struct store *store, uint32_t frame, uint32_t number, uint32_t i)
{
    uint64_t word = list_words(store, frame)[i];

    return is_list_word(store, word, number, i) ? STORE_WORD_FRAME(word) : 0;
}

static void report_lost_words(const struct store *store, uint32_t frame, uint32_t number)
{
    uint64_t *words = list_words(store, frame);

    for (uint32_t i = 0; i < LIST_WORDS; i++)
        if (!is_list_word(store, words[i], number, i))
            env_report_pool(store, &words[i], words[i], i, "bad-frame list: word");
}

/* The word after the last one of a frame that is in use, or lost. */
static uint32_t find_free_word(const struct store *store, uint32_t frame, uint32_t number)
{
    const uint64_t *words = list_words(store, frame);
    uint32_t i = LIST_WORDS;

    while (i > 1 && words[i - 1] == seal_list_word(store, STORE_ABSENT, 0, number, i - 1))
        i--;
    return i;
}

int badframes_open(struct store *store)
{
    uint32_t frames = (uint32_t)store->frames;
    int err = env_alloc_parts(store, &store->bad_frames.words, bits_bytes(frames));

    if (err == 0)
        bits_init(&store->bad_frames, frames);
    return err;
}

void badframes_close(struct store *store)
{
    env_free_parts(store, &store->bad_frames.words);
}

/* Have a frame promised to the list, if the pool is not full. It counts as metadata. */
static void keep_spare(struct store *store)
{
    if (store->bad_spare || !frames_promise(store, 1))
        return;
    store->bad_spare = true;
    __atomic_fetch_add(&store->meta, 1, __ATOMIC_RELAXED);
}

/* Get a promised frame for the list. False if the pool is full. */
static bool take_spare(struct store *store)
{
    keep_spare(store);
    if (!store->bad_spare)
        return false;
    store->bad_spare = false;
    __atomic_fetch_sub(&store->meta, 1, __ATOMIC_RELAXED);
    return true;
}

void badframes_find(struct store *store)
{
    uint32_t frame = (uint32_t)store->super.bad, number = 0, next;

    for (;; number++, frame = next) {
        report_lost_words(store, frame, number);
        store->bad_frame = frame;
        store->bad_number = number;
        next = next_list_frame(store, frame, number);
        if (!next)
            break;
        if (frame_claim(store, next, FRAME_META, false) < 0) {
            env_report_pool(store, list_words(store, frame), next, 0,
                            "bad-frame list: frame is reached twice");
            break;
        }
    }
    store->bad_free = find_free_word(store, frame, number);
}

static void retire_listed(struct store *store, uint32_t frame)
{
    if (bits_test(&store->bad_frames, frame))
        return;
    bits_add(&store->bad_frames, frame);
    frame_retire(store, frame);
    __atomic_fetch_add(&store->bad_count, 1, __ATOMIC_RELAXED);
}

void badframes_claim(struct store *store)
{
    uint32_t frame = (uint32_t)store->super.bad;

    for (uint32_t number = 0;; number++) {
        for (uint32_t i = 1; i < LIST_WORDS; i++) {
            uint32_t bad = bad_frame_at(store, frame, number, i);

            if (bad)
                retire_listed(store, bad);
        }
        if (number == store->bad_number)
            break;
        frame = next_list_frame(store, frame, number);
    }
    keep_spare(store);
}

/* Link a new frame of the list, with one bad frame. */
static void add_list_frame(struct store *store, uint32_t bad)
{
    uint32_t frame = frame_alloc(store, FRAME_META);
    uint32_t number = store->bad_number + 1;
    uint64_t *words = list_words(store, frame);

    for (uint32_t i = 0; i < LIST_WORDS; i++)
        persist_store64(&words[i], seal_list_word(store, i == 1 ? STORE_POISONED : STORE_ABSENT,
                                                  i == 1 ? bad : 0, number, i));
    persist_flush(words, STORE_FRAME_SIZE);
    persist_fence(); /* the new frame of the list, before a word links it */
    persist_commit64(list_words(store, store->bad_frame), /* COMMIT: the frame is on the list */
                     seal_list_word(store, STORE_NODE, frame, store->bad_number, 0));
    store->bad_frame = frame;
    store->bad_number = number;
    store->bad_free = 2;
}

static int add_frame(struct store *store, uint32_t frame)
{
    if (bits_test(&store->bad_frames, frame))
        return 0;
    if (store->bad_free < LIST_WORDS) {
        uint64_t *word = &list_words(store, store->bad_frame)[store->bad_free];

        persist_commit64(
            word, /* COMMIT: the frame is on the list */
            seal_list_word(store, STORE_POISONED, frame, store->bad_number, store->bad_free));
        store->bad_free++;
    } else if (take_spare(store)) {
        add_list_frame(store, frame);
    } else {
        return -TWZ_ENOSPC;
    }
    retire_listed(store, frame);
    keep_spare(store);
    return 0;
}

int badframes_add(struct store *store, uint32_t frame)
{
    int err;

    env_lock(store, STORE_LOCK_BAD);
    err = add_frame(store, frame);
    env_unlock(store, STORE_LOCK_BAD);
    return err;
}
