/* SPDX-License-Identifier: MIT */
/*
 * Accounts and the pool: each frame of a persistent object is charged, and taken back when it is
 * free; a persistent account pays, over boots too; it cannot be deleted while it pays; its holder
 * deletes objects without permissions. boots.py boots this program twice on one pool: the second
 * boot finds the uses of the first, counted anew.
 */
#include "user.h"
#include <stdbool.h>

#define PAGE      TWZ_PAGE_SIZE
#define RW        (TWZ_READ | TWZ_WRITE)
#define SLOT_SHOW (SLOT_TEST + 60)
#define SLOT_LEFT (SLOT_TEST + 61)
#define DRAM      TWZ_ACCOUNT_DRAM
#define POOL      TWZ_ACCOUNT_POOL
#define KERNEL    TWZ_ACCOUNT_KERNEL
#define EMPTY     (PAGE + 512) /* an object without pages */
#define PERSIST   TWZ_OBJ_PERSIST

struct left {
    uint64_t boots;
    objid_t top, below, object;
    uint64_t top_use, below_use;
};
#define LEFT ((volatile struct left *)BASE(SLOT_LEFT))

static long try_object(objid_t account, uint32_t flags, uint32_t perms, uint32_t kind, objid_t *id)
{
    struct twz_create spec = { .flags = flags, .perms = perms, .kind = kind, .account = account };

    return user_create(&spec, id);
}

static objid_t make_object(objid_t account, uint32_t flags)
{
    objid_t id = TWZ_OBJID_NONE;

    CHECK_IS(try_object(account, flags, TWZ_PERMS, TWZ_KIND_DATA, &id), 0);
    return id;
}

static objid_t make_account(objid_t parent, uint32_t flags)
{
    objid_t id = TWZ_OBJID_NONE;

    CHECK_IS(try_object(parent, flags, TWZ_PERMS, TWZ_KIND_ACCOUNT, &id), 0);
    return id;
}

static long set_limit(objid_t account, unsigned what, uint64_t limit)
{
    return CALL(obj_ctl, IDARG(account), TWZ_CTL_LIMIT + what, limit);
}

static long delete_object(objid_t id)
{
    return CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW);
}

static uint64_t use_of(objid_t account, unsigned what)
{
    struct twz_stat stat;

    user_map(SLOT_SHOW, account, TWZ_READ);
    CHECK_IS(CALL(obj_stat, IDARG(account), SIZED(&stat)), 0);
    return ((const volatile struct twz_account *)BASE(SLOT_SHOW))->use[what];
}

static objid_t account_of(objid_t id)
{
    struct twz_stat stat;

    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    return stat.account;
}

static bool store_exceeds(uint32_t slot, uint64_t page)
{
    if (!user_store_faults(TWZ_SLOT_ADDR(slot) + page * PAGE))
        return false;
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PAGE);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_QUOTA);
    return true;
}

