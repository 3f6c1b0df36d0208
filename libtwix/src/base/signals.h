/* SPDX-License-Identifier: MIT */
/*
 * Signal state: the process's actions, and the pending and blocked signals of each thread.
 * life/deliver.h runs the handlers.
 *
 * A signal that is sent to the process goes to one thread that does not block it. The sender sets
 * the signal in threads.pending, reads the masks, and notifies such a thread by a kernel signal.
 * A thread that unblocks signals stores its mask, then reads threads.pending when its call ends.
 * Both use a full fence in between, so at least one of them sees the other's store. A signal that
 * all threads block stays in threads.pending. A thread that has taken a signal, and blocks it or
 * ends before it delivers it, gives it back.
 */
#ifndef TWIX_SIGNALS_H
#define TWIX_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "linux.h"
#include "thread.h"

#define SIGNALS_MAX         64
#define SIGNALS_BIT(signo)  (1ull << ((signo)-1))
#define SIGNALS_UNBLOCKABLE (SIGNALS_BIT(SIGKILL) | SIGNALS_BIT(SIGSTOP))

/* The actions, by signal number. They are read and written word by word, without a lock, so a
 * reader may see words of two actions. Only a program that changes an action while the signal
 * arrives can notice this. */
extern struct linux_sigaction signals_action[SIGNALS_MAX + 1];

/* At the process's start: make the calling thread block `mask`, and set the action of each signal
 * in `ignored` to SIG_IGN. */
void signals_inherit(uint64_t mask, uint64_t ignored);

/* Returns the set of signals whose action is SIG_IGN. A child inherits this set. */
uint64_t signals_ignored(void);

bool signals_has_handler(int signo);

/* Returns whether the action is SIG_IGN, or a default action that does nothing. Such a signal never
 * ends a wait. libtwix drops the signal unless the thread blocks it: the program may set a handler,
 * and unblock the signal after that. */
bool signals_is_ignored(int signo);

/* Make a signal pending for the calling thread; libtwix delivers the signal when the call ends. An
 * ignored signal is dropped, unless the thread blocks it. */
void signals_raise(int signo);

/* Values of the kernel's signal. Without one of them the signal comes from another process or the
 * timer, for this process. */
#define SIGNALS_TO_THREAD (1ull << 62) /* for the thread that gets it */
#define SIGNALS_NOTIFY    (1ull << 61) /* it is in threads.pending; the thread may take it */

/* Make a signal pending for the process, and notify a thread that does not block it. An ignored
 * signal is dropped, unless the calling thread blocks it. */
void signals_raise_process(int signo);

/* Remove the signal from the process's pending set. Returns whether it was there. */
bool signals_take(int signo);

/* Set the mask of the calling thread. Signals of the process that it took, and blocks from now on,
 * go back to the process. */
void signals_set_mask(struct thread *t, uint64_t mask);

/* Returns whether the calling thread has a signal to deliver, so that the thread's wait must end.
 * Drops ignored signals. */
bool signals_end_wait(void);

/* Remove the lowest signal that the calling thread or the process has pending, and that the thread
 * does not block. Returns the signal's number, or 0 if there is none. */
int signals_dequeue(void);

#endif
