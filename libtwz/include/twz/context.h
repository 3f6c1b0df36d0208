/* SPDX-License-Identifier: MIT */
/*
 * Security contexts: what a program may do with which object. A context takes in another one, gets
 * rights by grants, and loses rights by masks. A mask cannot be taken back (twz/sec.h).
 */
#ifndef TWZ_CONTEXT_H
#define TWZ_CONTEXT_H

#include <twz/obj.h>
#include <twz/sec.h>

/* Create a volatile context that takes in the caller's: it has the same rights and masks, until it
 * gets more masks. It is deleted with the caller's view. */
TWZ_CHECKED int twz_context_new(objid_t *context);

/* Leave the context no more than `rights` of the default permissions of an object. */
TWZ_CHECKED int twz_context_mask(objid_t context, objid_t object, uint32_t rights);

/* Give a context rights on an object that the caller has, until `expires` (seconds of security
 * time; 0: never), as long as the caller's own context has them. */
TWZ_CHECKED int twz_context_grant(objid_t context, objid_t object, uint32_t rights,
                                  uint64_t expires);

/* Continue the calling thread in another context, for good. Its other threads stay where they are;
 * a thread that it starts, and a program, are in the new context. -TWZ_ENOTSUP if the processor
 * does not tell user code the base of its thread-local storage. */
TWZ_CHECKED int twz_context_enter(objid_t context);

#endif