/* Direct pages cost a frame; the first page behind them two nodes more. */
static void test_frames_of_an_object(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE, PERSIST), id = make_object(account, PERSIST),
            other;
    uint64_t use;

    user_map(SLOT_TEST, id, RW);
    CHECK_IS(use_of(account, POOL), EMPTY);
    CHECK(!store_exceeds(SLOT_TEST, 1));
    CHECK_IS(use_of(account, POOL), EMPTY + PAGE);
    CHECK(!user_load_faults(TWZ_SLOT_ADDR(SLOT_TEST) + 100 * PAGE)); /* zeros: no frame */
    CHECK_IS(use_of(account, POOL), EMPTY + PAGE);
    CHECK(!store_exceeds(SLOT_TEST, 100));
    use = EMPTY + 4 * PAGE;
    CHECK_IS(use_of(account, POOL), use);
    CHECK_IS(set_limit(account, POOL, use + 5 * PAGE - 1), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 101, 2), 0); /* it leaves space for nodes */
    CHECK_IS(use_of(account, POOL), use + 2 * PAGE);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 103, 1), -TWZ_EQUOTA);
    CHECK(store_exceeds(SLOT_TEST, 103));
    CHECK(!store_exceeds(SLOT_TEST, 102));
    CHECK_IS(try_object(account, PERSIST, TWZ_PERMS, TWZ_KIND_DATA, &other), 0);
    CHECK_IS(delete_object(other), 0);
    CHECK_IS(set_limit(account, POOL, use_of(account, POOL) + EMPTY - 1), 0);
    CHECK_IS(try_object(account, PERSIST, TWZ_PERMS, TWZ_KIND_DATA, &other), -TWZ_EQUOTA);
    CHECK_IS(try_object(account, 0, TWZ_PERMS, TWZ_KIND_DATA, &other), 0); /* volatile: no pool */
    CHECK_IS(delete_object(other), 0);
    CHECK_IS(set_limit(account, POOL, 0), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, 200), 0);
    CHECK_IS(use_of(account, POOL), EMPTY + 2 * PAGE); /* nodes stay with the object */
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 5000, 1), 0);
    CHECK_IS(use_of(account, POOL), EMPTY + 3 * PAGE);
    CHECK_IS(user_range(id, TWZ_RANGE_PROTECT, 5001, 3), 0);
    CHECK_IS(use_of(account, POOL), EMPTY + 6 * PAGE);
    CHECK_IS(delete_object(id), 0);
    CHECK_IS(use_of(account, POOL), 0);
    CHECK_IS(use_of(account, KERNEL), 0);
    CHECK_IS(use_of(account, DRAM), 0);
    CHECK_IS(delete_object(account), 0);
}

static long copy_pages(objid_t dst, objid_t src, uint64_t pages)
{
    struct twz_copy copy = {
        .src = src, .dst = dst, .src_off = PAGE, .dst_off = PAGE, .len = pages * PAGE
    };

    return CALL(obj_copy, &copy, sizeof(copy), 1);
}

/* In the pool each object pays for the frames that it shares; breaking the share costs no more. */
static void test_copies(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE, PERSIST),
            other = make_account(TWZ_OBJID_NONE, PERSIST);
    objid_t src = make_object(account, PERSIST), dst = make_object(other, PERSIST);
    objid_t dram = make_object(TWZ_OBJID_NONE, 0);

    CHECK_IS(user_range(src, TWZ_RANGE_POPULATE, 1, 10), 0);
    CHECK_IS(user_range(dram, TWZ_RANGE_POPULATE, 1, 10), 0);
    CHECK_IS(set_limit(other, POOL, EMPTY + 9 * PAGE), 0);
    CHECK_IS(copy_pages(dst, src, 10), -TWZ_EQUOTA);
    CHECK_IS(copy_pages(dst, dram, 10), -TWZ_EQUOTA);
    CHECK_IS(use_of(other, POOL), EMPTY);
    CHECK_IS(set_limit(other, POOL, EMPTY + 13 * PAGE), 0);
    CHECK_IS(copy_pages(dst, src, 10), 0);
    CHECK_IS(use_of(other, POOL), EMPTY + 10 * PAGE);
    CHECK_IS(use_of(account, POOL), EMPTY + 10 * PAGE);
    user_map(SLOT_TEST, dst, RW);
    CHECK(!store_exceeds(SLOT_TEST, 3));
    CHECK_IS(use_of(other, POOL), EMPTY + 10 * PAGE);
    CHECK_IS(delete_object(src), 0);
    CHECK_IS(use_of(account, POOL), 0);
    CHECK_IS(set_limit(other, POOL, 0), 0);
    CHECK_IS(copy_pages(dst, dram, 10), 0); /* in place of the old pages */
    CHECK_IS(use_of(other, POOL), EMPTY + 10 * PAGE);
    CHECK_IS(delete_object(dst), 0);
    CHECK_IS(use_of(other, POOL), 0);
    CHECK_IS(delete_object(dram), 0);
    CHECK_IS(delete_object(account), 0);
    CHECK_IS(delete_object(other), 0);
}

