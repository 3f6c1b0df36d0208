/* SPDX-License-Identifier: MIT */
/*
 * Threads. A thread that is off a core is wholly its record, which belongs to its thread object
 * (twz/thread.h). struct thread holds what is meaningful on this boot only (queues, timers), and
 * those fields of the record that other cores or the running thread change.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <kernel/deferred.h>
#include <kernel/timer.h>
#include <twz/thread.h>

struct account;
struct object;
struct addrspace;
struct service;

enum thread_state {
    THREAD_READY,   /* on a run queue, or on its way to a core */
    THREAD_RUNNING, /* on a core, or leaving it */
    THREAD_WOKEN,   /* the same, and it does not park: sched_wake was called */
    THREAD_BLOCKED  /* off a core until sched_wake */
};

/* Bits of thread.pending. */
#define THREAD_KILL   1u
#define THREAD_SIGNAL 2u

#define THREAD_WAITERS 4u /* sleeps in one thread_sync without an allocation */

/* One sleep of a thread on one word (core/sync.c). */
struct sync_waiter {
    struct thread *thread;
    const void *object; /* key: a referenced object ... */
    uint64_t off;       /* ... and an offset in it */
    unsigned index;     /* operation in the user's array */
    struct bucket *bucket;
    /* under the bucket's lock */
    bool queued;
    bool head;                       /* it stands in the bucket's list for all waiters of its key */
    struct list_node bucket_link;    /* of a head */
    struct sync_waiter *next, *prev; /* ring of the waiters of one key, the head's eldest first */
};

/* Wakes all sleepers of one word, the first batch at once (core/sync.c). */
struct sync_waker {
    struct deferred work;
    const void *object; /* referenced */
    uint64_t off;
    void (*release)(const void *object);
};

/* Frames of the pool that a copy has reserved (kernel/page.h). */
struct pool_reservation {
    uint64_t frames;       /* of the store */
    uint64_t charged;      /* frames that the payer is charged for */
    struct account *payer; /* valid while it is charged */
};

/* A long call that works in batches (core/progress.c). */
struct sealing;
struct progress {
    uint64_t call;      /* fingerprint of the call; 0: none */
    uint64_t index;     /* the call's own: the element it has reached */
    uint32_t at;        /* the call's own: the page in it */
    bool below;         /* a handler was entered above it and has not returned */
    uint64_t location;  /* of the interrupted call, while `below` */
    struct object *obj; /* referenced; created by the call so far */
    struct pool_reservation reserved;
    struct sealing *sealing; /* of an unfinished obj_seal (obj/seal.c), or NULL */
};

/* The part of a gate call in progress (struct twz_gate_entry) that holds in this boot only. */
struct gate_ref {
    struct service *service;     /* referenced */
    struct addrspace *addrspace; /* of the caller, referenced */
};

struct thread {
    /* constant */
    objid_t id;
    struct object *obj;      /* referenced */
    struct twz_thread *user; /* its user page in DRAM; NULL: the object is persistent */
    struct twz_thread_save *save;
    struct account *account;   /* pays for it and for what it creates, or NULL */
    uint64_t generation;       /* unique over all threads of this boot; never 0 */
    struct thread *table_next; /* of all threads, under the table's lock (obj/threadobj.c) */
    /* the thread's own: touched only while it is current */
    struct addrspace *addrspace; /* referenced */
    struct arch_root *root;      /* of addrspace */
    objid_t view;                /* of addrspace */
    objid_t sctx;                /* of addrspace: the active security context */
    void (*resume)(struct thread *t, struct arch_frame *frame); /* called when it runs again */
    struct progress progress;
    struct sealed_check *sealed_check; /* the page that it verifies (page/sealed.c), or NULL */
    void *scratch;                     /* memory for decisions (kernel/sec/signed.c) ... */
    size_t scratch_size;               /* ... freed when the thread ends */
    struct sync_waker waker;           /* of the word that its call has set */
    struct sync_waker end_waker;       /* of its own exit word */
    struct list owed; /* struct deferred: done before the thread returns to user mode */
    bool ended;       /* it has no registers and no address space; it only does what it owes */
    bool limited;     /* phys_limit */
    bool retry;  /* a decision, or a sealed page, needs more stays: an error of it does not count */
    bool parked; /* it leaves the core at kernel_exit unless woken */
    struct twz_fault_location faults; /* of its fault frames in the view it is in */
    unsigned ngates;                  /* gate calls in progress; their entries are in `save` */
    struct gate_ref *gates;           /* TWZ_GATE_DEPTH of them; NULL: it has made no gate call */
    /* changed by several cores (core/sched.c, core/runq.c) */
    _Atomic uint32_t state; /* enum thread_state */
    unsigned cpu;           /* the core that it runs on, waits for or ran on last */
    unsigned priority;
    uint64_t cores; /* bit set of cores it may run on */
    /* under lock */
    struct spinlock lock;
    unsigned wanted; /* the priority that the thread was given, */
    unsigned floor;  /* and the least one that its gate calls give it */
    unsigned nsignals;
    uint64_t signal_mask; /* changed by the thread itself */
    struct twz_queued_signal signals[TWZ_SIGNALS_QUEUED];
    _Atomic uint32_t pending;
    /* under the run queue's lock */
    struct runq *queue; /* NULL: on none */
    unsigned queue_priority;
    bool queue_movable; /* counted in queue->nmovable */
    struct list_node queue_link;
    /* thread_sync */
    struct timer timer;
    _Atomic uint32_t sync_state;
    unsigned sync_index; /* operation that was woken */
    uint32_t touches;    /* faults that the kernel resolved for it, ever */
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
    struct twz_thread_save *save; /* thread_save_size bytes, 64-byte aligned */
    objid_t view;
    struct addrspace *addrspace;
    struct arch_root *root;
    objid_t sctx;
    struct account *account;
    struct twz_regs regs; /* must have passed arch_regs_validate */
    unsigned priority;
    uint64_t cores;
    bool limited; /* phys_limit */
};

/* True: the running thread's last error does not count; it must make the access again. */
bool thread_takes_retry(void);

/* Creates a thread, blocked, in *out, and writes its record. -TWZ_ENOMEM, -TWZ_EQUOTA. */
MUST_CHECK int thread_create(const struct thread_init *init, struct thread **out);

/* A number that no thread or call frame of this boot has had. */
uint64_t thread_new_generation(void);

/* Number of threads whose memory is not freed yet. Takes no lock. */
uint64_t thread_count(void);

/* Bytes of a record. */
size_t thread_save_size(void);

/* The registers of t in its record, where the entries of its core save them. */
static inline struct arch_frame *thread_frame(const struct thread *t)
{
    return (struct arch_frame *)(void *)&t->save->regs;
}

/* Writes what an entry does not save: the segment bases and the vector state of this core. */
void thread_save(struct thread *t);

/* Makes this core's entries and exits use the record, and loads the rest of it. -TWZ_EINVAL: user
 * code has set registers that must not be loaded; nothing is. */
MUST_CHECK int thread_load(struct thread *t);

/* Completes the record of t, which no core may run, with its epoch and check. Takes t's lock. */
const struct twz_thread_save *thread_seal(struct thread *t, uint64_t epoch);

/* Ends the running thread with its exit record, and all its gate calls. fault may be NULL. The
 * caller must hold no lock, and must return to kernel_exit without another access to the thread,
 * which does there what it owes (kernel/defer.h). Long. */
void thread_end(uint64_t code, const struct twz_fault *fault);

/* Frees the running thread, which must have ended and must owe nothing. */
void thread_free(struct thread *t);

#endif
