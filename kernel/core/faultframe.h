/* SPDX-License-Identifier: MIT */
#ifndef CORE_FAULTFRAME_H
#define CORE_FAULTFRAME_H

#include <kernel/thread.h>

/* Writes a fault frame with *regs and this core's vector state on a stack of the running thread;
 * *at is its address. A zero word is written below it, where a return address would be. The caller
 * must hold no lock. -TWZ_EFAULT: the stack cannot be written. */
MUST_CHECK int faultframe_push(const struct twz_regs *regs, const struct twz_fault *fault,
                               uint64_t *at);

/* Reads the frame at addr, loads its vector state and gives its registers, validated. The caller
 * must hold no lock. On an error the thread's registers are unchanged, the vector state may not be.
 * -TWZ_EFAULT, -TWZ_EINVAL. */
MUST_CHECK int faultframe_load(uint64_t addr, struct twz_regs *regs);

#endif