/* The destination's account pays for the frames that a copy reserves; all of it comes back. */
static void child_copy(void)
{
    objid_t src = { SHARED->word[1], SHARED->word[2] }, dst = { SHARED->word[3], SHARED->word[4] };

    SHARED->word[5] = (uint64_t)copy_pages(dst, src, 40);
    CALL(thread_exit, 0);
}

static uint64_t run_copy(objid_t account, objid_t thread)
{
    struct twz_spawn spawn = { .thread = thread,
                               .view = user_view(),
                               .entry = (uint64_t)(uintptr_t)child_copy,
                               .stack = TWZ_SLOT_ADDR(SLOT_STACK) + 64 * PAGE - 8,
                               .gsbase = (uint64_t)(uintptr_t)user_thread_page(0),
                               .account = account };

    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), 0);
    user_join(0);
    return SHARED->word[5];
}

static void child_exit(uint64_t arg)
{
    (void)arg;
}

static void test_reservation(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE, PERSIST), src = make_object(TWZ_OBJID_NONE, 0);
    objid_t dst = make_object(account, PERSIST), thread = user_thread(0, child_exit, 0);

    user_join(0);
    CHECK_IS(user_range(src, TWZ_RANGE_POPULATE, 1, 40), 0);
    SHARED->word[1] = src.lo;
    SHARED->word[2] = src.hi;
    SHARED->word[3] = dst.lo;
    SHARED->word[4] = dst.hi;
    CHECK_IS(set_limit(account, POOL, EMPTY + 42 * PAGE), 0);
    CHECK_IS(run_copy(account, thread), (uint64_t)-TWZ_EQUOTA);
    CHECK_IS(use_of(account, POOL), EMPTY);
    CHECK_IS(set_limit(account, POOL, EMPTY + 44 * PAGE), 0);
    CHECK_IS(run_copy(account, thread), 0);
    CHECK_IS(use_of(account, POOL), EMPTY + 42 * PAGE); /* with two nodes */
    CHECK_IS(delete_object(dst), 0);
    CHECK_IS(delete_object(src), 0);
    CHECK_IS(use_of(account, POOL), 0);
    CHECK_IS(delete_object(account), 0);
}

/* A volatile account charges the pool to the persistent one above it. A migration moves charges. */
static void test_migration(void)
{
    objid_t top = make_account(TWZ_OBJID_NONE, PERSIST), account = make_account(top, 0), id, stored;
    uint64_t kernel;

    stored = make_object(account, PERSIST);
    CHECK(objid_equal(account_of(stored), top));
    CHECK_IS(use_of(account, POOL), 0);
    CHECK_IS(use_of(top, POOL), EMPTY);
    id = make_object(account, 0);
    CHECK(objid_equal(account_of(id), account));
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, 8), 0);
    CHECK_IS(use_of(account, DRAM), 10 * PAGE);
    kernel = use_of(account, KERNEL);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 1), 0);
    CHECK(objid_equal(account_of(id), top));
    CHECK_IS(use_of(account, DRAM), 2 * PAGE); /* the page tables stay where they are */
    CHECK(use_of(account, KERNEL) < kernel);
    CHECK_IS(use_of(top, POOL), 2 * EMPTY + 8 * PAGE);
    CHECK_IS(set_limit(top, DRAM, use_of(top, DRAM) + 4 * PAGE), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 0), -TWZ_EQUOTA);
    CHECK_IS(set_limit(top, DRAM, 0), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 0), 0);
    CHECK_IS(use_of(top, POOL), EMPTY);
    CHECK_IS(set_limit(top, POOL, 2 * EMPTY + 4 * PAGE), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 1), -TWZ_EQUOTA); /* and turns back */
    CHECK_IS(use_of(top, POOL), EMPTY);
    CHECK_IS(delete_object(stored), 0);
    CHECK_IS(delete_object(id), 0);
    CHECK_IS(use_of(account, DRAM), 0);
    CHECK_IS(use_of(account, KERNEL), 0);
    CHECK_IS(use_of(top, POOL), 0);
    CHECK_IS(delete_object(account), 0);
    CHECK_IS(delete_object(top), 0);
}

