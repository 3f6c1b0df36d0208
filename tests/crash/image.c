/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

#define PAIRS_MAX 64u

static void *must(void *mem)
{
    if (!mem) {
        printf("no memory\n");
        abort();
    }
    return mem;
}

void images_init(struct images *images, size_t size)
{
    memset(images, 0, sizeof(*images));
    images->size = size;
    images->durable = must(aligned_alloc(4096, size));
    images->image = must(aligned_alloc(4096, size));
    images->line_of = must(calloc(size / LINE, sizeof(*images->line_of)));
    images->dirty.flag = must(calloc(size / LINE, 1));
    images->dirty.list = must(calloc(size / LINE, sizeof(*images->dirty.list)));
}

void images_end(struct images *images)
{
    for (uint32_t i = 0; i < images->room; i++)
        free(images->line[i].store);
    free(images->line);
    free(images->durable);
    free(images->image);
    free(images->line_of);
    free(images->dirty.flag);
    free(images->dirty.list);
}

static void forget_lines(struct images *images)
{
    for (uint32_t i = 0; i < images->lines; i++)
        images->line_of[images->line[i].line] = 0;
    images->lines = 0;
}

void images_reset(struct images *images, const uint8_t *bytes)
{
    const uint64_t *words = (const uint64_t *)(const void *)bytes;

    forget_lines(images);
    memcpy(images->durable, bytes, images->size);
    memcpy(images->image, bytes, images->size);
    images->durable_hash = 0;
    for (size_t i = 0; i < images->size / 8; i++)
        images->durable_hash ^= mix64(i, words[i]);
}

static uint64_t *word_of(uint8_t *bytes, uint32_t at)
{
    return (uint64_t *)(void *)bytes + at;
}

static struct pending_line *line_get(struct images *images, uint32_t line)
{
    struct pending_line *at;

    if (images->line_of[line])
        return &images->line[images->line_of[line] - 1];
    if (images->lines == images->room) {
        uint32_t room = images->room ? images->room * 2 : 256;

        images->line = must(realloc(images->line, room * sizeof(*images->line)));
        memset(&images->line[images->room], 0, (room - images->room) * sizeof(*images->line));
        images->room = room;
    }
    at = &images->line[images->lines++];
    images->line_of[line] = images->lines;
    at->line = line;
    at->count = 0;
    at->flushed = 0;
    at->cached = 0;
    return at;
}

static int word_pending(const struct images *images, uint32_t at)
{
    uint32_t index = images->line_of[at / WORDS];
    const struct pending_line *line;

    if (!index)
        return 0;
    line = &images->line[index - 1];
    for (uint32_t i = 0; i < line->count; i++)
        if (line->store[i].at == at)
            return 1;
    return 0;
}

static void add_store(struct images *images, const struct event *event)
{
    struct pending_line *line;

    if (!word_pending(images, event->at) && *word_of(images->durable, event->at) == event->value)
        return; /* changes nothing, whatever becomes of it */
    line = line_get(images, event->at / WORDS);
    if (line->count == line->room) {
        line->room = line->room ? line->room * 2 : 8;
        line->store = must(realloc(line->store, line->room * sizeof(*line->store)));
    }
    line->store[line->count++] =
        (struct pending_store){ event->at, event->type == EV_STREAM, event->value };
    line->cached += event->type == EV_STORE;
}

static void make_durable(struct images *images, uint32_t at, uint64_t value)
{
    uint64_t *word = word_of(images->durable, at);

    images->durable_hash ^= mix64(at, *word) ^ mix64(at, value);
    *word = value;
    *word_of(images->image, at) = value;
}

static void fence_line(struct images *images, struct pending_line *line)
{
    uint32_t left = 0;

    line->cached = 0;
    for (uint32_t i = 0; i < line->count; i++) {
        struct pending_store store = line->store[i];

        if (store.stream || i < line->flushed) {
            make_durable(images, store.at, store.value);
        } else {
            line->store[left++] = store;
            line->cached++;
        }
    }
    line->count = left;
    line->flushed = 0;
}

static void fence(struct images *images)
{
    for (uint32_t i = 0; i < images->lines;) {
        struct pending_line *line = &images->line[i], empty;

        fence_line(images, line);
        if (line->count) {
            i++;
            continue;
        }
        images->line_of[line->line] = 0;
        empty = *line;
        *line = images->line[--images->lines];
        images->line[images->lines] = empty;
        if (i < images->lines)
            images->line_of[line->line] = i + 1;
    }
}

void images_event(struct images *images, const struct event *event)
{
    uint32_t index;

    switch (event->type) {
    case EV_STORE:
    case EV_STREAM: add_store(images, event); break;
    case EV_FLUSH:
        index = images->line_of[event->at];
        if (index)
            images->line[index - 1].flushed = images->line[index - 1].count;
        break;
    case EV_FENCE: fence(images); break;
    default: break;
    }
}

/* --- choices ------------------------------------------------------------------------------- */

static uint32_t streamed(const struct pending_line *line)
{
    return line->count - line->cached;
}

static void choose(struct pending_line *line, int whole)
{
    line->prefix = whole ? line->cached : 0;
    line->subset = whole ? 0xffffffffu : 0;
}

static void choose_all(struct images *images, int whole)
{
    for (uint32_t i = 0; i < images->lines; i++)
        choose(&images->line[i], whole);
}

