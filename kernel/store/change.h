/* SPDX-License-Identifier: MIT */
/* "Old word -> new word" over a range of an object's pages; the protocol is in change.c. */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include <store/inside.h>

enum plan { PLAN_KEEP, PLAN_CHANGE, PLAN_CHANGE_AND_TAKE };

struct change {
    struct store *store;
    struct cursor object; /* set by change_plan */
    /* What happens to a page with this (valid) word: enum plan or a negative error. */
    int (*plan)(struct change *change, uint32_t page, uint64_t word);
    /* Its new body; called only where the plan changes it. May take a frame and set `taken`. */
    uint64_t (*make)(struct change *change, uint32_t page, uint64_t word);
    int absent_too;  /* ABSENT words may change: missing leaves matter */
    uint64_t frames; /* planned: pages and nodes */
    int root_planned;
    int taken; /* frames were filled since the last fence */
    /* arguments of the operations */
    uint32_t state;
    uint32_t flags;
    uint32_t frame;             /* out: the last page's frame */
    const struct cursor *other; /* share: source ... */
    uint32_t other_first;       /* ... and its page for the first one of the range */
    uint32_t copied;            /* ... the frame whose copy is `frame`; 0: none yet */
    uint32_t copy_refs;         /* ... words that reach the copy */
    int crowded;                /* ... a frame may be in more pages than can be counted */
    uint32_t first;
    const void *(*source)(void *ctx, uint32_t page);
    void *ctx;
};

/*
 * First half: every check, and the frames it takes, into change->frames (added to what is there).
 * Second half: cannot fail; the caller has compared change->frames with space_free.
 */
int change_plan(struct change *change, uint32_t row, uint32_t first, uint32_t count);
void change_apply(struct change *change, uint32_t first, uint32_t count);
/* Both, with -TWZ_ENOSPC in between. */
int change_pages(struct change *change, uint32_t row, uint32_t first, uint32_t count);

#endif
