/* SPDX-License-Identifier: MIT */
/* Signals to threads: a kill, or a fault of kind SIGNAL that the thread's view handles. */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include <kernel/thread.h>

/* Kills t or queues a signal for it; unless t masks the signal, a sleep of t ends. t must not end
 * meanwhile. Takes the thread's lock. -TWZ_EAGAIN: TWZ_SIGNALS_QUEUED are queued already. */
MUST_CHECK int signal_send(struct thread *t, uint64_t signal, uint64_t value);

/* Acts on the pending bits of the running thread, on its way out of the kernel: ends it, or raises
 * the fault of its eldest signal. The caller must hold no lock. */
void signal_deliver(struct thread *t, struct arch_frame *frame);

/* Sets the signal mask of the running thread. In a gate call, all signals stay masked. Takes the
 * thread's lock. */
void signal_set_mask(uint64_t mask);

#endif