/* An account that pays for objects of the pool stays, so that they are charged after a boot too. */
static void test_deletion_of_an_account(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE, PERSIST), id = make_object(account, PERSIST),
            below;
    struct twz_create spec = { .flags = PERSIST | TWZ_OBJ_PROVISIONAL,
                               .perms = TWZ_PERMS,
                               .kind = TWZ_KIND_ACCOUNT,
                               .witness = id,
                               .witness_off = PAGE,
                               .witness_value = 77 };

    CHECK_IS(delete_object(account), -TWZ_EBUSY);
    CHECK_IS(CALL(obj_tie, IDARG(account), IDARG(id), 1), -TWZ_EINVAL);
    spec.tie = id;
    CHECK_IS(user_create(&spec, &below), -TWZ_EINVAL);
    spec.tie = TWZ_OBJID_NONE;
    spec.account = account;
    user_map(SLOT_TEST, id, RW);
    BASE(SLOT_TEST)[0] = 77;
    CHECK_IS(user_create(&spec, &below), -TWZ_EEXIST); /* the store refuses it */
    BASE(SLOT_TEST)[0] = 0;
    CHECK_IS(use_of(account, POOL), EMPTY + PAGE);
    spec.account = TWZ_OBJID_NONE;
    CHECK_IS(user_create(&spec, &below), 0);
    CHECK_IS(try_object(below, PERSIST, TWZ_PERMS, TWZ_KIND_DATA, &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_ctl, IDARG(below), TWZ_CTL_PERMANENT, 0), 0);
    CHECK_IS(delete_object(spec.witness), 0);
    CHECK_IS(use_of(account, POOL), 0);
    id = make_object(below, PERSIST);
    CHECK_IS(delete_object(below), -TWZ_EBUSY);
    CHECK_IS(delete_object(id), 0);
    CHECK_IS(delete_object(below), 0);
    id = make_object(account, 0); /* a volatile object does not hold it */
    CHECK_IS(delete_object(account), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 1), -TWZ_EDELETED);
    CHECK_IS(delete_object(id), 0);
}

/* WRITE on the account, or on one above it, deletes objects that have no permissions at all. */
static void test_deletion_by_the_holder(void)
{
    const uint32_t other = TWZ_READ | TWZ_USE | TWZ_DEL;
    objid_t held = make_account(TWZ_OBJID_NONE, PERSIST), alien, below, id;

    CHECK_IS(try_object(TWZ_OBJID_NONE, PERSIST, other, TWZ_KIND_ACCOUNT, &alien), 0);
    CHECK_IS(try_object(held, PERSIST, other, TWZ_KIND_ACCOUNT, &below), 0);
    CHECK_IS(try_object(alien, PERSIST, 0, TWZ_KIND_DATA, &id), 0);
    CHECK_IS(delete_object(id), -TWZ_EDENIED);
    CHECK_IS(try_object(TWZ_OBJID_NONE, PERSIST, 0, TWZ_KIND_DATA, &id), 0);
    CHECK_IS(delete_object(id), -TWZ_EDENIED);
    CHECK_IS(try_object(held, PERSIST, 0, TWZ_KIND_DATA, &id), 0);
    CHECK_IS(delete_object(id), 0);
    CHECK(delete_object(id) < 0);
    CHECK_IS(try_object(below, PERSIST, 0, TWZ_KIND_DATA, &id), 0);
    CHECK_IS(delete_object(id), 0);
    CHECK_IS(try_object(below, 0, 0, TWZ_KIND_DATA, &id), 0);
    CHECK_IS(delete_object(id), 0);
    CHECK_IS(delete_object(below), 0);
    CHECK_IS(use_of(held, POOL), 0);
    CHECK_IS(delete_object(held), 0);
}

