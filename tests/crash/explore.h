/* SPDX-License-Identifier: MIT */
/*
 * Power failures in a workload: at each crash point (before a fence, after the store of a commit
 * word, at an operation's return) every legal image, or a sample, is recovered and judged:
 *   - opening and recovering succeed and report no damage;
 *   - the state is the model's after k or k + 1 operations; at a return, after exactly k;
 *   - at a return the mirrors are complete;
 *   - recovering again stores nothing, and the invariant walk finds nothing;
 *   - create, map, write, delete still work (one image in eight).
 * Where a recovery stores, one in second_level of them is itself cut at each of its points; at its
 * return nothing may be left to do for another.
 */
#ifndef CRASH_EXPLORE_H
#define CRASH_EXPLORE_H

#include "image.h"
#include "workload.h"

/* A set of numbers that are hashes already. */
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
    struct hashes distinct; /* images, over all workloads */
    struct hashes seen;     /* images and what was expected, of this workload */
    uint64_t images;        /* judged */
    uint64_t second_images; /* of them, inside a recovery */
    uint64_t points;
    uint64_t workloads;
    uint64_t seed;
    uint32_t second_level;
    int count_distinct;
    int verbose;
    uint64_t only_point; /* replay: this point ... */
    uint32_t only_image; /* ... and this image; both ~0 for all */

    /* the point now looked at */
    uint32_t k;    /* operations that have returned */
    int returned;  /* exactly k must be there */
    int recovered; /* a recovery has returned: nothing is left for the next one */
    int format;    /* the workload is store_mkpool: no pool is an answer too, until it returned */
    uint64_t point;
    uint64_t image;
    const char *failure;
};

void explorer_init(struct explorer *explorer, uint64_t seed);
void explorer_end(struct explorer *explorer);

/* Every point of the workload from the return of operation `from` on. 0, or -1 with failure set. */
int explore(struct explorer *explorer, const struct workload *workload, uint32_t from);
/* Making a pool over junk (0) or over an old pool (1). */
int explore_format(struct explorer *explorer, int over_pool);

#endif
