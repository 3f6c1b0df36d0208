/* SPDX-License-Identifier: MIT */
/*
 * A thread is an object of kind TWZ_KIND_THREAD. Its first data page belongs to user code. The
 * pages from TWZ_THREAD_KPAGE on belong to the kernel, which never maps them for user code. They
 * hold the thread while it is off a core. In a persistent thread object they are two slots, each
 * with a struct twz_thread_save and the XSAVE image. The slot that counts is the valid one with the
 * greatest epoch that is not above the committed epoch; a new record is written to the other slot.
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
    uint64_t view;  /* view address of the start of the thread's view object; 0: not mapped */
    uint64_t args;  /* view address of the program's arguments; 0: the kernel started it */
    /* sync words: 0, then 1 */
    uint64_t spawned;       /* set by the kernel: the thread was started */
    uint64_t ready;         /* set by the thread itself (twz_thread_ready) */
    uint64_t exit;          /* set by the kernel: the thread has ended; the next three are valid */
    uint64_t exit_code;     /* argument of thread_exit, or TWZ_EXIT_BY_SIGNAL of a fault */
    struct twz_fault fault; /* the fault that ended the thread, if exit_fault is 1 */
    uint64_t exit_fault;    /* 1: a fault ended the thread */
    uint64_t boot;          /* set by the kernel: the resume count of the boot of the spawn */
    uint64_t generation;    /* set by the kernel: unique over all threads of this boot; never 0 */
    objid_t context;        /* set by the kernel: of the spawn; 0: the first context */
    uint64_t reserved[9];   /* 0 */
    uint64_t user[32];      /* for the runtime */
};
_Static_assert(sizeof(struct twz_thread) == 512, "thread page size");
_Static_assert(offsetof(struct twz_thread, user) == 256, "the words of the runtime have a place");

/* A thread of an earlier boot does not run: no boot resumes it (today). So a thread object with
 * exit 0 and another resume count in `boot` than the system information page was stopped by the end
 * of the machine; a persistent one has its record then, if the end was orderly. */

#define TWZ_THREAD_KPAGE      2u /* page index of the kernel-only part */
#define TWZ_THREAD_SLOT_PAGES 8u /* pages from one slot to the next; a record may be shorter */
#define TWZ_THREAD_SLOTS      2u

#define TWZ_SIGNALS_QUEUED 8u  /* signals that wait for one thread, at most */
#define TWZ_GATE_DEPTH     16u /* gate calls in progress of one thread, at most */
#define TWZ_ATTACHED_MAX   32u /* security contexts of one thread, at most */

/* Bits of a signal mask. TWZ_SIGNAL_KILL cannot be masked. */
#define TWZ_SIGNAL_BIT(signal) (1ull << ((signal)-1u))

/* The location of fault frames (twz/fault.h). */
#define TWZ_FAULTS_OWN   0ull /* below the red zone of the thread's own stack */
#define TWZ_FAULTS_STACK 1ull /* on the fault stack */
#define TWZ_FAULTS_NONE  2ull /* none: a fault that has a handler is a double fault */

struct twz_fault_location {
    uint64_t mode; /* TWZ_FAULTS_* */
    uint64_t base; /* FAULTS_STACK: view address of its lowest byte; else 0 */
    uint64_t len;  /* FAULTS_STACK: its bytes; else 0 */
};
_Static_assert(sizeof(struct twz_fault_location) == 24, "fault location size");

struct twz_queued_signal {
    uint64_t signal;
    uint64_t value;
};
_Static_assert(sizeof(struct twz_queued_signal) == 16, "queued signal size");

