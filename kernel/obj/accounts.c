/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of accounts by ID, and their lifetime. An account enters the table when its object
 * is created or first used as an account, and leaves it when the object is destroyed. It is freed
 * when nothing is charged to it any more: an object, a thread or a frame may outlive the ACCOUNT
 * object that pays for it.
 *
 * Each account is charged to its parent, as kernel memory. So a parent is freed after its children.
 *
 * No uncharge frees an account, because charges fall under locks of all kinds. Ended accounts are
 * in a list, and each call that adds or ends one looks at some of them.
 *
 * The space of the pool that a persistent account pays for is not on the media. It is counted at
 * boot, from the objects' own counts, and only if an object has an account. An account that does
 * not exist any more pays for nothing: accounts_close therefore keeps one that objects name.
 *
 * Lock order: object -> accounts_lock -> kmem. At boot: pool -> kmem.
 */
#include <kernel/accounts.h>
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/pool.h>

#define BUCKETS       64u
#define RECLAIM_BATCH 8u /* ended accounts looked at by one call */

static SHARED_LOCK struct spinlock accounts_lock;
static struct account *buckets[BUCKETS];
static struct list ended;

/* Each account in each bucket, whose list must not change meanwhile. */
#define FOR_EACH_ACCOUNT(a)                \
    for (unsigned i = 0; i < BUCKETS; i++) \
        for (struct account *a = buckets[i]; a; a = a->next)

static struct account **find_locked(objid_t id)
{
    struct account **at = &buckets[objid_hash(id) % BUCKETS];

    while (*at && !objid_equal((*at)->id, id))
        at = &(*at)->next;
    return at;
}

/* Makes an account, which is charged to its parent. */
static int make_account(const struct object *obj, const uint64_t *limit, struct account **out)
{
    struct account *parent = obj->payer, *account;
    unsigned depth = parent ? parent->depth + 1 : 1;
    int err;

    if (depth > ACCOUNT_DEPTH)
        return -TWZ_EFULL;
    err = account_charge(parent, TWZ_ACCOUNT_KERNEL, sizeof(*account));
    if (err < 0)
        return err;
    account = kmem_alloc(sizeof(*account));
    if (!account) {
        account_uncharge(parent, TWZ_ACCOUNT_KERNEL, sizeof(*account));
        return -TWZ_ENOMEM;
    }
    *account = (struct account){
        .id = obj->id, .parent = parent, .depth = depth, .persistent = obj_is_persistent(obj)
    };
    for (unsigned i = 0; i < TWZ_ACCOUNT_KINDS; i++)
        atomic_init(&account->limit[i], limit[i]);
    *out = account;
    return 0;
}

static void free_account(struct account *account)
{
    struct account *parent = account->parent;

    kmem_free(account, sizeof(*account));
    account_uncharge(parent, TWZ_ACCOUNT_KERNEL, sizeof(*account));
}

struct account *accounts_find(const struct object *obj)
{
    struct account *account;

    spin_lock(&accounts_lock);
    account = *find_locked(obj->id);
    spin_unlock(&accounts_lock);
    return account;
}

int accounts_add(const struct object *obj, const uint64_t limit[TWZ_ACCOUNT_KINDS],
                 struct account **out)
{
    struct account **at;
    int err = 0;

    accounts_reclaim();
    spin_lock(&accounts_lock);
    at = find_locked(obj->id);
    if (!*at)
        err = make_account(obj, limit, at);
    *out = *at;
    spin_unlock(&accounts_lock);
    return err;
}

struct account *accounts_charge_id(objid_t id, unsigned what, uint64_t amount)
{
    struct account *account;

    if (objid_is_none(id))
        return NULL;
    spin_lock(&accounts_lock);
    account = *find_locked(id);
    account_charge_always(account, what, amount);
    spin_unlock(&accounts_lock);
    return account;
}

