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
#define THREAD_ENDED 2u /* its stacks and its object must stay until the kernel has left them */

struct thread {
    uint32_t state; /* guarded by the table's lock */
    int tid;
    twzobj repr; /* the thread object, open; start NULL: there is none yet */
    int (*fn)(void *);
    void *arg;
    int *set_ptid, *set_ctid; /* words that get the tid at the start, NULL: none */
    void *fault_stack;        /* FAULT_STACK bytes (life/clone.c), NULL: none */

    /* for the thread's end; written by the thread itself */
    int *clear_tid;               /* zeroed and woken, NULL: none */
    void *robust;                 /* list of robust futexes, NULL: none */
    void *unmap_base;             /* its own stack, freed once the kernel has left it */
    uint64_t unmap_len;           /* 0: the stack is not libtwix's to free */
    struct twz_sync last_wake[2]; /* of the table's `live`, and of clear_tid */

    uint64_t pending; /* signals; any thread may change it, atomically */

    /* signal state, of the thread alone; others read mask as a hint */
    uint64_t mask;
    uint64_t alt_base, alt_len; /* sigaltstack; length 0: none */
    uint64_t suspend_mask;      /* the mask that returns after sigsuspend */
    bool suspended;
    uint32_t in_call; /* 1: the thread runs libtwix */
};

extern struct thread_table {
    struct twz_mutex lock;
    uint64_t live;   /* threads besides the first that have not ended; woken when it becomes 0 */
    uint32_t others; /* 1: a thread besides the first was started; atomic, without the lock */
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

/* The first page of its thread object. */
static inline struct twz_thread *thread_repr(const struct thread *t)
{
    return twz_object_base(&t->repr);
}

/*
 * The calling thread runs libtwix from thread_enter_call to thread_leave_call. A signal that
 * arrives in between becomes pending and nothing more (on_signal of life/deliver.c). If
 * thread_leave_call returns true, the caller must call deliver_pending.
 *
 * The leaving thread clears in_call, then reads pending; on_signal sets pending, then reads
 * in_call. So one of them sees the signal. Both run on the same thread: compiler fences suffice.
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
    return (__atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) & ~t->mask) != 0;
}

/* The number of a thread object: a tid, and the pid of the process whose first thread it is. */
int thread_number(const struct twz_thread *repr);

/* The live thread of that tid, NULL: none. Takes no lock; the thread may end at any time. */
struct thread *thread_find(int64_t tid);

/* Remove a signal from the pending set of every thread. */
void thread_clear_pending(uint64_t bit);

/* Whether a thread besides the first was ever started. A caller must mark it before it starts one,
 * also one without an entry (life/timers.c). */
static inline bool thread_has_others(void)
{
    return __atomic_load_n(&threads.others, __ATOMIC_RELAXED) != 0;
}

static inline void thread_mark_others(void)
{
    __atomic_store_n(&threads.others, 1, __ATOMIC_RELAXED);
}

/*
 * The word of a mutex that a thread holds (twz/mutex.h). In an object that processes share, a mutex
 * may stand for a whole process: it is then locked in the name of the process's first thread, with
 * thread_process_word. The other processes can tell that its owner is dead.
 */
uint64_t thread_owner_word(const struct twz_thread *repr);
uint64_t thread_process_word(void);

#endif
