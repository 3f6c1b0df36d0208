/* SPDX-License-Identifier: MIT */
/*
 * Threads of this program's own view. A thread is an object (twz/thread.h); its first page is
 * mapped where it runs, and gs:0 points at it. The words of twz_thread.user[] belong to:
 */
#ifndef TWZ_THREADS_H
#define TWZ_THREADS_H

#include <twz/obj.h>
#include <twz/sync.h>
#include <twz/thread.h>

#define TWZ_USER_CATCH  0u /* innermost struct twz_catch */
#define TWZ_USER_ERROR  1u /* twz_error_last */
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

/* Start fn(arg) in a new thread; when fn returns the thread ends with code 0. */
TWZ_CHECKED int twz_thread_spawn(struct twz_thrd *thread, const struct twz_thrd_spawn *spawn);

/* Wait for its end, give its exit code and let go of its objects. A thread that ended by a fault:
 * 1, with *fault (may be NULL) filled in; else 0. */
int twz_thread_wait(struct twz_thrd *thread, uint64_t *code, struct twz_fault *fault);

/* Say that this thread is ready; wait until another said so (or ended: -TWZ_EDELETED). */
void twz_thread_ready(void);
TWZ_CHECKED int twz_thread_wait_ready(struct twz_thrd *thread);

_Noreturn void twz_thread_exit(uint64_t code);

/* The calling thread's own page. */
static inline struct twz_thread *twz_thread_repr_base(void)
{
    struct twz_thread *self;

    __asm__("mov %%gs:0, %0" : "=r"(self));
    return self;
}

/* Sleep while *word == value, until `deadline` (monotonic ns, TWZ_FOREVER). 0, or -TWZ_ETIMEDOUT,
 * -TWZ_EINTR. Wake up to `count` sleepers. */
int twz_sync_wait(const uint64_t *word, uint64_t value, uint64_t deadline);
int twz_sync_wait32(const uint32_t *word, uint32_t value, uint64_t deadline);
int twz_sync_wake(const uint64_t *word, uint64_t count);

/* Nanoseconds of the monotonic clock, and of the wall clock since 1970: loads, no call. */
uint64_t twz_clock(void);
uint64_t twz_clock_wall(void);

#endif
