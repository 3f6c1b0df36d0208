/* SPDX-License-Identifier: MIT */
/*
 * A thread is an object of kind TWZ_KIND_THREAD. Its first data page is for user space; the pages
 * from TWZ_THREAD_KPAGE on are the kernel's: two save slots that hold the thread whenever it is
 * off a core. They are never mapped for user code, and validated when loaded.
 */
#ifndef TWZ_THREAD_H
#define TWZ_THREAD_H

#include <twz/arch/regs.h>
#include <twz/fault.h>
#include <twz/object.h>

/* At the thread object's base: read and written by user code, trusted by nobody else. */
#define TWZ_THREAD_MAGIC 0x3164726874777a74ull
struct twz_thread {
    uint64_t self; /* d-ptr to this page in the thread's view; gsbase points here */
    uint64_t magic;
    objid_t id;
    /* sync words, written by the kernel: 0, then 1 */
    uint64_t spawned;       /* kernel: running for the first time */
    uint64_t ready;         /* user: set by the thread itself (twz_thread_ready) */
    uint64_t exit;          /* kernel: ended; the two fields below are valid */
    uint64_t exit_code;     /* argument of thread_exit, or TWZ_EXIT_BY_SIGNAL of a fault */
    struct twz_fault fault; /* what ended it; exit_fault says whether it counts */
    uint64_t exit_fault;    /* 1: ended by that fault */
    uint64_t alt_stack;     /* view address and bytes of the stack for faults; 0: own stack */
    uint64_t alt_stack_len;
    uint64_t generation; /* kernel: unique over all threads of this boot; never 0 */
    uint64_t user[32];   /* the runtime's own words */
};

#define TWZ_THREAD_KPAGE 2u /* page index of the kernel-only part */

/* Header of one save slot, in the kernel-only part. The slot with the greater epoch counts. */
struct twz_thread_save {
    uint64_t epoch;
    uint64_t check; /* over the rest */
    struct twz_regs regs;
    objid_t view;
    objid_t sctx; /* active security context */
    uint64_t xsave_mask;
    uint64_t xsave_size; /* bytes of the XSAVE image that follows, 64-byte aligned */
    uint64_t state;
    uint64_t priority;
    uint64_t cores; /* bit set of cores it may run on */
    uint64_t reserved[5];
};

/* Call argument: thread_spawn. The thread object exists already (obj_create, kind THREAD). */
struct twz_spawn {
    objid_t thread;
    objid_t view;
    uint64_t entry; /* rip */
    uint64_t stack; /* rsp, as the entry point wants it */
    uint64_t arg;   /* rdi */
    uint64_t arg2;  /* rsi */
    uint64_t fsbase;
    uint64_t gsbase; /* view address of the thread's user page in its own view */
    uint64_t flags;
};
_Static_assert(sizeof(struct twz_spawn) == 88, "spawn size");

/* Call argument: thread_become: another view, security context (0: keep) and registers, at once. */
struct twz_become {
    objid_t view;
    objid_t sctx;
    struct twz_regs regs;
};

/* thread_ctl operations; thread ID 0 is the caller. */
#define TWZ_THREAD_PRIORITY 0u /* arg 0 (idle) .. 31 */
#define TWZ_THREAD_CORES    1u /* arg: bit set */
#define TWZ_THREAD_YIELD    2u
/* arg: owner word, resume count << 32 | low half of an generation: 1 if that thread lives or will
 * live again, else 0 */
#define TWZ_THREAD_ALIVE 3u
/* arg: address of a struct twz_fault; the caller ends by it, with record and log line, as by a
 * fault that nobody handled */
#define TWZ_THREAD_FAULT 4u

#endif
