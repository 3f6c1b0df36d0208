/* SPDX-License-Identifier: MIT */
/*
 * Signals, over the kernel's fault upcalls.
 *
 * Delivery is of two sorts. A fault of the program itself (SIGSEGV, SIGFPE …), or a signal that
 * comes while program code runs, interrupts it: the fault frame is moved to the program's stack (or
 * its sigaltstack) and the handler runs there; afterwards fault_return goes back. A signal that
 * comes while libtwix runs only becomes pending, and is delivered when the call in progress is left
 * (dispatch.c), as an ordinary call of the handler.
 */
#ifndef TWIX_SIGNALS_H
#define TWIX_SIGNALS_H

#include <signal.h>
#include <stdint.h>

/* Sent to the first thread: with this bit in its value, that says the process ends with the code in
 * the other bits. */
#define SIGNAL_END      32u
#define SIGNAL_END_FLAG (1ull << 63)

#define SIGNAL_BIT(signo) (1ull << ((signo)-1))

/* Register for faults; take over what the parent had blocked and ignored. */
void signals_init(uint64_t mask, uint64_t ignored);

/* What a child inherits. */
uint64_t signals_ignored(void);

/* The calling thread gets it; delivered when its call is left. */
void signals_raise(int signo);

/* 1: a signal is there that ends the calling thread's wait. Those without effect are dropped. */
int signals_waiting(void);

/* At the end of a call: handlers of what is pending and not blocked run. 1: something ran, and all
 * of it allows the call to be made again. */
int signals_deliver(void);

#endif
