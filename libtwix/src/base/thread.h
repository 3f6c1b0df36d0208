/* SPDX-License-Identifier: MIT */
/*
 * The table of the process's threads. A thread is a thread object of the kernel and a struct
 * thread; word TWIX_USER_THREAD of the object points to the struct. Entry 0 is the first thread:
 * its exit code is the one that the parent reads. life/clone.h starts and ends the others.
 */
#ifndef TWIX_THREAD_H
#define TWIX_THREAD_H

#include <stdbool.h>
#include <twz/mutex.h>
#include <twz/obj.h>
#include <twz/sync.h>
#include <twz/threads.h>

#include "entry.h"

#define THREADS_MAX 256u

#define THREAD_FREE  0u
#define THREAD_LIVE  1u
#define THREAD_ENDED 2u /* its stacks and object must stay until the object's exit word is set */

struct thread {
    uint32_t state; /* guarded by the table's lock */
    int tid;
    twzobj repr; /* the thread object, open; start NULL: there is none yet */
    int (*fn)(void *);
    void *arg;
    int *set_ptid, *set_ctid; /* words that receive the tid at the start, NULL: none */
    void *fault_stack;        /* FAULT_STACK bytes (life/clone.c), NULL: none */

    /* for the thread's end; written by the thread itself */
    int *clear_tid;               /* the word to zero and wake, NULL: none */
    void *robust;                 /* list of robust futexes, NULL: none */
    void *unmap_base;             /* the thread's own stack, which a later clone_thread frees */
    uint64_t unmap_len;           /* 0: libtwix must not free the stack */
    struct twz_sync last_wake[2]; /* of the table's `live`, and of clear_tid */

    uint64_t pending; /* a set of signals; any thread may change it, atomically */
    uint64_t taken;   /* those of `pending` that were sent to the process; as pending */

    /* signal state; only the running thread writes it, others read mask as a hint */
    uint64_t mask;
    uint64_t alt_base, alt_len; /* sigaltstack; length 0: none */
    uint64_t suspend_mask;      /* the mask that returns after sigsuspend */
    bool suspended;
    uint32_t in_call; /* 1: the thread runs libtwix */
};

extern struct thread_table {
    struct twz_mutex lock;
    uint64_t live;   /* threads, without the first, that have not ended; a sync word, woken at 0 */
    uint32_t others; /* 1: a thread besides the first was started; atomic, without the lock */
    /* Signals sent to the process that no thread has taken: all block them, or one was notified
     * just now (base/signals.h). Changed atomically, without the lock. */
    uint64_t pending;
    struct thread entry[THREADS_MAX];
} threads;

static inline struct thread *thread_self(void)
{
    return (struct thread *)(uintptr_t)twz_thread_repr_base()->user[TWIX_USER_THREAD];
}

static inline struct thread *thread_first(void)
{
    return &threads.entry[0];
}

/* Returns the first page of the thread object. */
static inline struct twz_thread *thread_repr(const struct thread *t)
{
    return twz_object_base(&t->repr);
}

/*
 * A call lasts from thread_enter_call to thread_leave_call; the thread runs libtwix. A signal that
 * arrives during a call only becomes pending (on_signal of life/deliver.c). If thread_leave_call
 * returns true, the caller must call deliver_pending.
 *
 * The leaving thread clears in_call, then reads pending; on_signal sets pending, then reads
 * in_call. So at least one of the two functions sees the signal. Both run on the same thread, so
 * compiler fences suffice. The process's pending set is read too; base/signals.h orders that.
 */
static inline void thread_enter_call(struct thread *t)
{
    __atomic_store_n(&t->in_call, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline bool thread_leave_call(struct thread *t)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&t->in_call, 0, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return ((__atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) |
             __atomic_load_n(&threads.pending, __ATOMIC_ACQUIRE)) &
            ~t->mask) != 0;
}

/* Returns the tid of the thread of that generation. The tid of the first thread is also the
 * process's pid. */
int thread_number(uint64_t generation);

/* Returns the live thread of that tid, or NULL. Takes no lock; the thread may end at any time. */
struct thread *thread_find(int64_t tid);

/* Remove a signal from the pending sets of the process and of every thread. */
void thread_clear_pending(uint64_t bit);

/* thread_has_others returns whether a thread besides the first was ever started. A caller that
 * starts a thread must call thread_mark_others first, also for a thread without an entry
 * (life/timers.c). */
static inline bool thread_has_others(void)
{
    return __atomic_load_n(&threads.others, __ATOMIC_RELAXED) != 0;
}

static inline void thread_mark_others(void)
{
    __atomic_store_n(&threads.others, 1, __ATOMIC_RELAXED);
}

/*
 * An owner word is the word of a mutex that a thread holds (twz/mutex.h). In an object that
 * processes share, a mutex may stand for a whole process. It then holds the owner word of the
 * process's first thread (thread_process_word). So other processes can find out whether the process
 * is alive.
 */
uint64_t thread_owner_word(uint64_t generation);
uint64_t thread_process_word(void);

#endif
