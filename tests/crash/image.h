/* SPDX-License-Identifier: MIT */
/*
 * Legal crash images, by the Px86 model. `durable` has what is surely on the media; later stores
 * are pending, by line. An image is `durable` with, for each line, any prefix of its cached stores
 * and any subset of its streamed words. image[] equals durable between two visits; a visit applies
 * the chosen stores to it and restores the lines afterwards.
 */
#ifndef CRASH_IMAGE_H
#define CRASH_IMAGE_H

#include <stdbool.h>

#include "record.h"

struct pending_store {
    uint32_t at;
    uint8_t stream;
    uint64_t value;
};

struct pending_line {
    uint32_t line;
    uint32_t count;
    uint32_t capacity;
    uint32_t flushed; /* number of stores, from the first, that the next fence makes durable */
    uint32_t cached;  /* number of stores that are not streamed */
    struct pending_store *store;
    /* the choice: */
    uint32_t prefix; /* number of cached stores */
    uint32_t subset; /* streamed stores, a bit for each; bit 31 for the 32nd and later */
};

struct images {
    size_t size;
    uint8_t *durable;
    uint8_t *image;
    uint64_t durable_hash;
    struct pending_line *line;
    uint32_t lines;
    uint32_t capacity;
    uint32_t *line_of;  /* line number -> index + 1 */
    struct dirty dirty; /* lines of image[] that a visit stored to */
};

void images_init(struct images *images, size_t size);
void images_end(struct images *images);
/* Begin with the bytes of a pool; nothing is pending. */
void images_reset(struct images *images, const uint8_t *bytes);
/* Begin with the image of the current visit of `from`, as it was before the visit stored to it. */
void images_fork(struct images *images, struct images *from, uint64_t hash);
/* Apply an event. */
void images_event(struct images *images, const struct event *event);
/* `bytes`, the memory of the pool, equals durable with all pending stores. */
bool images_match(struct images *images, const uint8_t *bytes);

/*
 * Visit every image of this point if there are at most `limit`. Otherwise visit a sample: none of
 * the stores, all, each line alone, all lines but one, pairs of lines, `random` random choices.
 * `visit` finds the image in images->image; its stores through the recorder are undone afterwards.
 * Returns the first non-zero result of visit, or 0.
 */
int images_visit(struct images *images, uint32_t limit, uint32_t random, uint64_t seed,
                 int (*visit)(void *ctx, uint64_t hash, uint32_t number), void *ctx);

#endif