/* A gate call in progress (twz/service.h): what its return restores. */
struct twz_gate_entry {
    objid_t service; /* the service object that was called */
    objid_t view;    /* of the caller, as all that follows */
    objid_t sctx;
    uint64_t rip;
    uint64_t rsp;
    uint64_t fsbase;
    uint64_t gsbase;
    struct twz_fault_location faults;
    uint64_t call_frame;  /* index in the service's pool of call frames */
    uint64_t signal_mask; /* before the call, as the next one */
    uint64_t floor;       /* the least priority that outer calls gave the thread */
    uint64_t reserved[8]; /* 0 */
};
_Static_assert(sizeof(struct twz_gate_entry) == 192, "gate entry size");

/*
 * The record of a thread: all that is needed to continue it, but for the memory of its view. The
 * XSAVE image follows the header at xsave_off. `check` is computed only where a record is made
 * durable; in a record that was not, it is 0.
 */
#define TWZ_SAVE_MAGIC   0x7661732d7a7774ull
#define TWZ_SAVE_VERSION 2u
struct twz_thread_save {
    uint64_t magic;   /* TWZ_SAVE_MAGIC */
    uint32_t version; /* TWZ_SAVE_VERSION */
    uint32_t header;  /* sizeof(struct twz_thread_save) */
    uint64_t size;    /* bytes of the record with the XSAVE image; a multiple of 64 */
    uint64_t epoch;   /* raised by each durable record */
    uint64_t check;   /* over all `size` bytes, with this word as 0 */
    objid_t thread;   /* the thread object */
    objid_t view;
    objid_t sctx; /* active security context */
    struct twz_regs regs;
    uint64_t state;      /* the kernel's flags of the entry in progress */
    uint64_t priority;   /* 0 (idle) .. 31 */
    uint64_t cores;      /* bit set of cores that the thread may run on */
    uint64_t xsave_mask; /* components that the XSAVE image may hold (XCR0) */
    uint64_t xsave_size; /* bytes of the XSAVE image */
    uint64_t xsave_off;  /* offset of the XSAVE image in the record; a multiple of 64 */
    struct twz_fault_location faults;
    uint64_t signal_mask;
    uint64_t nsignals; /* of signals[], the eldest first */
    struct twz_queued_signal signals[TWZ_SIGNALS_QUEUED];
    uint64_t ngates;                             /* gate calls in progress: of gates[] */
    uint64_t nattached;                          /* 0 (reserved) */
    objid_t attached[TWZ_ATTACHED_MAX];          /* security contexts */
    struct twz_gate_entry gates[TWZ_GATE_DEPTH]; /* the innermost last */
    uint64_t reserved[4];                        /* 0 */
};
_Static_assert(sizeof(struct twz_thread_save) == 4096, "thread save size");

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
    uint64_t cores;  /* bit set of cores; 0: the caller's */
    objid_t sctx;    /* the security context; 0: the caller's */
    objid_t account; /* the account that pays; 0: the caller's */
};
#define TWZ_SPAWN_MIN 128u /* its size in the first version */
_Static_assert(sizeof(struct twz_spawn) == TWZ_SPAWN_MIN, "spawn size");

/* Argument of thread_become. */
struct twz_become {
    objid_t view;         /* the view to continue in */
    objid_t sctx;         /* the security context; 0: unchanged */
    uint64_t flags;       /* 0 */
    uint64_t fault_base;  /* the fault stack in another view; 0: none there yet */
    uint64_t fault_len;   /* its bytes */
    struct twz_regs regs; /* all registers */
};
#define TWZ_BECOME_MIN 216u /* its size in the first version */
_Static_assert(sizeof(struct twz_become) == TWZ_BECOME_MIN, "become size");

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
/* arg: address of the caller's fault stack in its view, arg2: its bytes; 0, 0: the caller takes
 * faults on its own stack. It holds in this view, until the caller changes it. */
#define TWZ_THREAD_FAULT_STACK 5u
/* arg: the caller's signal mask, TWZ_SIGNAL_BIT of each signal that must wait; arg2: address of a
 * uint64_t that gets the mask before, or 0. */
#define TWZ_THREAD_MASK 6u

#endif