int accounts_charge_new(struct account *account)
{
    int err = account_charge(account, TWZ_ACCOUNT_POOL, STORE_OBJECT_BYTES);

    if (err < 0 || !account)
        return err;
    /* The charge, then the look at `closed`; accounts_close does it the other way round. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load(&account->closed))
        return 0;
    account_uncharge(account, TWZ_ACCOUNT_POOL, STORE_OBJECT_BYTES);
    return -TWZ_EDELETED;
}

int accounts_close(struct account *account)
{
    atomic_store(&account->closed, true);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&account->use[TWZ_ACCOUNT_POOL]) == 0)
        return 0;
    atomic_store(&account->closed, false);
    return -TWZ_EBUSY;
}

unsigned accounts_of(struct object *obj, objid_t ids[ACCOUNT_DEPTH])
{
    struct account *account;
    unsigned n = 0;

    spin_lock(&obj->tree.lock);
    for (account = obj->payer; account && n < ACCOUNT_DEPTH; account = account->parent)
        ids[n++] = account->id;
    spin_unlock(&obj->tree.lock);
    return n;
}

void accounts_end(objid_t id)
{
    struct account **at, *account;

    spin_lock(&accounts_lock);
    at = find_locked(id);
    account = *at;
    if (account) {
        *at = account->next;
        list_add_last(&ended, &account->link);
    }
    spin_unlock(&accounts_lock);
    accounts_reclaim();
}

void accounts_reclaim(void)
{
    spin_lock(&accounts_lock);
    for (unsigned i = 0; i < RECLAIM_BATCH && !list_is_empty(&ended); i++) {
        struct account *account = LIST_FIRST(&ended, struct account, link);

        list_remove(&ended, &account->link);
        if (account_is_unused(account))
            free_account(account);
        else
            list_add_last(&ended, &account->link);
    }
    spin_unlock(&accounts_lock);
}

/* --- boot ------------------------------------------------------------------------------------- */

/* Returns the account of an object of the pool with that ID, making it if there is none. NULL: no
 * ACCOUNT object has the ID. */
static struct account *recount_account(struct store *store, objid_t id)
{
    struct account **at = find_locked(id);
    struct store_stat stat;
    uint32_t row;

    if (*at)
        return *at;
    if (store_lookup(store, id, &row) < 0 || store_obj_info(store, row, &stat) < 0 ||
        stat.kind != TWZ_KIND_ACCOUNT)
        return NULL;
    *at = kmem_alloc(sizeof(**at));
    if (!*at)
        panic("no memory for the accounts of the pool");
    **at = (struct account){ .id = id, .depth = 1, .persistent = true };
    for (unsigned i = 0; i < TWZ_ACCOUNT_KINDS; i++)
        atomic_init(&(*at)->limit[i], UINT64_MAX);
    return *at;
}

/* Makes the accounts that objects name, and counts the frames of each one's own objects. */
static void recount_objects(struct store *store)
{
    struct account *account;
    struct store_stat stat;

    for (uint32_t row = 0; store_obj_next(store, &row) == 0; row++) {
        if (store_obj_info(store, row, &stat) < 0 || objid_is_none(stat.account))
            continue;
        account = recount_account(store, stat.account);
        if (account)
            account->recounted += STORE_OBJECT_BYTES + stat.frames * STORE_FRAME_SIZE;
    }
}

/* The account that pays for the object of an account. */
static struct account *parent_of(struct store *store, const struct account *account)
{
    struct store_stat stat;
    uint32_t row;

    if (store_lookup(store, account->id, &row) < 0 || store_obj_info(store, row, &stat) < 0 ||
        objid_is_none(stat.account))
        return NULL;
    return *find_locked(stat.account);
}

/* Links an account to its parent, unless the chain is longer than any that calls make, as a circle
 * on hostile media is. */
static void link_parent(struct store *store, struct account *account)
{
    struct account *above = account;
    unsigned depth = 0;

    for (; above && depth <= ACCOUNT_DEPTH; above = parent_of(store, above))
        depth++;
    if (depth > ACCOUNT_DEPTH) {
        log_printf("account " IDFMT ": too many accounts above it", IDPR(account->id));
        return;
    }
    account->parent = parent_of(store, account);
    account->depth = depth;
}

void accounts_recount(void)
{
    struct store *store = pool_lock();

    if (store && store_has_charged(store)) {
        recount_objects(store);
        FOR_EACH_ACCOUNT(account)
        link_parent(store, account);
        FOR_EACH_ACCOUNT(account)
        {
            account_charge_always(account, TWZ_ACCOUNT_POOL, account->recounted);
            account_charge_always(account->parent, TWZ_ACCOUNT_KERNEL, sizeof(*account));
        }
    }
    pool_unlock();
}

void accounts_each(void (*act)(struct account *account))
{
    FOR_EACH_ACCOUNT(account)
    act(account);
}
