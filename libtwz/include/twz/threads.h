/* SPDX-License-Identifier: MIT */
/*
 * Threads in the view of this program. Each thread has a thread object (twz/thread.h), whose first
 * page is mapped in the view. The word at gs:0 holds the address of this page. The words of
 * twz_thread.user[] belong to:
 */
#ifndef TWZ_THREADS_H
#define TWZ_THREADS_H

#include <twz/obj.h>
#include <twz/sync.h>
#include <twz/thread.h>

#define TWZ_USER_CATCH  0u /* innermost struct twz_catch */
#define TWZ_USER_ERROR  1u /* twz_error_last */
#define TWZ_USER_GUARD  2u /* innermost struct twz_guard */
#define TWZ_USER_GATES  3u /* of a call frame: the gated functions (twz/gate.h) */
#define TWZ_USER_WINDOW 4u /* of a call frame: address of its window's slot */
#define TWZ_USER_LIBTWZ 8u /* below: this library. From here on: the runtime */

struct twz_thrd {
    twzobj repr; /* the thread object, open */
    twzobj stack;
    uint64_t start; /* address of the repr page in the view */
};

struct twz_thrd_spawn {
    void (*fn)(void *arg);
    void *arg;
    uint64_t stack_size; /* 0: 1 MiB */
    uint64_t fsbase;     /* 0: none */
};

/* Start a thread that calls fn(arg). When fn returns, the thread ends with code 0. The caller must
 * call twz_thread_wait once for each thread that it starts. A fault ends this thread only; the
 * kernel logs the fault, and twz_thread_wait returns it. In a program with musl, fn must not call
 * the C library, which has no state for this thread. */
TWZ_CHECKED int twz_thread_spawn(struct twz_thrd *thread, const struct twz_thrd_spawn *spawn);

/* Block until the thread ends, then release its objects. Returns 1 if a fault ended the thread,
 * with the fault in *fault; else 0. *code is the exit code of the thread. code and fault may be
 * NULL. */
int twz_thread_wait(struct twz_thrd *thread, uint64_t *code, struct twz_fault *fault);

/* Report that the calling thread is ready. */
void twz_thread_ready(void);

/* Block until `thread` reports that it is ready. -TWZ_EDELETED if it ends before. */
TWZ_CHECKED int twz_thread_wait_ready(struct twz_thrd *thread);

_Noreturn void twz_thread_exit(uint64_t code);

/* Returns the address of the first page of the calling thread's object. */
static inline struct twz_thread *twz_thread_repr_base(void)
{
    struct twz_thread *self;

    __asm__("mov %%gs:0, %0" : "=r"(self));
    return self;
}

/* Sleep while *word == value. Returns 0, -TWZ_ETIMEDOUT after `deadline` (ns of the monotonic
 * clock, or TWZ_FOREVER), or -TWZ_EINTR. The word may be unchanged after 0, so the caller must
 * check it. */
int twz_sync_wait(const uint64_t *word, uint64_t value, uint64_t deadline);
int twz_sync_wait32(const uint32_t *word, uint32_t value, uint64_t deadline);

/* Wake up to `count` threads that sleep on the word. Returns their number, or an error. */
int twz_sync_wake(const uint64_t *word, uint64_t count);

/* Wake one thread that sleeps on `wake`, then sleep as twz_sync_wait does, in one call: the thread
 * that is woken may get the caller's core at once. */
int twz_sync_wake_wait(const uint64_t *wake, const uint64_t *word, uint64_t value,
                       uint64_t deadline);

/* The time of the monotonic clock, and that of the wall clock since 1970, in nanoseconds. These
 * functions only load from memory; they do not enter the kernel. */
uint64_t twz_clock(void);
uint64_t twz_clock_wall(void);

#endif
