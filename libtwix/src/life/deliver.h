/* SPDX-License-Identifier: MIT */
/*
 * Delivery of signals, over the kernel's fault upcalls.
 *
 * A fault of the program (SIGSEGV, SIGFPE ...), or a signal that arrives while program code runs,
 * interrupts the program: its fault frame is copied to the program's stack or the sigaltstack, the
 * handler runs there, and fault_return continues the program.
 *
 * A signal that arrives while libtwix runs becomes pending. At the end of the call in progress its
 * handler runs as an ordinary function.
 *
 * So no handler runs while its thread holds a lock of libtwix.
 */
#ifndef TWIX_DELIVER_H
#define TWIX_DELIVER_H

#include <stdbool.h>

/* Register the upcalls for faults and signals. */
void deliver_init(void);

/* Run the handlers of all signals that are pending and not blocked. The caller must have left the
 * call (thread_leave_call) and must hold no lock. True: a handler ran, and all that ran allow the
 * call to be restarted. */
bool deliver_pending(void);

#endif
