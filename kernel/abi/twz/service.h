/* SPDX-License-Identifier: MIT */
/*
 * A service is an object of kind TWZ_KIND_SERVICE: the door through which threads of other security
 * contexts run code of one view in one context, at entries that the service names and nowhere else.
 * Its owner writes a struct twz_service at its base, then attaches it to a KSO directory. The
 * kernel copies the words then; later stores change nothing. The service can be called until it is
 * detached or deleted.
 *
 * gate_call(service, offset, a, b, c) continues the calling thread in the service's view and
 * context at the address entry + offset, on a call frame of the service:
 *
 *   rdi rsi rdx     a, b, c
 *   rsp             the top of the frame's stack less 8, as behind a call instruction
 *   FS, GS base     the frame's thread-local storage and thread page
 *   all others      0; the vector state is that of a new thread
 *
 * gate_return(value) continues the caller behind its SYSCALL, with rax = 0 and rdx = value; its
 * view, context, rsp, segment bases, fault location and signal mask are those of before. All other
 * registers are 0, and the vector state is that of a new thread, so a caller must save what it
 * wants to keep. If the call cannot be made, or ends otherwise, rax has an error and rdx is 0.
 *
 * The words `boot` and `generation` of the frame's thread page are the kernel's, so that locks that
 * the callee takes name the frame as their owner. When a call ends otherwise than by gate_return,
 * that owner has died.
 */
#ifndef TWZ_SERVICE_H
#define TWZ_SERVICE_H

#include <twz/object.h>
#include <twz/thread.h>

#define TWZ_SERVICE_MAGIC   0x3165737672737a74ull
#define TWZ_SERVICE_VERSION 1u
#define TWZ_SERVICE_FRAMES  1024u /* call frames of one service, at most */

/* A part of each call frame: that of frame i is at base + i * stride in the service's view. */
struct twz_frame_part {
    uint64_t base;
    uint64_t stride;
};
_Static_assert(sizeof(struct twz_frame_part) == 16, "frame part size");

struct twz_service {
    uint64_t magic;    /* TWZ_SERVICE_MAGIC */
    uint32_t version;  /* TWZ_SERVICE_VERSION */
    uint32_t priority; /* a call runs at no less than this; at most that of the attaching thread */
    objid_t view;      /* the view that calls run in */
    objid_t sctx;      /* the security context; 0: that of the attaching thread */
    uint64_t entry;    /* view address of the first entry */
    uint64_t length;   /* offsets below this are entries, */
    uint64_t align;    /* if they are multiples of this, which is a power of two */
    uint32_t frames;   /* number of call frames: calls in progress at a time */
    uint32_t reserve;  /* so many frames are for accounts without a call in progress */
    struct twz_frame_part stack; /* its end; a multiple of 16, as is the stride */
    struct twz_frame_part tls;   /* FS base; base 0: none */
    struct twz_frame_part page;  /* GS base: a struct twz_thread; a multiple of 64 */
    uint64_t reserved[8];        /* 0 */
};
_Static_assert(sizeof(struct twz_service) == 192, "service size");

#endif
