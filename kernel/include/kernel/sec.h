/* SPDX-License-Identifier: MIT */
/*
 * The access decision: the rights of a security context on an object. The rights that each call
 * needs stand in the block above it in abi/twz/syscall.def. An access through a slot needs READ,
 * WRITE or EXEC; the view entry must have the right, too.
 *
 * The caller of each function must hold no lock. No function blocks.
 */
#ifndef KERNEL_SEC_H
#define KERNEL_SEC_H

#include <kernel/context.h>

/* Decides which rights a context has on an object. The decision counts as long as the object has
 * the decision's stamp, and the context has not changed. */
void sec_decide(struct context *context, struct object *obj, struct decision *decision);

/* -TWZ_EDENIED: the context lacks one of the rights `need` on obj. */
MUST_CHECK int sec_check(struct context *context, struct object *obj, unsigned need);

#endif
