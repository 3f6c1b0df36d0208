/* SPDX-License-Identifier: MIT */
/*
 * Delivery of signals, over the kernel's fault upcalls.
 *
 * A fault of the program (SIGSEGV, SIGFPE ...), or a signal that arrives while program code runs,
 * interrupts the program. libtwix copies the fault frame to the program's stack or the sigaltstack.
 * The handler runs on that stack; fault_return continues the program.
 *
 * A signal that arrives during a call becomes pending. When the call ends, libtwix calls the
 * signal's handler as an ordinary function.
 *
 * So no handler runs while its thread holds a lock of libtwix.
 */
#ifndef TWIX_DELIVER_H
#define TWIX_DELIVER_H

#include <stdbool.h>

/* Register the upcalls for faults and signals. */
void deliver_init(void);

/* Run the handlers of all signals that are pending and not blocked. The caller must not be inside a
 * call (thread_leave_call) and must hold no lock. Returns true if a handler ran, and all handlers
 * that ran allow the call to be restarted. */
bool deliver_pending(void);

#endif
