/* SPDX-License-Identifier: MIT */
/*
 * Threads of this program's own view. A thread is an object (twz/thread.h). Its first page is
 * mapped in its view, and gs:0 holds its address. Owners of the words of twz_thread.user[]:
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

/* Start fn(arg) in a new thread, which ends with code 0 when fn returns. Each started thread must
 * be waited for once. */
TWZ_CHECKED int twz_thread_spawn(struct twz_thrd *thread, const struct twz_thrd_spawn *spawn);

/* Block until the thread ends, then release its objects. *code: its exit code (code may be NULL). 1
 * if a fault ended it, with *fault filled in (fault may be NULL); else 0. */
int twz_thread_wait(struct twz_thrd *thread, uint64_t *code, struct twz_fault *fault);

/* Report that the calling thread is ready; block until `thread` has done so. -TWZ_EDELETED if it
 * ended before. */
void twz_thread_ready(void);
TWZ_CHECKED int twz_thread_wait_ready(struct twz_thrd *thread);

_Noreturn void twz_thread_exit(uint64_t code);

/* The calling thread's page. */
static inline struct twz_thread *twz_thread_repr_base(void)
{
    struct twz_thread *self;

    __asm__("mov %%gs:0, %0" : "=r"(self));
    return self;
}

/* Sleep while *word == value, until `deadline` (monotonic ns, or TWZ_FOREVER). It may return early,
 * so the caller must check the word again. 0, -TWZ_ETIMEDOUT or -TWZ_EINTR. */
int twz_sync_wait(const uint64_t *word, uint64_t value, uint64_t deadline);
int twz_sync_wait32(const uint32_t *word, uint32_t value, uint64_t deadline);

/* Wake up to `count` sleepers: their number, or an error. Does not block. */
int twz_sync_wake(const uint64_t *word, uint64_t count);

/* Nanoseconds of the monotonic clock, and of the wall clock since 1970. Loads only, no call. */
uint64_t twz_clock(void);
uint64_t twz_clock_wall(void);

#endif
