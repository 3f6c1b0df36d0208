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

/* By signal number. Read and written word by word, without a lock: a reader may see the words of
 * two actions, which only a program that changes an action while the signal arrives can notice. */
extern struct linux_sigaction signals_action[SIGNALS_MAX + 1];

/* At the process's start: the calling thread blocks `mask`; `ignored` is ignored. */
void signals_inherit(uint64_t mask, uint64_t ignored);

/* The set of signals whose action is SIG_IGN; a child inherits it. */
uint64_t signals_ignored(void);

bool signals_has_handler(int signo);

/* The action is SIG_IGN, or a default action that does nothing. Such a signal never ends a wait. It
 * is dropped, unless the thread blocks it: the program may set a handler before it unblocks it. */
bool signals_is_ignored(int signo);

/* Make a signal pending for the calling thread; it is delivered when the call in progress ends. */
void signals_raise(int signo);

/* Whether a signal waits for delivery to the calling thread, so that its wait must end. Drops
 * ignored signals. */
bool signals_end_wait(void);

/* Remove the lowest signal that the calling thread has pending and does not block; 0: none. */
int signals_dequeue(void);

#endif
