/* SPDX-License-Identifier: MIT */
/* Faults of user code: resolved, delivered to the view's handler, or the end of the thread. */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include <kernel/thread.h>

/* Sets a location of fault frames: the fault stack of len bytes from base up, or the thread's own
 * stack where both are 0. -TWZ_EINVAL: the fault stack is not in user memory. */
MUST_CHECK int fault_set_location(struct twz_fault_location *location, uint64_t base, uint64_t len);

/*
 * Delivers a fault to the running thread: writes a frame at its location of fault frames and points
 * *frame at the handler that its view names. Without a handler, or without a location, the thread
 * ends (fault_end). A SIGNAL masks the thread's signals until fault_return. Sets fault->ip. The
 * caller must hold no lock.
 */
void fault_raise(struct arch_frame *frame, struct twz_fault *fault);

/* Ends the running thread by `fault`, with its exit record and a line in the log. In a gate call,
 * only the call ends. The caller must hold no lock, and must return to kernel_exit without another
 * access to the thread or its registers. */
void fault_end(const struct twz_fault *fault);

/* The call fault_return: continues with the frame at that user address. The caller must hold no
 * lock. -TWZ_EFAULT, -TWZ_EINVAL: *frame is unchanged. */
MUST_CHECK int fault_return(struct arch_frame *frame, uint64_t addr);

#endif
