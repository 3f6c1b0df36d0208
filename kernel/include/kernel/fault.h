/* SPDX-License-Identifier: MIT */
/* Faults of user code: up to the view's handler, or the end of the thread. */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include <kernel/thread.h>

/*
 * Delivers a fault to the running thread: builds a frame on its fault stack and points *frame at
 * the handler. No handler: the thread ends, with its record and a line in the log. `fault->ip` is
 * set here.
 */
void fault_raise(struct arch_frame *frame, struct twz_fault *fault);

/* Ends the running thread by `fault`, with its record and a line in the log. */
void fault_end(const struct twz_fault *fault);

/* fault_return: loads the frame at that user address. */
MUST_CHECK int fault_return(struct arch_frame *frame, uint64_t addr);

/* Options of trace= on the command line. */
extern bool trace_call;
extern bool trace_fault;
void trace_init(void);

#endif
