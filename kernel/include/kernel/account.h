/* SPDX-License-Identifier: MIT */
/*
 * Accounts, which pay for memory, space of the pool and threads (twz/kso.h). A NULL account stands
 * for the kernel and the first program, which nothing limits and nothing counts.
 *
 * A charge counts in the account and in each one above it, so a limit holds for the account with
 * all those below it. The charges are the references: a struct account exists as long as its
 * ACCOUNT object, or as long as something is charged to it. A caller that passes an account must
 * therefore hold its object, or something that is charged to the account until the call returns.
 *
 * Any core may call at any time; the functions take no lock.
 */
#ifndef KERNEL_ACCOUNT_H
#define KERNEL_ACCOUNT_H

#include <kernel/types.h>
#include <lib/list.h>
#include <stdatomic.h>
#include <twz/kso.h>

#define ACCOUNT_DEPTH 8u /* accounts above each other, at most */

struct account {
    objid_t id;             /* of its ACCOUNT object */
    struct account *parent; /* constant; NULL: none */
    unsigned depth;         /* constant; 1 without a parent */
    bool persistent;        /* constant */
    atomic_bool closed;     /* about to be deleted: no new object of the pool is charged */
    uint64_t recounted;     /* boot: bytes of the pool that its own objects have */
    _Atomic uint64_t limit[TWZ_ACCOUNT_KINDS]; /* UINT64_MAX: none */
    _Atomic uint64_t use[TWZ_ACCOUNT_KINDS];
    struct account *next;  /* in the table (obj/accounts.c) */
    struct list_node link; /* in the list of those that ended */
};

/* The parts of the next two for an account that is not NULL. */
MUST_CHECK int account_charge_chain(struct account *account, unsigned what, uint64_t amount);
void account_uncharge_chain(struct account *account, unsigned what, uint64_t amount);

/* Charges `amount` of a TWZ_ACCOUNT_* to an account and those above it. -TWZ_EQUOTA: one of them
 * would exceed its limit; nothing is charged. */
static inline MUST_CHECK int account_charge(struct account *account, unsigned what, uint64_t amount)
{
    return account ? account_charge_chain(account, what, amount) : 0;
}

/* The same whatever the limits: for what must not fail, such as the look-up of an object. */
void account_charge_always(struct account *account, unsigned what, uint64_t amount);

/* Takes a charge back. The account may be freed at any time afterwards. */
static inline void account_uncharge(struct account *account, unsigned what, uint64_t amount)
{
    if (account)
        account_uncharge_chain(account, what, amount);
}

/* True: nothing is charged to the account, so nothing refers to it but its object. */
bool account_is_unused(const struct account *account);

/* The nearest persistent account: itself, or one above it; NULL: none. It pays for persistent
 * objects, which outlive a volatile account. */
struct account *account_persistent(struct account *account);

#endif