#define TIED 1500u /* more than the kernel caches */
#define USED 300u  /* one in so many is in use */

/* Objects that are deleted with their parent are taken back, in use or not. */
static void test_tied_objects(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE, PERSIST), id;
    struct twz_create spec = { .flags = PERSIST, .perms = TWZ_PERMS, .account = account };
    unsigned i;

    spec.tie = make_object(account, PERSIST);
    for (i = 0; i < TIED; i++) {
        CHECK_IS(user_create(&spec, &id), 0);
        if (i % USED != 0)
            continue;
        user_map(SLOT_TEST + i / USED, id, RW);
        CHECK(!store_exceeds(SLOT_TEST + i / USED, 20));
    }
    CHECK_IS(use_of(account, POOL), (TIED + 1) * EMPTY + TIED / USED * 3 * PAGE);
    CHECK_IS(delete_object(spec.tie), 0);
    for (i = 0; i < TIED; i += USED)
        user_map(SLOT_TEST + i / USED, TWZ_OBJID_NONE, 0);
    CHECK_IS(use_of(account, POOL), 0);
    CHECK_IS(delete_object(account), 0);
}

static void put_id(volatile objid_t *at, objid_t id)
{
    at->lo = id.lo;
    at->hi = id.hi;
}

static objid_t get_id(const volatile objid_t *at)
{
    objid_t id = { at->lo, at->hi };

    return id;
}

static void leave_accounts(void)
{
    objid_t top = make_account(TWZ_OBJID_NONE, PERSIST), below = make_account(top, PERSIST);
    objid_t id = make_object(below, PERSIST), copy = make_object(top, PERSIST);

    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, 30), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 3000, 1), 0);
    CHECK_IS(copy_pages(copy, id, 20), 0);
    (void)use_of(below, POOL); /* its page exists */
    CHECK_IS(set_limit(top, POOL, use_of(top, POOL) + 8 * PAGE), 0);
    put_id(&LEFT->top, top);
    put_id(&LEFT->below, below);
    put_id(&LEFT->object, id);
    LEFT->below_use = use_of(below, POOL);
    LEFT->top_use = use_of(top, POOL);
}

static void compare_accounts(void)
{
    objid_t top = get_id(&LEFT->top), below = get_id(&LEFT->below), id = get_id(&LEFT->object),
            more;

    CHECK_IS(use_of(top, POOL), LEFT->top_use);
    CHECK_IS(use_of(below, POOL), LEFT->below_use);
    CHECK(objid_equal(account_of(below), top));
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 31, 6), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 37, 1), -TWZ_EQUOTA);
    CHECK_IS(try_object(below, PERSIST, TWZ_PERMS, TWZ_KIND_DATA, &more), 0);
    CHECK_IS(use_of(top, POOL), LEFT->top_use + 6 * PAGE + EMPTY);
    CHECK_IS(delete_object(below), -TWZ_EBUSY);
    CHECK_IS(delete_object(more), 0);
    CHECK_IS(delete_object(id), 0);
    CHECK_IS(use_of(below, POOL), 0);
    CHECK_IS(use_of(top, POOL), LEFT->top_use - LEFT->below_use);
    CHECK_IS(delete_object(below), 0);
    CHECK_IS(delete_object(top), -TWZ_EBUSY);
}

void test_main(void)
{
    objid_t names = user_system()->names_root;

    user_handlers();
    user_map(SLOT_LEFT, names, RW);
    test_frames_of_an_object();
    test_copies();
    test_reservation();
    test_migration();
    test_deletion_of_an_account();
    test_deletion_by_the_holder();
    test_tied_objects();
    if (LEFT->boots++ == 0)
        leave_accounts();
    else
        compare_accounts();
    CHECK_IS(user_range(names, TWZ_RANGE_PERSIST, 1, 1), 0);
}
