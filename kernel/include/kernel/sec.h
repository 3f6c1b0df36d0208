/* SPDX-License-Identifier: MIT */
/*
 * The access decision: the rights of a security context on an object. The rights that each call
 * needs stand in the block above it in abi/twz/syscall.def. An access through a slot needs READ,
 * WRITE or EXEC; the view entry must have the right, too.
 *
 * The functions take no lock. The caller may hold the object's lock, and must hold it if it acts on
 * the decision under that lock.
 */
#ifndef KERNEL_SEC_H
#define KERNEL_SEC_H

#include <kernel/object.h>

/* All rights that sctx has on obj. */
unsigned sec_decide(objid_t sctx, const struct object *obj);

/* -TWZ_EDENIED: sctx lacks one of the rights `need`. */
MUST_CHECK int sec_check(objid_t sctx, const struct object *obj, unsigned need);

#endif
