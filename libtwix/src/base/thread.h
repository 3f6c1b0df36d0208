/* SPDX-License-Identifier: MIT */
/*
 * Threads of the process. Each is a thread object of the kernel and a struct thread, which word 30
 * of its user words points to. The table is fixed; slot 0 is the first thread, whose end is the
 * process's end as others see it.
 *
 * Waiting: every wait of libtwix that a signal may end goes through thread_wait, which also sleeps
 * on the thread's `pending` word. A signal changes that word before it interrupts, so it cannot
 * slip in between the last look and the sleep.
 */
#ifndef TWIX_THREAD_H
#define TWIX_THREAD_H

#include <twz/obj.h>
#include <twz/sync.h>
#include <twz/threads.h>

#include "entry.h"

#define THREADS_MAX 256u

#define THREAD_FREE  0u
#define THREAD_LIVE  1u
#define THREAD_ENDED 2u /* its objects wait for their thread to be off them */

struct thread {
    uint32_t state; /* guarded by the table's lock */
    int tid;
    twzobj repr; /* the thread object */
    int (*fn)(void *);
    void *arg;
    int *tell_parent, *tell_child; /* words that get its number, NULL: none */
    int *clear_tid;                /* zeroed and woken at the end */
    void *robust;                  /* list of robust futexes */
    void *fault_stack;             /* for faults, FAULT_STACK bytes */
    void *unmap_base;              /* its own stack, to be freed after the end */
    uint64_t unmap_len;
    struct twz_sync last[2]; /* the wakes with which it ends */
    /* signals; pending is changed atomically by anybody, the rest by the thread itself */
    uint64_t pending;
    uint64_t mask;
    uint64_t alt_base, alt_len; /* sigaltstack, 0: none */
    uint64_t suspend_mask;      /* mask to come back to after sigsuspend */
    uint32_t suspended;
    uint32_t in_call; /* 1: libtwix is at work for it and looks for signals when it is done */
};

/*
 * libtwix works for the calling thread from thread_enter to thread_leave_call. In between a signal
 * is only noted; leaving, signals_deliver has to be asked for if thread_leave_call says so. What
 * comes after the mark is gone interrupts at once, so nothing is missed.
 */
static inline void thread_enter(struct thread *t)
{
    __atomic_store_n(&t->in_call, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline int thread_leave_call(struct thread *t)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&t->in_call, 0, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return (__atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) & ~t->mask) != 0;
}

/* The calling thread. */
static inline struct thread *thread_self(void)
{
    return (struct thread *)(uintptr_t)twz_thread_repr_base()->user[TWIX_USER_THREAD];
}

void thread_init(void); /* the first thread, at start */

/* The number that Linux calls pid (of a first thread) or tid. */
int thread_number(const struct twz_thread *repr);

/* Start of a new thread: the table's clone entry. Its tid, or a negative errno. */
int thread_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls,
                 int *ctid);
void thread_unmapself(void *base, uint64_t len);

/* A pending signal is taken back from all threads. */
void thread_drop_signal(uint64_t bit);

/* The word that a lock held by that thread has (twz/mutex.h). A process holds what it shares with
 * others in the name of its first thread, so that they find out when it is dead. */
uint64_t thread_owner_word(const struct twz_thread *repr);
uint64_t thread_process_word(void);

/* A thread by its ID, NULL: none lives. */
struct thread *thread_find(int64_t tid);

/* 1 if there may be threads besides the first; to be told of those that are started elsewhere. */
int thread_others(void);
void thread_note_other(void);

/* The process's end: first all threads but the caller and the first are ended (or, where another
 * thread is at it already, the caller); last the caller leaves, and with it the first thread, whose
 * code is the process's. */
void thread_stop_others(uint64_t code);
_Noreturn void thread_leave(uint64_t code);
const struct thread *thread_first(void);

/* The sleep on a 64-bit word while it has `value`. */
static inline struct twz_sync thread_sleep_on(const uint64_t *word, uint64_t value)
{
    return (struct twz_sync){ .addr = (uint64_t)(uintptr_t)word,
                              .value = value,
                              .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
}

/* thread_sync on ops[0 .. count), with room for one more behind them. >= 0: something is ready,
 * or nothing is and it pays to look again; -EINTR: a signal wants to be handled; -ETIMEDOUT. */
int64_t thread_wait(struct twz_sync *ops, uint64_t count, uint64_t deadline);

/* The same for one word. */
int64_t thread_wait_word(const uint64_t *word, uint64_t value, uint64_t deadline);

#endif
