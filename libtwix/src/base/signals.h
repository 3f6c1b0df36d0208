/* SPDX-License-Identifier: MIT */
/*
 * Signal state: the process's actions, and each thread's pending and blocked signals.
 * life/deliver.h runs the handlers.
 */
#ifndef TWIX_SIGNALS_H
#define TWIX_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "linux.h"

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

/* Returns whether the calling thread has a signal to deliver, so that the thread's wait must end.
 * Drops ignored signals. */
bool signals_end_wait(void);

/* Remove the lowest signal that the calling thread has pending and does not block. Returns the
 * signal's number, or 0 if there is none. */
int signals_dequeue(void);

#endif
