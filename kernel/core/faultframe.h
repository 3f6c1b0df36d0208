/* SPDX-License-Identifier: MIT */
#ifndef CORE_FAULTFRAME_H
#define CORE_FAULTFRAME_H

#include <kernel/thread.h>

/* Writes a fault frame with *regs and this core's vector state at the running thread's location of
 * fault frames; *at is its address. A zero word is written below it, where a return address would
 * be. The caller must hold no lock. -TWZ_EFAULT: there is no stack for it, or it cannot be
 * written. */
MUST_CHECK int faultframe_push(const struct twz_regs *regs, const struct twz_fault *fault,
                               uint64_t *at);

/* Reads the frame at addr, with registers that are validated, and loads its vector state. The
 * caller must hold no lock. On an error the thread's registers are unchanged, the vector state may
 * not be. -TWZ_EFAULT, -TWZ_EINVAL. */
MUST_CHECK int faultframe_load(uint64_t addr, struct twz_fault_frame *in);

#endif
