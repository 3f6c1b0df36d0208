/* SPDX-License-Identifier: MIT */
/*
 * The accounts that are in use, by the IDs of their objects. The arithmetic is kernel/account.h's.
 *
 * The functions take a lock of their own: object -> accounts -> kmem.
 */
#ifndef KERNEL_ACCOUNTS_H
#define KERNEL_ACCOUNTS_H

#include <kernel/account.h>
#include <kernel/object.h>

/* Returns the account of an ACCOUNT object, on which the caller has a reference, or NULL. */
struct account *accounts_find(const struct object *obj);

/* Makes that account, unless it exists, and returns it in *out. Its parent is the account that pays
 * for the object. `limit` has its limits (UINT64_MAX: none). Errors: -TWZ_ENOMEM; -TWZ_EQUOTA;
 * -TWZ_EFULL for too many accounts above each other. */
MUST_CHECK int accounts_add(const struct object *obj, const uint64_t limit[TWZ_ACCOUNT_KINDS],
                            struct account **out);

/* Charges `amount` to the account of an ACCOUNT object with that ID, whatever its limits, and
 * returns the account. NULL: none with that ID is in use, and nothing is charged. */
struct account *accounts_charge_id(objid_t id, unsigned what, uint64_t amount);

/* Charges a persistent account, or NULL, for a new object of the pool. -TWZ_EQUOTA; -TWZ_EDELETED
 * if the account is about to be deleted. */
MUST_CHECK int accounts_charge_new(struct account *account);

/* Must precede the deletion of the object of a persistent account: from now on accounts_charge_new
 * refuses it. -TWZ_EBUSY, with nothing changed, if objects of the pool are charged to it. */
MUST_CHECK int accounts_close(struct account *account);

/* At boot, before any object of the pool is in core: makes the account of each object that an
 * object of the pool names as its account, without limits, and charges it for the frames of the
 * pool. Takes time linear in the objects, if any has an account. Panics if there is no memory. */
void accounts_recount(void);

/* Calls act for each account; at boot only. */
void accounts_each(void (*act)(struct account *account));

/* The IDs of the accounts that pay for an object, its own first: returns their number, at most
 * ACCOUNT_DEPTH. Takes the object's lock. */
unsigned accounts_of(struct object *obj, objid_t ids[ACCOUNT_DEPTH]);

/* The ACCOUNT object is destroyed. Its account is freed when nothing is charged to it. */
void accounts_end(objid_t id);

/* Frees accounts that have ended and are not used any more, a few at most. */
void accounts_reclaim(void);

#endif
