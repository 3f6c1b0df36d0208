/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

#define PAIRS_MAX 64u

static void *check_alloc(void *mem)
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
    images->durable = check_alloc(aligned_alloc(4096, size));
    images->image = check_alloc(aligned_alloc(4096, size));
    images->line_of = check_alloc(calloc(size / LINE, sizeof(*images->line_of)));
    images->dirty.flag = check_alloc(calloc(size / LINE, 1));
    images->dirty.list = check_alloc(calloc(size / LINE, sizeof(*images->dirty.list)));
}

void images_end(struct images *images)
{
    for (uint32_t i = 0; i < images->capacity; i++)
        free(images->line[i].store);
    free(images->line);
    free(images->durable);
    free(images->image);
    free(images->line_of);
    free(images->dirty.flag);
    free(images->dirty.list);
}

static void drop_lines(struct images *images)
{
    for (uint32_t i = 0; i < images->lines; i++)
        images->line_of[images->line[i].line] = 0;
    images->lines = 0;
}

void images_reset(struct images *images, const uint8_t *bytes)
{
    const uint64_t *words = (const uint64_t *)(const void *)bytes;

    drop_lines(images);
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

/* The pending stores of a line, a new list if there is none. */
static struct pending_line *get_line(struct images *images, uint32_t line)
{
    struct pending_line *at;

    if (images->line_of[line])
        return &images->line[images->line_of[line] - 1];
    if (images->lines == images->capacity) {
        uint32_t capacity = images->capacity ? images->capacity * 2 : 256;

        images->line = check_alloc(realloc(images->line, capacity * sizeof(*images->line)));
        memset(&images->line[images->capacity], 0,
               (capacity - images->capacity) * sizeof(*images->line));
        images->capacity = capacity;
    }
    at = &images->line[images->lines++];
    images->line_of[line] = images->lines;
    at->line = line;
    at->count = 0;
    at->flushed = 0;
    at->cached = 0;
    return at;
}

static bool is_pending(const struct images *images, uint32_t at)
{
    uint32_t index = images->line_of[at / WORDS];
    const struct pending_line *line;

    if (!index)
        return false;
    line = &images->line[index - 1];
    for (uint32_t i = 0; i < line->count; i++)
        if (line->store[i].at == at)
            return true;
    return false;
}

static void add_store(struct images *images, const struct event *event)
{
    struct pending_line *line;

    if (!is_pending(images, event->at) && *word_of(images->durable, event->at) == event->value)
        return; /* no image differs by it */
    line = get_line(images, event->at / WORDS);
    if (line->count == line->capacity) {
        line->capacity = line->capacity ? line->capacity * 2 : 8;
        line->store = check_alloc(realloc(line->store, line->capacity * sizeof(*line->store)));
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

static void apply_fence_to_line(struct images *images, struct pending_line *line)
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

static void apply_fence(struct images *images)
{
    for (uint32_t i = 0; i < images->lines;) {
        struct pending_line *line = &images->line[i], empty;

        apply_fence_to_line(images, line);
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
    case EV_FENCE: apply_fence(images); break;
    default: break;
    }
}

/* --- choices ------------------------------------------------------------------------------- */

static uint32_t count_streamed(const struct pending_line *line)
{
    return line->count - line->cached;
}

static void choose_line(struct pending_line *line, bool whole)
{
    line->prefix = whole ? line->cached : 0;
    line->subset = whole ? 0xffffffffu : 0;
}

static void choose_all(struct images *images, bool whole)
{
    for (uint32_t i = 0; i < images->lines; i++)
        choose_line(&images->line[i], whole);
}

static void choose_random(struct images *images, uint64_t seed)
{
    for (uint32_t i = 0; i < images->lines; i++) {
        uint64_t dice = mix64(seed, i);

        images->line[i].prefix = (uint32_t)(dice % (images->line[i].cached + 1));
        images->line[i].subset = (uint32_t)(dice >> 32);
        if ((dice >> 28 & 3) == 0)
            choose_line(&images->line[i], dice >> 27 & 1);
    }
}

/* Apply the chosen stores to image[]. Returns the hash of the image. */
static uint64_t apply_choice(struct images *images)
{
    uint64_t hash = images->durable_hash;

    for (uint32_t i = 0; i < images->lines; i++) {
        const struct pending_line *line = &images->line[i];
        uint32_t cached = 0, stream = 0;

        for (uint32_t k = 0; k < line->count; k++) {
            const struct pending_store *store = &line->store[k];
            uint64_t *word = word_of(images->image, store->at);
            bool taken = store->stream ? line->subset >> (stream < 31 ? stream : 31u) & 1u
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

static void restore_image(struct images *images)
{
    for (uint32_t i = 0; i < images->lines; i++)
        restore_line(images, images->line[i].line);
    for (uint32_t i = 0; i < images->dirty.count; i++) {
        restore_line(images, images->dirty.list[i]);
        images->dirty.flag[images->dirty.list[i]] = 0;
    }
    images->dirty.count = 0;
}

bool images_match(struct images *images, const uint8_t *bytes)
{
    bool same;

    choose_all(images, true);
    (void)apply_choice(images);
    same = memcmp(images->image, bytes, images->size) == 0;
    restore_image(images);
    return same;
}

void images_fork(struct images *images, struct images *from, uint64_t hash)
{
    restore_image(from);
    (void)apply_choice(from);
    drop_lines(images);
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

static int visit_image(struct visit *visit)
{
    uint64_t hash = apply_choice(visit->images);
    int ret = visit->visit(visit->ctx, hash, visit->number++);

    restore_image(visit->images);
    return ret;
}

static uint64_t count_choices(const struct pending_line *line)
{
    return (uint64_t)(line->cached + 1) << (count_streamed(line) < 20 ? count_streamed(line) : 20);
}

static uint64_t count_images(const struct images *images, uint64_t limit)
{
    uint64_t all = 1;

    for (uint32_t i = 0; i < images->lines && all <= limit; i++)
        all *= count_choices(&images->line[i]);
    return all;
}

static int visit_every(struct visit *visit, uint64_t all)
{
    int ret = 0;

    for (uint64_t n = 0; n < all && !ret; n++) {
        uint64_t rest = n;

        for (uint32_t i = 0; i < visit->images->lines; i++) {
            struct pending_line *line = &visit->images->line[i];
            uint64_t digit = rest % count_choices(line);

            rest /= count_choices(line);
            line->prefix = (uint32_t)(digit % (line->cached + 1));
            line->subset = (uint32_t)(digit / (line->cached + 1));
        }
        ret = visit_image(visit);
    }
    return ret;
}

/* All stores or none; then the same with one line the other way. */
static int visit_around(struct visit *visit, bool whole)
{
    struct images *images = visit->images;
    int ret;

    choose_all(images, whole);
    ret = visit_image(visit);
    for (uint32_t i = 0; i < images->lines && !ret; i++) {
        choose_line(&images->line[i], !whole);
        ret = visit_image(visit);
        choose_line(&images->line[i], whole);
    }
    return ret;
}

static int visit_pairs(struct visit *visit, uint64_t seed)
{
    struct images *images = visit->images;
    uint64_t pairs = (uint64_t)images->lines * (images->lines - 1) / 2;
    int ret = 0;

    for (uint64_t n = 0; n < (pairs < PAIRS_MAX ? pairs : PAIRS_MAX) && !ret; n++) {
        uint64_t dice = mix64(seed, n);

        choose_all(images, false);
        choose_line(&images->line[dice % images->lines], true);
        choose_line(&images->line[(dice >> 32) % images->lines], true);
        ret = visit_image(visit);
    }
    return ret;
}

int images_visit(struct images *images, uint32_t limit, uint32_t random, uint64_t seed,
                 int (*visit)(void *ctx, uint64_t hash, uint32_t number), void *ctx)
{
    struct visit all = { images, visit, ctx, 0 };
    uint64_t count = count_images(images, limit);
    int ret;

    if (count <= limit)
        return visit_every(&all, count);
    ret = visit_around(&all, false);
    if (!ret)
        ret = visit_around(&all, true);
    if (!ret)
        ret = visit_pairs(&all, seed);
    for (uint32_t i = 0; i < random && !ret; i++) {
        choose_random(images, mix64(seed, i + 1000));
        ret = visit_image(&all);
    }
    return ret;
}
