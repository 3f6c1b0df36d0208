/* SPDX-License-Identifier: MIT */
/*
 * Owns the arithmetic of accounts: charges up the chain of parents, at most ACCOUNT_DEPTH steps.
 *
 * Invariants
 *   - The use of an account is the sum of what is charged to it and to those below it.
 *   - A charge never brings a use above its limit, not even for a moment: the comparison and the
 *     addition are one atomic operation. So no account makes a charge of another one fail by
 *     charges of its own that fail. account_charge_always alone may exceed a limit.
 *   - An account is freed only when all its uses are 0 (obj/accounts.c). A child is charged to its
 *     parent, so a parent outlives its children. An uncharge reads the parent before it takes the
 *     charge back, because the account may be freed right after that; the release order pairs with
 *     the acquire order of account_is_unused.
 */
#include <kernel/account.h>

/* False: the limit does not allow it. */
static bool add_within_limit(struct account *account, unsigned what, uint64_t amount)
{
    uint64_t limit = atomic_load_explicit(&account->limit[what], memory_order_relaxed);
    uint64_t use = atomic_load_explicit(&account->use[what], memory_order_relaxed);

    do {
        if (use > limit || amount > limit - use)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&account->use[what], &use, use + amount,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* Takes a charge back from `account` and those above it, up to and without `end`. */
static void subtract(struct account *account, const struct account *end, unsigned what,
                     uint64_t amount)
{
    while (account != end) {
        struct account *parent = account->parent;

        atomic_fetch_sub_explicit(&account->use[what], amount, memory_order_release);
        account = parent;
    }
}

int account_charge_chain(struct account *account, unsigned what, uint64_t amount)
{
    for (struct account *at = account; at; at = at->parent) {
        if (add_within_limit(at, what, amount))
            continue;
        subtract(account, at, what, amount);
        return -TWZ_EQUOTA;
    }
    return 0;
}

void account_charge_always(struct account *account, unsigned what, uint64_t amount)
{
    for (; account; account = account->parent)
        atomic_fetch_add_explicit(&account->use[what], amount, memory_order_relaxed);
}

void account_uncharge_chain(struct account *account, unsigned what, uint64_t amount)
{
    subtract(account, NULL, what, amount);
}

/* The uses that a holder of the account has as long as it may add charges come first: an object is
 * kernel memory, and a thread is a thread. The other uses can only fall by then. */
bool account_is_unused(const struct account *account)
{
    static const unsigned order[] = { TWZ_ACCOUNT_KERNEL, TWZ_ACCOUNT_THREADS, TWZ_ACCOUNT_POOL,
                                      TWZ_ACCOUNT_DRAM };

    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (atomic_load_explicit(&account->use[order[i]], memory_order_acquire) != 0)
            return false;
    return true;
}

struct account *account_persistent(struct account *account)
{
    while (account && !account->persistent)
        account = account->parent;
    return account;
}
