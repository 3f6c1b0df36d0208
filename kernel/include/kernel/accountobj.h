/* SPDX-License-Identifier: MIT */
/*
 * ACCOUNT objects: the page that shows an account (struct twz_account), and its limits.
 *
 * The caller of each function must hold a reference on the object and no lock. No function blocks.
 */
#ifndef KERNEL_ACCOUNTOBJ_H
#define KERNEL_ACCOUNTOBJ_H

#include <kernel/accounts.h>

/* At boot, before any other object of the pool is in core: finds the accounts that objects of the
 * pool are charged to, with their limits. */
void accountobj_init(void);

/* Must precede the deletion of an ACCOUNT object. -TWZ_EBUSY if it is persistent, and objects of
 * the pool are charged to it; errors of accountobj_get. */
MUST_CHECK int accountobj_close(struct object *obj);

/* Returns the account of the object in *out; the first call after the object was created or loaded
 * makes it, with the limits of its page. Errors: -TWZ_ETYPE if the object is no account; those of
 * accounts_get; those of obj_read. */
MUST_CHECK int accountobj_get(struct object *obj, struct account **out);

/* Sets a limit (TWZ_ACCOUNT_*; 0: none of its own), durably if the object is persistent. It may be
 * below the present use. Errors: -TWZ_EINVAL for an unknown one; those of accountobj_get;
 * -TWZ_EFAULT if the page cannot be written. */
MUST_CHECK int accountobj_limit(struct object *obj, uint64_t what, uint64_t limit);

/* Sets limits for this boot, where the account has none of its own. Errors: those of
 * accountobj_get. */
MUST_CHECK int accountobj_limit_boot(struct object *obj, const uint64_t limit[TWZ_ACCOUNT_KINDS]);

/* Writes the present limits and uses to the page. Errors: as accountobj_limit. */
MUST_CHECK int accountobj_show(struct object *obj);

#endif
