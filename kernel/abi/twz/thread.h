/* SPDX-License-Identifier: MIT */
/*
 * A thread is an object of kind TWZ_KIND_THREAD. Its first data page belongs to user code. The
 * pages from TWZ_THREAD_KPAGE on belong to the kernel: two save areas, which hold the thread while
 * it is off a core. The kernel never maps them for user code, and validates them when it loads
 * them.
 */
#ifndef TWZ_THREAD_H
#define TWZ_THREAD_H

#include <twz/arch/regs.h>
#include <twz/fault.h>
#include <twz/object.h>

/* At the thread object's base. User code reads and writes it; the kernel trusts none of it. */
#define TWZ_THREAD_MAGIC 0x3164726874777a74ull
struct twz_thread {
    uint64_t self;  /* d-ptr to this page in the thread's view; gsbase points here */
    uint64_t magic; /* TWZ_THREAD_MAGIC */
    objid_t id;     /* of the thread object */
    /* sync words: 0, then 1 */
    uint64_t spawned;       /* set by the kernel: the thread was started */
    uint64_t ready;         /* set by the thread itself (twz_thread_ready) */
    uint64_t exit;          /* set by the kernel: the thread has ended; the next three are valid */
    uint64_t exit_code;     /* argument of thread_exit, or TWZ_EXIT_BY_SIGNAL of a fault */
    struct twz_fault fault; /* the fault that ended the thread, if exit_fault is 1 */
    uint64_t exit_fault;    /* 1: a fault ended the thread */
    uint64_t alt_stack;     /* view address of the stack for faults; 0: the thread's own stack */
    uint64_t alt_stack_len; /* bytes of that stack */
    uint64_t generation;    /* set by the kernel: unique over all threads of this boot; never 0 */
    uint64_t user[32];      /* for the runtime */
};

#define TWZ_THREAD_KPAGE 2u /* page index of the kernel-only part */

/* Header of one save area, in the kernel-only part. The valid area with the greater epoch is the
 * thread's state. */
struct twz_thread_save {
    uint64_t epoch; /* raised by each save */
    uint64_t check; /* over epoch and all that follows but reserved */
    struct twz_regs regs;
    objid_t view;         /* 0 (reserved) */
    objid_t sctx;         /* active security context */
    uint64_t xsave_mask;  /* 0 (reserved) */
    uint64_t xsave_size;  /* bytes of the XSAVE image that follows, 64-byte aligned */
    uint64_t state;       /* the kernel's flags of the entry in progress */
    uint64_t priority;    /* 0 (idle) .. 31 */
    uint64_t cores;       /* bit set of cores that the thread may run on */
    uint64_t reserved[5]; /* 0 */
};

/* Argument of thread_spawn. The thread object must exist (obj_create, kind THREAD). */
struct twz_spawn {
    objid_t thread;  /* the thread object */
    objid_t view;    /* the view that the thread runs in */
    uint64_t entry;  /* rip */
    uint64_t stack;  /* rsp, as the entry point expects it */
    uint64_t arg;    /* rdi */
    uint64_t arg2;   /* rsi */
    uint64_t fsbase; /* base of thread-local storage */
    uint64_t gsbase; /* address of the thread's user page in its view */
    uint64_t flags;  /* 0 */
};
_Static_assert(sizeof(struct twz_spawn) == 88, "spawn size");

/* Argument of thread_become. */
struct twz_become {
    objid_t view;         /* the view to continue in */
    objid_t sctx;         /* the security context; 0: unchanged */
    struct twz_regs regs; /* all registers */
};

/* Operations of thread_ctl; thread ID 0 is the caller. */
#define TWZ_THREAD_PRIORITY 0u /* arg: 0 (idle) .. 31 */
#define TWZ_THREAD_CORES    1u /* arg: bit set of cores */
#define TWZ_THREAD_YIELD    2u /* the caller goes behind other threads of its priority */
/* arg: an owner word, resume count << 32 | low half of a thread generation. 1: that thread lives or
 * will live again; else 0. */
#define TWZ_THREAD_ALIVE 3u
/* arg: address of a struct twz_fault. The caller ends as by that fault without a handler, with exit
 * record and log line. */
#define TWZ_THREAD_FAULT 4u

#endif
