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

struct sec_cap;
struct sec_revocation;

/*
 * Decides which rights a context has on an object. The decision counts as long as the object has
 * the decision's stamp, the context has not changed, and security time is below `until`.
 * -TWZ_ENOMEM.
 *
 * -TWZ_EAGAIN: a signature is being checked, and thread->retry is set. A call must then end with an
 * error and without effect, and the handling of a fault must end. The thread makes the access
 * again.
 */
MUST_CHECK int sec_decide(struct context *context, struct object *obj, struct decision *decision);

/* -TWZ_EDENIED: the context lacks one of the rights `need` on obj. Errors of sec_decide. */
MUST_CHECK int sec_check(struct context *context, struct object *obj, unsigned need);

/* The same for a gate call to an offset of obj, which needs EXEC. A capability with a range of
 * entries counts here alone. */
MUST_CHECK int sec_check_gate(struct context *context, struct object *obj, uint64_t offset);

/* Adds a capability to a context's table, or removes it. The change is durable if the context is
 * persistent. Removed rights are unmapped before the running thread returns to user mode. Errors:
 * -TWZ_EINVAL it is not well formed, or for another context; -TWZ_EEXIST, -TWZ_ENOOBJ; -TWZ_EFULL;
 * -TWZ_ENOMEM, -TWZ_ENOSPC; -TWZ_EDELETED. */
MUST_CHECK int sec_table_add(struct context *context, const struct sec_cap *cap);
MUST_CHECK int sec_table_remove(struct context *context, const struct sec_cap *cap);

/* Raises the epoch of an object as a statement says, durably. Rights of earlier epochs are unmapped
 * before the running thread returns to user mode. Errors: -TWZ_EINVAL it is not well formed;
 * -TWZ_EDENIED it does not apply, or its signature is not valid; -TWZ_EAGAIN as above; -TWZ_ENOMEM;
 * those of obj_get. */
MUST_CHECK int sec_revoke(const struct sec_revocation *statement);

#endif