static void choose_random(struct images *images, uint64_t seed)
{
    for (uint32_t i = 0; i < images->lines; i++) {
        uint64_t dice = mix64(seed, i);

        images->line[i].prefix = (uint32_t)(dice % (images->line[i].cached + 1));
        images->line[i].subset = (uint32_t)(dice >> 32);
        if ((dice >> 28 & 3) == 0)
            choose(&images->line[i], (int)(dice >> 27 & 1));
    }
}

/* Lay the choice over durable; returns the image's hash. */
static uint64_t lay(struct images *images)
{
    uint64_t hash = images->durable_hash;

    for (uint32_t i = 0; i < images->lines; i++) {
        const struct pending_line *line = &images->line[i];
        uint32_t cached = 0, stream = 0;

        for (uint32_t k = 0; k < line->count; k++) {
            const struct pending_store *store = &line->store[k];
            uint64_t *word = word_of(images->image, store->at);
            int taken = store->stream ? (int)(line->subset >> (stream < 31 ? stream : 31u) & 1u)
                                      : cached < line->prefix;

            stream += store->stream;
            cached += !store->stream;
            if (!taken)
                continue;
            hash ^= mix64(store->at, *word) ^ mix64(store->at, store->value);
            *word = store->value;
        }
    }
    return hash;
}

static void restore_line(struct images *images, uint32_t line)
{
    memcpy(images->image + (size_t)line * LINE, images->durable + (size_t)line * LINE, LINE);
}

static void take_off(struct images *images)
{
    for (uint32_t i = 0; i < images->lines; i++)
        restore_line(images, images->line[i].line);
    for (uint32_t i = 0; i < images->dirty.count; i++) {
        restore_line(images, images->dirty.list[i]);
        images->dirty.flag[images->dirty.list[i]] = 0;
    }
    images->dirty.count = 0;
}

int images_match(struct images *images, const uint8_t *bytes)
{
    int same;

    choose_all(images, 1);
    (void)lay(images);
    same = memcmp(images->image, bytes, images->size) == 0;
    take_off(images);
    return same;
}

void images_fork(struct images *images, struct images *from, uint64_t hash)
{
    take_off(from);
    (void)lay(from);
    forget_lines(images);
    memcpy(images->durable, from->image, images->size);
    memcpy(images->image, from->image, images->size);
    images->durable_hash = hash;
}

struct visit {
    struct images *images;
    int (*visit)(void *ctx, uint64_t hash, uint32_t number);
    void *ctx;
    uint32_t number;
};

static int show(struct visit *visit)
{
    uint64_t hash = lay(visit->images);
    int said = visit->visit(visit->ctx, hash, visit->number++);

    take_off(visit->images);
    return said;
}

static uint64_t options(const struct pending_line *line)
{
    return (uint64_t)(line->cached + 1) << (streamed(line) < 20 ? streamed(line) : 20);
}

static uint64_t combinations(const struct images *images, uint64_t limit)
{
    uint64_t all = 1;

    for (uint32_t i = 0; i < images->lines && all <= limit; i++)
        all *= options(&images->line[i]);
    return all;
}

static int visit_every(struct visit *visit, uint64_t all)
{
    int said = 0;

    for (uint64_t n = 0; n < all && !said; n++) {
        uint64_t rest = n;

        for (uint32_t i = 0; i < visit->images->lines; i++) {
            struct pending_line *line = &visit->images->line[i];
            uint64_t digit = rest % options(line);

            rest /= options(line);
            line->prefix = (uint32_t)(digit % (line->cached + 1));
            line->subset = (uint32_t)(digit / (line->cached + 1));
        }
        said = show(visit);
    }
    return said;
}

static int visit_around(struct visit *visit, int whole)
{
    struct images *images = visit->images;
    int said;

    choose_all(images, whole);
    said = show(visit);
    for (uint32_t i = 0; i < images->lines && !said; i++) {
        choose(&images->line[i], !whole);
        said = show(visit);
        choose(&images->line[i], whole);
    }
    return said;
}

static int visit_pairs(struct visit *visit, uint64_t seed)
{
    struct images *images = visit->images;
    uint64_t pairs = (uint64_t)images->lines * (images->lines - 1) / 2;
    int said = 0;

    for (uint64_t n = 0; n < (pairs < PAIRS_MAX ? pairs : PAIRS_MAX) && !said; n++) {
        uint64_t dice = mix64(seed, n);

        choose_all(images, 0);
        choose(&images->line[dice % images->lines], 1);
        choose(&images->line[(dice >> 32) % images->lines], 1);
        said = show(visit);
    }
    return said;
}

int images_visit(struct images *images, uint32_t limit, uint32_t random, uint64_t seed,
                 int (*visit)(void *ctx, uint64_t hash, uint32_t number), void *ctx)
{
    struct visit all = { images, visit, ctx, 0 };
    uint64_t count = combinations(images, limit);
    int said;

    if (count <= limit)
        return visit_every(&all, count);
    said = visit_around(&all, 0);
    if (!said)
        said = visit_around(&all, 1);
    if (!said)
        said = visit_pairs(&all, seed);
    for (uint32_t i = 0; i < random && !said; i++) {
        choose_random(images, mix64(seed, i + 1000));
        said = show(&all);
    }
    return said;
}
