/* SPDX-License-Identifier: MIT */
/*
 * Threads. A thread that is off a core is wholly its thread object: registers and vector state lie
 * in one of two save slots in the object's kernel-only pages; struct thread is a cache, and the
 * place of what is only meaningful on this boot (queues, timers).
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <kernel/cpu.h>
#include <twz/thread.h>

struct object;
struct addrspace;

enum thread_state {
    THREAD_READY,   /* on a run queue */
    THREAD_RUNNING, /* on a core, or on its way off it */
    THREAD_BLOCKED, /* off a core, waiting for sched_wake */
    THREAD_ENDED
};

/* pending bits */
#define THREAD_KILL   1u
#define THREAD_SIGNAL 2u

#define THREAD_SIGNALS 8u /* queued at most */
#define THREAD_WAITERS 4u /* sleeps in one thread_sync without an allocation */

struct thread_signal {
    uint64_t signal;
    uint64_t value;
};

struct sync_waiter {
    struct thread *thread;
    const void *object;       /* key: a referenced object ... */
    uint64_t off;             /* ... and an offset in it */
    unsigned index;           /* operation in the user's array */
    struct list_node bucket_link; /* under the bucket's lock */
};

struct thread {
    /* constant */
    objid_t id;
    struct object *obj;      /* referenced */
    struct twz_thread *user; /* its user page, in the kernel's map */
    struct twz_thread_save *save[2];
    uint64_t generation;
    struct thread *table_next; /* of all threads, under the table's lock (obj/) */
    /* the thread's own, only touched while it is current */
    struct addrspace *addrspace; /* referenced */
    struct arch_root *root;      /* of space */
    objid_t sctx;
    void (*resume)(struct thread *t, struct arch_frame *frame); /* first thing when it runs again */
    struct {
        uint64_t call; /* fingerprint of a long call that goes on; 0: none */
        uint64_t index;
        uint32_t at;
        bool below; /* it was interrupted, at `place`, and has not gone on */
        uint64_t place;
        struct object *obj; /* referenced; made by the call so far */
    } progress;
    uint64_t epoch; /* of the save slot written last */
    /* under lock */
    struct spinlock lock;
    enum thread_state state;
    bool parked;  /* set by itself: leave the core at the next kernel_exit, unless woken */
    bool woken;   /* somebody called sched_wake before it was off */
    unsigned cpu; /* where it runs, waits to run, or ran last */
    unsigned priority;
    uint64_t cores;
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
    unsigned sync_index; /* which operation was woken */
    unsigned nwaiters;
    unsigned waiters_max;
    struct sync_waiter *waiters;
    struct sync_waiter few[THREAD_WAITERS];
};

/* A new thread, not yet running. All memory of `init` stays the thread's until `ended`. */
struct thread_init {
    objid_t id;
    struct object *obj;
    struct twz_thread *user;
    struct twz_thread_save *save[2];
    struct addrspace *addrspace;
    struct arch_root *root;
    objid_t sctx;
    struct twz_regs regs; /* validated */
    unsigned priority;
    uint64_t cores;
};
/* Writes the first save slot. NULL: no memory. */
struct thread *thread_create(const struct thread_init *init);

/* Bytes that one save slot takes. */
size_t thread_save_size(void);

/* Registers of frame and vector state of this core into the older slot. */
void thread_save(struct thread *t, struct arch_frame *frame);
/* The newer slot into *frame and this core. -TWZ_EDAMAGED: neither slot is good. */
MUST_CHECK int thread_load(struct thread *t, struct arch_frame *frame);

/* Ends the running thread. fault may be NULL. The caller returns to kernel_exit without touching
 * the thread again. */
void thread_end(uint64_t code, const struct twz_fault *fault);

/* Queues a signal; the thread's lock is taken. -TWZ_EAGAIN: too many queued. */
MUST_CHECK int thread_signal(struct thread *t, uint64_t signal, uint64_t value);

/* Kernel_exit found pending bits of the running thread. */
void thread_pending(struct thread *t, struct arch_frame *frame);

#endif
