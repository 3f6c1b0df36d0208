/* SPDX-License-Identifier: MIT */
/*
 * Power failures in a workload. A crash point is before a fence, after the store of a commit word,
 * or at the return of an operation. At each crash point the explorer recovers every legal image, or
 * a sample of them, and checks that
 *   - open and recovery succeed and report no damage;
 *   - the state is the model's after k or k + 1 operations, at a return after exactly k;
 *   - the mirrors are complete, at a return;
 *   - a second recovery stores nothing, and the invariant walk finds no problem;
 *   - recovery has raised the writer generation by one, and a power failure inside it leaves the
 *     pool as it was, or a higher generation;
 *   - create, map, write and delete work (one image in eight).
 * One in second_level of the recoveries is interrupted at each of its own crash points; of those
 * that only raise the generation, one in 16 of these.
 * At its return nothing must be left for another recovery.
 */
#ifndef CRASH_EXPLORE_H
#define CRASH_EXPLORE_H

#include <stdbool.h>

#include "image.h"
#include "workload.h"

/* A set of 64-bit hashes. */
struct hashes {
    uint64_t *row;
    uint64_t size;
    uint64_t count;
};

struct explorer {
    struct run run;
    struct images first;
    struct images second;
    struct arena arena;
    struct event_log recovery_log;
    struct hashes distinct; /* images of all workloads */
    struct hashes seen;     /* images of this workload, with their expected state */
    uint64_t images;        /* checked */
    uint64_t second_images; /* of these, inside a recovery */
    uint64_t points;
    uint64_t workloads;
    uint64_t seed;
    uint32_t second_level;
    bool count_distinct;
    bool verbose;
    uint64_t only_point; /* replay: only this point, ~0 for all */
    uint32_t only_image; /* replay: only this image, ~0 for all */

    /* the current crash point */
    uint32_t k;    /* operations that have returned */
    bool returned; /* the state after exactly k operations must be found */
    bool inside;   /* the image is one of a recovery, which began with these: */
    uint64_t began_hash;
    uint64_t began_generation;
    bool recovered; /* a recovery has returned: the next one must find nothing to do */
    bool mkpool;    /* the workload is store_mkpool: until its return there may be no pool */
    uint64_t point;
    uint64_t image;
    const char *failure;
};

void explorer_init(struct explorer *explorer, uint64_t seed);
void explorer_end(struct explorer *explorer);

/* Explore a workload from the return of operation `from` on. 0, or -1 with failure set. */
int explore(struct explorer *explorer, const struct workload *workload, uint32_t from);
/* Explore store_mkpool over junk, or over an old pool. 0, or -1 with failure set. */
int explore_mkpool(struct explorer *explorer, bool over_pool);

#endif
