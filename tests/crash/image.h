/* SPDX-License-Identifier: MIT */
/*
 * Legal crash images, by the Px86 model: `durable` is what surely is on the media; stores since
 * then are pending by line. At a crash point an image is `durable` plus, of each line, any prefix
 * of its cached stores and any subset of its streamed words. image[] holds durable while nobody
 * looks; a chosen image is laid over it, and taken off again line by line.
 */
#ifndef CRASH_IMAGE_H
#define CRASH_IMAGE_H

#include "record.h"

struct pending_store {
    uint32_t at;
    uint8_t stream;
    uint64_t value;
};

struct pending_line {
    uint32_t line;
    uint32_t count;
    uint32_t room;
    uint32_t flushed; /* the first so many are written back at the next fence */
    uint32_t cached;  /* not streamed, of count */
    struct pending_store *store;
    /* the choice: */
    uint32_t prefix; /* of the cached ones */
    uint32_t subset; /* of the streamed ones, bit by order; 64th and later follow bit 31 */
};

struct images {
    size_t size;
    uint8_t *durable;
    uint8_t *image;
    uint64_t durable_hash;
    struct pending_line *line;
    uint32_t lines;
    uint32_t room;
    uint32_t *line_of;  /* line number -> index + 1 */
    struct dirty dirty; /* lines of image[] that its visitor stored to */
};

void images_init(struct images *images, size_t size);
void images_end(struct images *images);
/* Start again from a pool's bytes; nothing pending. */
void images_reset(struct images *images, const uint8_t *bytes);
/* The same with the image that `from` shows its visitor now, as it was before he stored to it. */
void images_fork(struct images *images, struct images *from, uint64_t hash);
/* Take one more event into account. */
void images_event(struct images *images, const struct event *event);
/* All pending stores laid over durable: must be what the memory held. 1 if so. */
int images_match(struct images *images, const uint8_t *bytes);

/*
 * Every image of this point, or a sample (all subsets where there are at most `limit`; else none,
 * all, each line alone, all but one, pairs, `random` random ones). `visit` gets images->image ready
 * and its hash; what it stores through the recorder is undone afterwards. Returns the first
 * non-zero answer of visit, or 0.
 */
int images_visit(struct images *images, uint32_t limit, uint32_t random, uint64_t seed,
                 int (*visit)(void *ctx, uint64_t hash, uint32_t number), void *ctx);

#endif
