/* SPDX-License-Identifier: MIT */
/*
 * The possible contents of the media at each instant of a trace, by the weakest guarantee of the
 * processor:
 *
 *   - an aligned 8-byte word is never torn (the plugin cuts stores at words);
 *   - the ordinary stores to one line reach the media in order, so that the media have any prefix
 *     of the pending ones; lines are independent of each other; before the fence a flush makes no
 *     difference;
 *   - each streaming store is independent: on the media or not;
 *   - a fence makes durable the stores that its own processor flushed or streamed before it;
 *   - nothing else orders stores, neither locked instructions nor clflush.
 *
 * A unit is the pending ordinary stores of one line, or one pending streaming store. A crash image
 * is the durable bytes and, for each unit, the number of its stores that are on the media.
 *
 * A point is an instant just before a fence, or the end of the trace. Every image that is possible
 * between two fences is possible just before the second one. Points count from 1.
 */
#ifndef MODEL_H
#define MODEL_H

#include "trace.h"

#include <stdbool.h>
#include <stddef.h>

#define MODEL_LINE 64u

struct model_stats {
    uint64_t stores;
    uint64_t streams;
    uint64_t flushes;
    uint64_t needless; /* flushes of a line without unflushed stores */
    uint64_t lost;     /* flushes without an address */
    uint64_t fences;
    uint64_t idle;      /* fences that made nothing durable */
    uint64_t marks;     /* of the chosen queue */
    uint64_t unflushed; /* pending stores at the end that no flush covers */
    uint64_t unfenced;  /* pending stores at the end, flushed or streamed but not fenced */
};

struct model;

/* Reads the whole trace and maps the initial image. On an error it exits with a message. Only marks
 * of the virtio queue mark_queue count. */
struct model *model_open(const char *initial, const char *trace, unsigned mark_queue);

/* Advances to the next point. False: there is none. */
bool model_next(struct model *m);

/* The current point. */
uint64_t model_point(const struct model *m);
uint64_t model_marks(const struct model *m);   /* marks so far */
uint64_t model_images(const struct model *m);  /* number of images to try, from 0 */
uint64_t model_corners(const struct model *m); /* the first of these: none, all, one, all but one */

/* Makes image `number` of this point the current bytes, until model_restore. */
void model_choose(struct model *m, uint64_t number);
void model_restore(struct model *m);

uint64_t model_hash(const struct model *m); /* of the current bytes */

/* Writes the current bytes to `path`, which must be a copy of the initial image. */
void model_write(const struct model *m, const char *path);

/* Applies all stores, durable or not: the memory as the machine saw it. */
void model_apply_all(struct model *m);

/* The offset of the first difference between the current bytes and a file; -1: none. */
int64_t model_differs(const struct model *m, const char *path);

const struct model_stats *model_stats(const struct model *m);

/* Calls fn for each pending store that is not flushed. */
void model_each_unflushed(const struct model *m,
                          void (*fn)(void *arg, const struct trace_record *r), void *arg);

#endif
