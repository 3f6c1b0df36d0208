/* SPDX-License-Identifier: MIT */
/*
 * Owns the page of ACCOUNT objects. The kernel alone writes it: no slot maps an account with WRITE
 * (view.c), and calls that change pages refuse its kind.
 *
 * Crash protocol: the page of a persistent account keeps its limits. A limit is one word, which is
 * durable before the limit holds and before the call returns. A blank page is that of an account
 * without limits. The uses on the page are those of the last obj_stat; no code reads them.
 *
 * Lock order: limits_lock -> object.
 */
#include <kernel/accountobj.h>
#include <kernel/log.h>
#include <kernel/page.h>

static SHARED_LOCK struct spinlock limits_lock; /* guards the page of every account */

_Static_assert(offsetof(struct twz_account, limit) % 8 == 0, "a limit is one word");

#define PAGE_OFFSET(field) (TWZ_OBJ_BASE + offsetof(struct twz_account, field))

/* 0 on the page: no limit of its own. */
static uint64_t limit_of_word(uint64_t word)
{
    return word == 0 ? UINT64_MAX : word;
}

static uint64_t word_of_limit(const struct account *account, unsigned what)
{
    uint64_t limit = atomic_load_explicit(&account->limit[what], memory_order_relaxed);

    return limit == UINT64_MAX ? 0 : limit;
}

int accountobj_get(struct object *obj, struct account **out)
{
    uint64_t limit[TWZ_ACCOUNT_KINDS];
    int err;

    if (obj->kind != TWZ_KIND_ACCOUNT)
        return -TWZ_ETYPE;
    *out = accounts_find(obj);
    if (*out)
        return 0;
    err = obj_read(obj, PAGE_OFFSET(limit), limit, sizeof(limit));
    if (err < 0)
        return err;
    for (unsigned i = 0; i < TWZ_ACCOUNT_KINDS; i++)
        limit[i] = limit_of_word(limit[i]);
    return accounts_add(obj, limit, out);
}

int accountobj_limit(struct object *obj, uint64_t what, uint64_t limit)
{
    struct account *account;
    int err;

    if (what >= TWZ_ACCOUNT_KINDS)
        return -TWZ_EINVAL;
    err = accountobj_get(obj, &account);
    if (err < 0)
        return err;
    spin_lock(&limits_lock);
    err = obj_write(obj, PAGE_OFFSET(limit) + what * sizeof(limit), &limit, sizeof(limit));
    if (err == 0)
        atomic_store_explicit(&account->limit[what], limit_of_word(limit), memory_order_relaxed);
    spin_unlock(&limits_lock);
    return err;
}

int accountobj_show(struct object *obj)
{
    struct twz_account page = { .magic = TWZ_ACCOUNT_MAGIC, .parent = obj->account };
    struct account *account;
    int err;

    accounts_reclaim();
    err = accountobj_get(obj, &account);
    if (err < 0)
        return err;
    for (unsigned i = 0; i < TWZ_ACCOUNT_KINDS; i++)
        page.use[i] = atomic_load_explicit(&account->use[i], memory_order_relaxed);
    spin_lock(&limits_lock);
    for (unsigned i = 0; i < TWZ_ACCOUNT_KINDS; i++)
        page.limit[i] = word_of_limit(account, i);
    err = obj_write(obj, TWZ_OBJ_BASE, &page, sizeof(page));
    spin_unlock(&limits_lock);
    return err;
}

/* Reads the limits of an account that was found at boot. */
static void load_limits(struct account *account)
{
    uint64_t limit[TWZ_ACCOUNT_KINDS];
    struct object *obj;
    int err = obj_get(account->id, &obj);

    if (err == 0) {
        err = obj_read(obj, PAGE_OFFSET(limit), limit, sizeof(limit));
        obj_put(obj);
    }
    if (err < 0)
        log_printf("account " IDFMT ": its limits cannot be read", IDPR(account->id));
    for (unsigned i = 0; err == 0 && i < TWZ_ACCOUNT_KINDS; i++)
        atomic_init(&account->limit[i], limit_of_word(limit[i]));
}

void accountobj_init(void)
{
    accounts_recount();
    accounts_each(load_limits);
}

int accountobj_limit_boot(struct object *obj, const uint64_t limit[TWZ_ACCOUNT_KINDS])
{
    struct account *account;
    int err = accountobj_get(obj, &account);

    for (unsigned i = 0; err == 0 && i < TWZ_ACCOUNT_KINDS; i++)
        if (word_of_limit(account, i) == 0)
            atomic_store_explicit(&account->limit[i], limit[i], memory_order_relaxed);
    return err;
}

int accountobj_close(struct object *obj)
{
    struct account *account;
    int err = accountobj_get(obj, &account);

    if (err < 0)
        return err;
    return account->persistent ? accounts_close(account) : 0;
}
