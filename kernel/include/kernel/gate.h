/* SPDX-License-Identifier: MIT */
/*
 * Gate calls of the running thread (twz/service.h). The caller of each function must hold no lock.
 */
#ifndef KERNEL_GATE_H
#define KERNEL_GATE_H

#include <kernel/service.h>
#include <kernel/thread.h>

/*
 * Continues the running thread at an entry of the service, and takes over the caller's reference
 * on the service. Errors, with *frame unchanged and the reference still the caller's: -TWZ_ERANGE,
 * -TWZ_EINVAL, -TWZ_EFULL, -TWZ_EAGAIN, -TWZ_EDELETED, -TWZ_EFAULT, -TWZ_ENOMEM (syscall.def).
 */
MUST_CHECK int gate_enter(struct arch_frame *frame, struct service *s, uint64_t offset,
                          const uint64_t arg[3]);

/* Ends the innermost call: continues its caller with that value. -TWZ_EINVAL: there is none. */
MUST_CHECK int gate_leave(struct arch_frame *frame, uint64_t value);

/* Ends the innermost call of the running thread, which must have one, with -TWZ_EDIED. */
void gate_failed(struct thread *t);

/* Ends all calls of a thread that ends. Afterwards its address space is that of its outermost
 * caller, which is not loaded. */
void gate_end_all(struct thread *t);

#endif
