/* SPDX-License-Identifier: MIT */
/* The call frames of a service (twz/service.h): which are in use, by which account, and the owner
 * of locks in each. The caller of each function must hold no lock. No function blocks. */
#ifndef KERNEL_CALLFRAME_H
#define KERNEL_CALLFRAME_H

#include <kernel/lock.h>
#include <twz/types.h>

struct call_frame;
struct call_share;

struct call_frames {
    uint32_t count;   /* constant, as the next one */
    uint32_t reserve; /* frames for accounts without a call in progress */
    uint32_t ended;   /* frames that callframes_end_some has reached */
    struct spinlock lock;
    /* under lock */
    struct call_frame *frame; /* `count` of them, and as many shares */
    struct call_share *share;
    uint32_t nfree;
    uint32_t first_free;  /* frame */
    uint32_t first_share; /* that is free */
};

/* Allocates the frames; count and reserve must be set, reserve < count. -TWZ_ENOMEM. */
MUST_CHECK int callframes_init(struct call_frames *f);

/* Does one batch of the end of frames that are not in use: their owners die, then their memory is
 * freed. Returns true if the caller must call again. */
MUST_CHECK bool callframes_end_some(struct call_frames *f);

/* Takes a frame for a call of an account. *fresh: no owner lives in it. -TWZ_EAGAIN: the share of
 * the account is in use. */
MUST_CHECK int callframe_take(struct call_frames *f, objid_t account, uint32_t *index, bool *fresh);

/* Gives a fresh frame that the caller has taken an owner. Returns its generation (twz/thread.h). */
uint64_t callframe_new_owner(struct call_frames *f, uint32_t index);

/* Gives a frame back. broken: the call did not return, so the owner dies. */
void callframe_put(struct call_frames *f, uint32_t index, bool broken);

/* True: an owner lives in some frame whose generation has that low half. */
bool callframe_is_owner_alive(uint32_t generation);

#endif
