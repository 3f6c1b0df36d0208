/* SPDX-License-Identifier: MIT */
/* Changes of the words of a range of pages; the protocol is in change.c. */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include <store/inside.h>

enum plan {
    PLAN_KEEP,   /* the word stays as it is */
    PLAN_CHANGE, /* the word gets a new body: its 48 bits below the check */
    PLAN_ALLOC   /* the word gets a new body with a new frame */
};

/* One operation on a range of pages. The caller sets store, the callbacks and their arguments. */
struct change {
    struct store *store;
    struct cursor object; /* set by change_plan */
    uint32_t first;       /* set by change_plan: first page of the range */

    /* Returns the plan for a page, or an error. `word` is a good page word (walk_is_good). If the
     * leaf is missing, `word` is the body of an ABSENT word; its check field is 0. `plan` must
     * return the same plan each time: change_plan and change_apply both call it. */
    int (*plan)(struct change *change, uint32_t page, uint64_t word);
    /* Returns the new body of the page word; called unless the plan is PLAN_KEEP. To fill a frame,
     * make_body must use streaming stores and must set `unfenced`. */
    uint64_t (*make_body)(struct change *change, uint32_t page, uint64_t word);
    bool changes_absent; /* plan may change ABSENT words; if not, missing leaves are skipped */
    bool root_planned;   /* set by change_plan: `frames` counts the frame of the missing root */
    bool unfenced;       /* a frame was filled after the last fence */
    uint64_t frames;     /* planned frames for pages and nodes that are not allocated yet */

    /* Arguments and results of the callbacks. */
    uint32_t state;
    uint32_t flags;
    uint32_t frame; /* result: the last page's frame, set by plan or make_body */
    const void *(*source)(void *ctx, uint32_t page);
    uint32_t (*content)(void *ctx, uint32_t page, const void **bytes);
    void *ctx;
    uint64_t *reserved; /* frames promised to the caller already, or NULL */
    /* Only for store_page_share. If REF_MAX words reach a source frame already, store_page_share
     * copies the frame, and later pages share the copy. */
    const struct cursor *other; /* source object */
    uint32_t other_first;       /* page of the source object that corresponds to `first` */
    uint32_t copied;            /* source frame of the last copy, 0 if there is no copy yet */
    uint32_t copy_refs;         /* number of words that reach the frame of the last copy */
    bool copy_lost;             /* the last copy lacks bytes that the memory lost */
    bool saturated;             /* set by plan: a frame may get more than REF_MAX references */
};

/*
 * Check a change of `count` pages from `first` on. Add the number of frames that the change needs
 * to change->frames. Stores nothing. Accepts a deleted object. Errors: -TWZ_ERANGE; -TWZ_EDAMAGED
 * for a bad word; those of `plan`; those of cursor_open_writable, except -TWZ_EDELETED.
 */
int change_plan(struct change *change, uint32_t row, uint32_t first, uint32_t count);
/* Allocate one of the planned frames, content undefined. */
uint32_t change_frame(struct change *change, enum frame_use use);
/*
 * Apply a planned change. Cannot fail: change_plan must have succeeded for the same range, and the
 * caller must have been promised change->frames. Gives back those that are left. The new words are
 * durable on return.
 */
void change_apply(struct change *change, uint32_t first, uint32_t count);
/* Get change->frames promised, those of change->reserved first. False if there are fewer. */
bool change_promise(struct change *change);
/* Plan and apply. Returns the errors of change_plan, or -TWZ_ENOSPC if there are fewer free frames
 * than planned. */
int change_pages(struct change *change, uint32_t row, uint32_t first, uint32_t count);

#endif
