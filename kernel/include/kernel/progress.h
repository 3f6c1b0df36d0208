/* SPDX-License-Identifier: MIT */
/*
 * The progress of long calls. A call whose length grows with its arguments does one bounded batch,
 * then puts the thread back on its SYSCALL instruction; the thread makes the call again, and the
 * next batch begins where the last one ended. All functions act on the running thread.
 */
#ifndef KERNEL_PROGRESS_H
#define KERNEL_PROGRESS_H

#include <kernel/thread.h>

/* Must be called first in each batch. Afterwards index, at and obj of the thread's progress are as
 * this call's last batch left them; in its first batch they are zero, and what another unfinished
 * call had made is deleted. The caller must hold no lock. Long. */
void progress_begin(const struct twz_regs *regs);

/* Returns the index that an earlier batch of this call has left, or 0. Ends no other call's
 * progress, so a call that is seldom long need not begin one in its first batch. */
uint64_t progress_of(const struct twz_regs *regs);

/* The thread leaves its view for another one: an unfinished call there begins anew, and what it had
 * made is deleted. The caller must hold no lock. Long. */
void progress_forget(void);

/* Must be called when the call has ended, with a result or an error. */
void progress_end(void);

/* A handler is entered above the thread's registers: a long call there waits for its return. A
 * thread that is there for the second time has left that handler for good; then what the call has
 * made is deleted. The caller must hold no lock. Long. */
void progress_handler_entered(const struct twz_regs *regs);

/* fault_return leads to these registers: a long call there may go on. */
void progress_handler_left(const struct twz_regs *regs);

#endif
