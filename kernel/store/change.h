/* SPDX-License-Identifier: MIT */
/* Changes of the words of a range of pages; the protocol is in change.c. */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include <store/inside.h>

enum plan {
    PLAN_KEEP,   /* the word stays as it is */
    PLAN_CHANGE, /* the word gets a new body */
    PLAN_ALLOC   /* the word gets a new body with a new frame */
};

/* One operation on a range of pages. The caller fills in store, the callbacks, and what they use.
 * */
struct change {
    struct store *store;
    struct cursor object; /* set by change_plan */
    uint32_t first;       /* set by change_plan: first page of the range */

    /* Decide about a page by its word, which is good: enum plan or a negative error. Must return
     * the same plan when change_apply asks again. */
    int (*plan)(struct change *change, uint32_t page, uint64_t word);
    /* The new body of the word of a page. Called if the plan is not PLAN_KEEP. If it fills a frame,
     * it must do so with streaming stores and must set `unfenced`. */
    uint64_t (*make_body)(struct change *change, uint32_t page, uint64_t word);
    bool changes_absent; /* plan may change ABSENT words; otherwise missing leaves are skipped */
    bool root_planned;   /* `frames` includes a missing root */
    bool unfenced;       /* a frame was filled after the last fence */
    uint64_t frames;     /* planned: frames for pages and nodes */

    /* Arguments and results of the callbacks. */
    uint32_t state;
    uint32_t flags;
    uint32_t frame; /* result: the frame of the last page */
    const void *(*source)(void *ctx, uint32_t page);
    void *ctx;
    /* share: */
    const struct cursor *other; /* source object */
    uint32_t other_first;       /* its page that corresponds to `first` */
    uint32_t copied;            /* source frame of the last copy; 0 before the first one */
    uint32_t copy_refs;         /* number of words that reach the last copy, which is `frame` */
    bool saturated;             /* a source frame may exceed REF_MAX */
};

/*
 * Check a change of `count` pages of an object from `first` on, and add the frames it needs to
 * change->frames. Stores nothing. Returns the errors of cursor_open_writable, but accepts a deleted
 * object; -TWZ_ERANGE; or an error of `plan`.
 */
int change_plan(struct change *change, uint32_t row, uint32_t first, uint32_t count);
/*
 * Apply a planned change; durable on return. Cannot fail: change_plan must have succeeded for the
 * same range, and change->frames must not exceed frames_free.
 */
void change_apply(struct change *change, uint32_t first, uint32_t count);
/* Plan and apply. -TWZ_ENOSPC if there are fewer free frames than planned. */
int change_pages(struct change *change, uint32_t row, uint32_t first, uint32_t count);

#endif
