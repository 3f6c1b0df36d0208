/* SPDX-License-Identifier: MIT */
/*
 * What may be on the media at each instant of a trace, by the weakest promise of the processor:
 *
 *   - an aligned 8-byte word is never torn (the plugin cuts stores at words);
 *   - the ordinary stores to one line reach the media in order: any prefix of those pending;
 *     lines are independent of each other; flushed or not makes no difference before the fence;
 *   - a streaming store is on its own: there or not;
 *   - a fence makes durable what its own processor flushed or streamed before it;
 *   - nothing else orders anything: neither locked instructions nor clflush.
 *
 * A unit is one line's pending ordinary stores, or one pending streaming store. A crash image is
 * the durable bytes plus a choice for each unit: how many of its stores made it.
 *
 * A point is an instant just before a fence, or the end of the trace: every image that is possible
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
    uint64_t needless; /* flushes of a line with nothing to write back */
    uint64_t lost;     /* flushes without an address */
    uint64_t fences;
    uint64_t idle;      /* fences that made nothing durable */
    uint64_t marks;     /* of the queue chosen */
    uint64_t unflushed; /* pending stores at the end that no flush covers */
    uint64_t unfenced;  /* pending stores at the end, flushed or streamed but not fenced */
};

struct model;

/* Reads the whole trace and maps the initial image; ends the program with a message on an error.
 * mark_queue: marks of other virtio queues do not count. */
struct model *model_open(const char *initial, const char *trace, unsigned mark_queue);

/* Goes on to the next point; false at the end of the trace, after the last point. */
bool model_next(struct model *m);

/* At a point. */
uint64_t model_point(const struct model *m);
uint64_t model_marks(const struct model *m);   /* marks so far */
uint64_t model_images(const struct model *m);  /* images worth trying here, numbered from 0 */
uint64_t model_corners(const struct model *m); /* the first so many: none, all, one, all but one */

/* Makes image `number` of this point the current bytes; model_restore takes it back. */
void model_choose(struct model *m, uint64_t number);
void model_restore(struct model *m);

uint64_t model_hash(const struct model *m); /* of the current bytes; equal for equal bytes */

/* Stores the current bytes into `path`, a copy of the initial image: only what differs. */
void model_write(const struct model *m, const char *path);

/* Everything that was stored, whether durable or not: the memory as the machine saw it. */
void model_apply_all(struct model *m);

/* Compares the current bytes with a file; the offset of the first difference, -1: none. */
int64_t model_differs(const struct model *m, const char *path);

const struct model_stats *model_stats(const struct model *m);

/* Calls fn for each store that is pending and not flushed now. */
void model_each_unflushed(const struct model *m,
                          void (*fn)(void *arg, const struct trace_record *r), void *arg);

#endif
