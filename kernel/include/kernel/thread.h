/* SPDX-License-Identifier: MIT */
/*
 * Threads. A thread that is off a core is wholly its thread object: its registers and vector state
 * lie in one of two save areas in the object's kernel-only pages. struct thread is a cache of that,
 * and holds what is meaningful on this boot only (queues, timers).
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <kernel/timer.h>
#include <twz/thread.h>

struct object;
struct addrspace;

enum thread_state {
    THREAD_READY,   /* on a run queue */
    THREAD_RUNNING, /* on a core, or leaving it */
    THREAD_BLOCKED, /* off a core until sched_wake */
    THREAD_ENDED
};

/* Bits of thread.pending. */
#define THREAD_KILL   1u
#define THREAD_SIGNAL 2u

#define THREAD_SIGNALS 8u /* queued at most */
#define THREAD_WAITERS 4u /* sleeps in one thread_sync without an allocation */

struct thread_signal {
    uint64_t signal;
    uint64_t value;
};

/* One sleep of a thread on one word (core/sync.c). */
struct sync_waiter {
    struct thread *thread;
    const void *object;           /* key: a referenced object ... */
    uint64_t off;                 /* ... and an offset in it */
    unsigned index;               /* operation in the user's array */
    struct list_node bucket_link; /* under the bucket's lock */
};

/* A long call that works in batches (core/progress.c). */
struct progress {
    uint64_t call;      /* fingerprint of the call; 0: none */
    uint64_t index;     /* the call's own: the element it has reached */
    uint32_t at;        /* the call's own: the page in it */
    bool below;         /* a handler was entered above it and has not returned */
    uint64_t location;  /* of the interrupted call, while `below` */
    struct object *obj; /* referenced; created by the call so far */
};

struct thread {
    /* constant */
    objid_t id;
    struct object *obj;      /* referenced */
    struct twz_thread *user; /* its user page, in the kernel's map */
    struct twz_thread_save *save[2];
    uint64_t generation;       /* unique over all threads of this boot; never 0 */
    struct thread *table_next; /* of all threads, under the table's lock (obj/threadobj.c) */
    /* the thread's own: touched only while it is current */
    struct addrspace *addrspace; /* referenced */
    struct arch_root *root;      /* of addrspace */
    objid_t sctx;
    void (*resume)(struct thread *t, struct arch_frame *frame); /* called when it runs again */
    struct progress progress;
    struct list owed; /* struct deferred: done before the thread returns to user mode */
    bool ended;       /* it has no registers and no address space; it only does what it owes */
    uint64_t epoch; /* of the save area written last */
    /* under lock */
    struct spinlock lock;
    enum thread_state state;
    bool parked;  /* set by the thread: it leaves the core at kernel_exit unless woken */
    bool woken;   /* sched_wake was called before it was off the core */
    unsigned cpu; /* the core that it runs on, waits for or ran on last */
    unsigned priority;
    uint64_t cores; /* bit set of cores it may run on */
    unsigned nsignals;
    struct thread_signal signals[THREAD_SIGNALS];
    _Atomic uint32_t pending;
    /* under the run queue's lock */
    struct runq *queue; /* NULL: on none */
    unsigned queue_priority;
    struct list_node queue_link;
    /* thread_sync */
    struct timer timer;
    _Atomic uint32_t sync_state;
    unsigned sync_index; /* operation that was woken */
    unsigned nwaiters;
    unsigned waiters_max;
    struct sync_waiter *waiters;
    struct sync_waiter few[THREAD_WAITERS];
};

/* A new thread, not yet running. The thread uses all memory of `init` until upcall.thread_ended. */
struct thread_init {
    objid_t id;
    struct object *obj;
    struct twz_thread *user;
    struct twz_thread_save *save[2];
    struct addrspace *addrspace;
    struct arch_root *root;
    objid_t sctx;
    struct twz_regs regs; /* must have passed arch_regs_validate */
    unsigned priority;
    uint64_t cores;
};

/* Creates a thread, blocked, and writes its first save area. NULL: no memory. */
struct thread *thread_create(const struct thread_init *init);

/* Bytes of one save area. */
size_t thread_save_size(void);

/* Writes the registers of *frame and the vector state of this core to the older save area. */
void thread_save(struct thread *t, struct arch_frame *frame);

/* Loads the newer save area into *frame and this core. -TWZ_EDAMAGED: its check fails; -TWZ_EINVAL:
 * it holds what must not be loaded. */
MUST_CHECK int thread_load(struct thread *t, struct arch_frame *frame);

/* Ends the running thread with its exit record. fault may be NULL. The caller must hold no lock,
 * and must return to kernel_exit without another access to the thread, which does there what it
 * owes (kernel/defer.h). Long. */
void thread_end(uint64_t code, const struct twz_fault *fault);

/* Frees the running thread, which must have ended and must owe nothing. */
void thread_free(struct thread *t);

#endif
