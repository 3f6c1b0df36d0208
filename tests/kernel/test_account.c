/* SPDX-License-Identifier: MIT */
/*
 * Accounts: which account is charged, for which use, and until when; limits at each level;
 * shared frames; accounts that are deleted while something is charged to them; two cores at once.
 * Each refusal has its twin: the same within the limit, or by another account.
 */
#include "user.h"
#include <stdbool.h>

#define PAGE      TWZ_PAGE_SIZE
#define RW        (TWZ_READ | TWZ_WRITE)
#define SLOT_SHOW (SLOT_TEST + 60) /* the page of an account */
#define DRAM      TWZ_ACCOUNT_DRAM
#define THREADS   TWZ_ACCOUNT_THREADS
#define KERNEL    TWZ_ACCOUNT_KERNEL
#define LOTS      (1ull << 40)

static objid_t make_object(objid_t account, uint32_t kind)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = kind, .account = account };
    objid_t id = TWZ_OBJID_NONE;

    CHECK_IS(user_create(&spec, &id), 0);
    return id;
}

static objid_t make_account(objid_t parent)
{
    return make_object(parent, TWZ_KIND_ACCOUNT);
}

static long set_limit(objid_t account, unsigned what, uint64_t limit)
{
    return CALL(obj_ctl, IDARG(account), TWZ_CTL_LIMIT + what, limit);
}

static void delete_object(objid_t id)
{
    CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
}

static const volatile struct twz_account *show(objid_t account)
{
    struct twz_stat stat;

    user_map(SLOT_SHOW, account, TWZ_READ);
    CHECK_IS(CALL(obj_stat, IDARG(account), SIZED(&stat)), 0);
    return (const volatile struct twz_account *)BASE(SLOT_SHOW);
}

static uint64_t use_of(objid_t account, unsigned what)
{
    return show(account)->use[what];
}

/* Waits until nothing of that kind is charged: an ended thread goes last. */
static void wait_for_use(objid_t account, unsigned what, uint64_t use)
{
    unsigned tries;

    for (tries = 0; tries < 100000 && use_of(account, what) != use; tries++)
        user_yield();
    CHECK_IS(use_of(account, what), use);
}

/* True if the store faults for the quota. */
static bool store_exceeds(uint64_t addr)
{
    if (!user_store_faults(addr))
        return false;
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PAGE);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_QUOTA);
    return true;
}

static void test_page_of_an_account(void)
{
    objid_t parent = make_account(TWZ_OBJID_NONE), account = make_account(parent);
    const volatile struct twz_account *page = show(account);
    struct twz_stat stat;

    CHECK_IS(page->magic, TWZ_ACCOUNT_MAGIC);
    CHECK_IS(page->parent.lo, parent.lo);
    CHECK_IS(page->limit[DRAM], 0);
    CHECK_IS(set_limit(account, DRAM, 77 * PAGE), 0);
    CHECK_IS(show(account)->limit[DRAM], 77 * PAGE);
    CHECK_IS(set_limit(account, DRAM, 0), 0);
    CHECK_IS(show(account)->limit[DRAM], 0);
    CHECK_IS(set_limit(account, TWZ_ACCOUNT_KINDS, 1), -TWZ_EINVAL);
    CHECK_IS(set_limit(account, 1000, 1), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_stat, IDARG(account), SIZED(&stat)), 0);
    CHECK_IS(stat.account.lo, parent.lo);
    /* the page is the kernel's, whatever the entry and the permissions say */
    user_map(SLOT_SHOW, account, RW);
    CHECK(user_store_faults((uint64_t)(uintptr_t)&page->use[DRAM]));
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PERM);
    CHECK(!user_load_faults((uint64_t)(uintptr_t)&page->use[DRAM]));
    CHECK(user_range(account, TWZ_RANGE_DISCARD, 1, 1) == -TWZ_EINVAL);
    delete_object(account);
    delete_object(parent);
}

/* A limit is for accounts, and needs WRITE. Charging needs USE. */
static void test_rights_on_accounts(void)
{
    objid_t data = make_object(TWZ_OBJID_NONE, TWZ_KIND_DATA), account;
    struct twz_create spec = { .perms = TWZ_PERMS, .account = data };
    objid_t id;

    CHECK_IS(set_limit(data, DRAM, PAGE), -TWZ_ETYPE);
    CHECK_IS(user_create(&spec, &id), -TWZ_ETYPE);
    account = user_object(0, TWZ_READ | TWZ_DEL, TWZ_KIND_ACCOUNT);
    spec.account = account;
    CHECK_IS(set_limit(account, DRAM, PAGE), -TWZ_EDENIED);
    CHECK_IS(user_create(&spec, &id), -TWZ_EDENIED);
    delete_object(account);
    spec.account = account = make_account(TWZ_OBJID_NONE);
    CHECK_IS(user_create(&spec, &id), 0);
    delete_object(id);
    delete_object(account);
    CHECK_IS(user_create(&spec, &id), -TWZ_ENOOBJ);
    delete_object(data);
}

/* Pages and page tables count until the object goes. */
static void test_pages_of_an_object(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE), id;
    uint64_t base = TWZ_SLOT_ADDR(SLOT_TEST), i;

    id = make_object(account, TWZ_KIND_DATA);
    user_map(SLOT_TEST, id, RW);
    CHECK_IS(use_of(account, DRAM), 0);
    CHECK(!user_store_faults(base + PAGE));
    CHECK_IS(use_of(account, DRAM), 3 * PAGE); /* with two page tables */
    CHECK_IS(set_limit(account, DRAM, 13 * PAGE), 0);
    for (i = 2; i <= 11; i++)
        CHECK(!store_exceeds(base + i * PAGE));
    CHECK_IS(use_of(account, DRAM), 13 * PAGE);
    CHECK(store_exceeds(base + 12 * PAGE));
    CHECK(store_exceeds(base + 12 * PAGE));
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 12, 1), -TWZ_EQUOTA);
    CHECK_IS(use_of(account, DRAM), 13 * PAGE);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 3, 2), 0);
    CHECK_IS(use_of(account, DRAM), 11 * PAGE);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 12, 2), 0);
    CHECK(store_exceeds(base + 3 * PAGE));
    CHECK_IS(set_limit(account, DRAM, 0), 0);
    CHECK(!store_exceeds(base + 3 * PAGE));
    CHECK(!user_load_faults(base + TWZ_OBJ_RECORD)); /* the record page and its table */
    CHECK_IS(use_of(account, DRAM), 16 * PAGE);
    CHECK_IS(set_limit(account, DRAM, 1), 0); /* less than is in use: it stays */
    CHECK(!user_load_faults(base + PAGE));
    delete_object(id);
    wait_for_use(account, DRAM, 0);
    CHECK_IS(use_of(account, KERNEL), 0);
    delete_object(account);
}

/* In-core objects count as kernel memory; another account goes on. */
static void test_objects_are_kernel_memory(void)
{
    volatile objid_t *ids = (volatile objid_t *)BASE(SLOT_TEST);
    objid_t account = make_account(TWZ_OBJID_NONE), other = make_account(TWZ_OBJID_NONE), id;
    struct twz_create spec = { .perms = TWZ_PERMS, .account = account };
    uint64_t each, n = 0, i;
    long ret;

    user_map(SLOT_TEST, make_object(TWZ_OBJID_NONE, TWZ_KIND_DATA), RW);
    id = make_object(account, TWZ_KIND_DATA);
    each = use_of(account, KERNEL);
    CHECK(each >= 256);
    delete_object(id);
    CHECK_IS(set_limit(account, KERNEL, 100 * each), 0);
    while ((ret = user_create(&spec, &id)) == 0 && n < 200) {
        ids[n].lo = id.lo;
        ids[n++].hi = id.hi;
    }
    CHECK_IS(ret, -TWZ_EQUOTA);
    CHECK_IS(n, 100);
    delete_object(make_object(other, TWZ_KIND_DATA));
    spec.kind = TWZ_KIND_ACCOUNT;
    CHECK_IS(user_create(&spec, &id), -TWZ_EQUOTA);
    for (i = 0; i < n; i++) {
        objid_t one = { ids[i].lo, ids[i].hi };

        delete_object(one);
    }
    CHECK_IS(use_of(account, KERNEL), 0);
    CHECK_IS(user_create(&spec, &id), 0); /* an account is charged to its parent, after its end */
    CHECK(use_of(account, KERNEL) > each);
    delete_object(id);
    CHECK_IS(use_of(account, KERNEL), 0);
    delete_object(account);
    delete_object(other);
}

static long spawn_in(objid_t account, unsigned n, objid_t thread, void (*entry)(void))
{
    struct twz_spawn spawn = { .thread = thread,
                               .view = user_view(),
                               .entry = (uint64_t)(uintptr_t)entry,
                               .stack = TWZ_SLOT_ADDR(SLOT_STACK + n) + 64 * PAGE - 8,
                               .account = account };

    spawn.gsbase = (uint64_t)(uintptr_t)user_thread_page(n);
    return CALL(thread_spawn, &spawn, sizeof(spawn));
}

/* Makes what thread n needs, in an account, and maps it. */
static objid_t prepare_thread(objid_t account, unsigned n)
{
    objid_t thread = make_object(account, TWZ_KIND_THREAD);

    user_map(SLOT_THREAD + n, thread, RW);
    user_map(SLOT_STACK + n, make_object(account, TWZ_KIND_DATA), RW);
    user_thread_page(n)->self = (uint64_t)(uintptr_t)user_thread_page(n);
    user_thread_page(n)->view = user_view_at();
    return thread;
}

static objid_t object_in_slot(uint32_t slot)
{
    const struct twz_record *r = (const struct twz_record *)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_RECORD);

    return r->id;
}

static void drop_thread(unsigned n)
{
    delete_object(object_in_slot(SLOT_THREAD + n));
    delete_object(object_in_slot(SLOT_STACK + n));
}

static void child_stay(void)
{
    while (__atomic_load_n(&SHARED->word[0], __ATOMIC_ACQUIRE) == 0)
        user_yield();
    CALL(thread_exit, 0);
}

/* Threads that have not ended count, and their records. */
static void test_threads(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE), thread[4];
    unsigned i;

    SHARED->word[0] = 0;
    CHECK_IS(set_limit(account, THREADS, 3), 0);
    for (i = 0; i < 4; i++)
        thread[i] = prepare_thread(account, i);
    for (i = 0; i < 3; i++)
        CHECK_IS(spawn_in(account, i, thread[i], child_stay), 0);
    CHECK_IS(use_of(account, THREADS), 3);
    CHECK_IS(spawn_in(account, 3, thread[3], child_stay), -TWZ_EQUOTA);
    CHECK_IS(use_of(account, THREADS), 3);
    CHECK_IS(spawn_in(TWZ_OBJID_NONE, 3, thread[3], child_stay), 0); /* the caller's account */
    __atomic_store_n(&SHARED->word[0], 1, __ATOMIC_RELEASE);
    for (i = 0; i < 4; i++)
        user_join(i);
    wait_for_use(account, THREADS, 0);
    CHECK_IS(spawn_in(account, 3, thread[3], child_stay), 0);
    user_join(3);
    for (i = 0; i < 4; i++)
        drop_thread(i);
    wait_for_use(account, DRAM, 0);
    wait_for_use(account, KERNEL, 0);
    delete_object(account);
}

/* Creates an object with one page and leaves its ID in word[2] and [3]. */
static void child_create(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS };
    objid_t id = TWZ_OBJID_NONE;

    SHARED->word[1] = (uint64_t)user_create(&spec, &id);
    SHARED->word[4] = (uint64_t)user_range(id, TWZ_RANGE_POPULATE, 1, 1);
    SHARED->word[2] = id.lo;
    SHARED->word[3] = id.hi;
    CALL(thread_exit, 0);
}

/* The account of a thread pays for the objects that the thread creates without naming another. */
static void test_account_of_the_caller(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE), id;
    struct twz_stat stat;

    CHECK_IS(spawn_in(account, 0, prepare_thread(TWZ_OBJID_NONE, 0), child_create), 0);
    user_join(0);
    CHECK_IS(SHARED->word[1], 0);
    CHECK_IS(SHARED->word[4], 0);
    id.lo = SHARED->word[2];
    id.hi = SHARED->word[3];
    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    CHECK_IS(stat.account.lo, account.lo);
    wait_for_use(account, THREADS, 0);
    CHECK_IS(use_of(account, DRAM), 3 * PAGE);
    delete_object(id);
    CHECK_IS(use_of(account, DRAM), 0);
    drop_thread(0);
    delete_object(account);
}

/* The limit of each level holds for all below it. */
static void test_levels(void)
{
    objid_t level[9], sibling, id, mine;
    uint64_t pages; /* of the accounts themselves */
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = TWZ_KIND_ACCOUNT };
    unsigned i;

    level[0] = make_account(TWZ_OBJID_NONE);
    for (i = 1; i < 8; i++)
        level[i] = make_account(level[i - 1]);
    spec.account = level[7];
    CHECK_IS(user_create(&spec, &level[8]), -TWZ_EFULL);
    sibling = make_account(level[2]);
    for (i = 0; i < 8; i++)
        (void)show(level[i]);
    (void)show(sibling);
    pages = use_of(level[0], DRAM);
    id = make_object(level[7], TWZ_KIND_DATA);
    mine = make_object(sibling, TWZ_KIND_DATA);
    CHECK_IS(set_limit(level[7], DRAM, LOTS), 0);
    for (i = 0; i < 8; i++) {
        CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, 8 + i), 0);
        CHECK_IS(set_limit(level[i], DRAM, use_of(level[i], DRAM)), 0);
        CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 9 + i, 1), -TWZ_EQUOTA);
        CHECK_IS(use_of(level[7], DRAM), (10 + i) * PAGE);
        CHECK_IS(use_of(level[0], DRAM), pages + (10 + i) * PAGE);
        CHECK_IS(set_limit(level[i], DRAM, 0), 0);
    }
    /* the sibling takes the rest of what both have from level 2 */
    CHECK_IS(set_limit(level[2], DRAM, use_of(level[2], DRAM) + 4 * PAGE), 0);
    CHECK_IS(user_range(mine, TWZ_RANGE_POPULATE, 1, 2), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 20, 1), -TWZ_EQUOTA);
    delete_object(mine);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 20, 1), 0);
    delete_object(id);
    CHECK_IS(use_of(level[0], DRAM), pages);
    delete_object(sibling);
    for (i = 8; i-- > 0;)
        delete_object(level[i]);
}

static long copy_pages(objid_t dst, objid_t src, uint64_t pages)
{
    struct twz_copy copy = {
        .src = src, .dst = dst, .src_off = PAGE, .dst_off = PAGE, .len = pages * PAGE
    };

    return CALL(obj_copy, &copy, sizeof(copy), 1);
}

/* A shared frame is charged once: to the account that had it first. */
static void test_shared_frames(void)
{
    objid_t first = make_account(TWZ_OBJID_NONE), second = make_account(TWZ_OBJID_NONE);
    objid_t src = make_object(first, TWZ_KIND_DATA), dst = make_object(second, TWZ_KIND_DATA);
    uint64_t base = TWZ_SLOT_ADDR(SLOT_TEST);

    user_map(SLOT_TEST, dst, RW);
    CHECK_IS(user_range(src, TWZ_RANGE_POPULATE, 1, 8), 0);
    CHECK_IS(copy_pages(dst, src, 8), 0);
    CHECK_IS(use_of(first, DRAM), 10 * PAGE);
    CHECK_IS(use_of(second, DRAM), 2 * PAGE); /* its tables */
    CHECK(!user_store_faults(base + PAGE));   /* its own copy */
    CHECK_IS(use_of(first, DRAM), 10 * PAGE);
    CHECK_IS(use_of(second, DRAM), 3 * PAGE);
    CHECK_IS(set_limit(second, DRAM, 3 * PAGE), 0);
    CHECK(store_exceeds(base + 2 * PAGE));
    CHECK(!user_load_faults(base + 2 * PAGE));
    CHECK_IS(set_limit(second, DRAM, 0), 0);
    delete_object(src); /* the frames that are still used stay charged */
    CHECK_IS(use_of(first, DRAM), 7 * PAGE);
    CHECK(!user_store_faults(base + 2 * PAGE)); /* the last user pays from now on */
    CHECK_IS(use_of(first, DRAM), 6 * PAGE);
    CHECK_IS(use_of(second, DRAM), 4 * PAGE);
    delete_object(dst);
    CHECK_IS(use_of(first, DRAM), 0);
    CHECK_IS(use_of(second, DRAM), 0);
    delete_object(first);
    delete_object(second);
}

/* The account of a deleted ACCOUNT object goes on paying, under its limits. */
static void test_deleted_account(void)
{
    objid_t parent = make_account(TWZ_OBJID_NONE), account = make_account(parent);
    objid_t below = make_account(account), id = make_object(below, TWZ_KIND_DATA), other;
    objid_t later[8];
    unsigned i;
    struct twz_create spec = { .perms = TWZ_PERMS, .account = account };

    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, 2), 0);
    CHECK_IS(set_limit(account, DRAM, 6 * PAGE), 0);
    delete_object(account);
    delete_object(below);
    CHECK(user_create(&spec, &other) < 0);
    for (i = 0; i < 8; i++) /* takes the memory of an account that was freed too early */
        later[i] = make_account(TWZ_OBJID_NONE);
    CHECK_IS(use_of(parent, DRAM), 4 * PAGE);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, 4), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 5, 1), -TWZ_EQUOTA);
    CHECK_IS(use_of(parent, DRAM), 6 * PAGE);
    delete_object(id);
    for (i = 0; i < 8; i++) {
        CHECK_IS(use_of(later[i], KERNEL), 0);
        delete_object(later[i]);
    }
    CHECK_IS(use_of(parent, DRAM), 0);
    (void)show(parent); /* frees what has ended, from the lowest on */
    CHECK_IS(use_of(parent, KERNEL), 0);
    delete_object(parent);
}

/* Touches slots from word[1] on; counts in word[2] those that it could map. */
static void child_map(uint64_t arg)
{
    uint64_t n = 0;

    (void)arg;
    while (n < 256 && !user_load_faults(TWZ_SLOT_ADDR(SHARED->word[1] + n) + PAGE))
        n++;
    SHARED->word[2] = n;
}

/* The slots that a view maps are kernel memory of the view's account. */
static void test_mappings(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE), view, what = user_object(0, RW | TWZ_DEL, 0);
    objid_t thread = prepare_thread(TWZ_OBJID_NONE, 1);
    volatile struct twz_view_entry *table =
        (volatile struct twz_view_entry *)(TWZ_SLOT_ADDR(SLOT_CHILD_VIEW) + TWZ_VIEW_TABLE);
    uint64_t empty;
    uint32_t slot;

    view = user_child_view_in(account, 1, what);
    ((volatile struct twz_view *)BASE(SLOT_CHILD_VIEW))->fault_entry[TWZ_FAULT_PAGE] =
        ((volatile struct twz_view *)(user_view_at() + PAGE))->fault_entry[TWZ_FAULT_PAGE];
    for (slot = 1000; slot < 1256; slot++) {
        table[slot].id.lo = what.lo;
        table[slot].id.hi = what.hi;
        table[slot].flags = TWZ_VE_VALID | TWZ_READ;
    }
    empty = use_of(account, KERNEL);
    SHARED->word[1] = 1000;
    CHECK_IS(user_spawn(1, thread, view, child_map, 0), 0);
    user_join(1);
    CHECK_IS(SHARED->word[2], 256);
    wait_for_use(account, KERNEL, empty); /* the address space is gone */
    CHECK_IS(set_limit(account, KERNEL, empty + 200 * 1024), 0);
    CHECK_IS(user_spawn(1, thread, view, child_map, 0), 0);
    user_join(1);
    CHECK(SHARED->word[2] > 100 && SHARED->word[2] < 200);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_QUOTA);
    wait_for_use(account, KERNEL, empty);
    CHECK_IS(set_limit(account, KERNEL, 0), 0);
    CHECK_IS(user_spawn(1, thread, view, child_map, 0), 0);
    user_join(1);
    CHECK_IS(SHARED->word[2], 256);
    wait_for_use(account, KERNEL, empty);
    delete_object(view);
    wait_for_use(account, KERNEL, 0);
    drop_thread(1);
    delete_object(what);
    delete_object(account);
}

#define SLEEPS 16u

/* Sleeps on many words, which need memory, until the first changes. */
static void child_sleep(void)
{
    struct twz_sync ops[SLEEPS];
    unsigned i;

    for (i = 0; i < SLEEPS; i++)
        ops[i] = (struct twz_sync){ .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64,
                                    .addr = (uint64_t)(uintptr_t)&SHARED->word[20 + i] };
    SHARED->word[1] = (uint64_t)CALL(thread_sync, ops, SLEEPS, TWZ_FOREVER);
    CALL(thread_exit, 0);
}

/* A sleep on many words is kernel memory; so is a pin, of the object's account. */
static void test_sleeps_and_pins(void)
{
    objid_t account = make_account(TWZ_OBJID_NONE), id, thread = prepare_thread(TWZ_OBJID_NONE, 0);
    uint64_t i, awake, asleep;

    for (i = 0; i < SLEEPS; i++)
        SHARED->word[20 + i] = 0;
    SHARED->word[0] = 0;
    CHECK_IS(spawn_in(account, 0, thread, child_stay), 0);
    awake = use_of(account, KERNEL);
    __atomic_store_n(&SHARED->word[0], 1, __ATOMIC_RELEASE);
    user_join(0);
    wait_for_use(account, THREADS, 0);
    CHECK_IS(spawn_in(account, 0, thread, child_sleep), 0);
    while ((asleep = use_of(account, KERNEL)) <= awake)
        user_yield();
    __atomic_store_n(&SHARED->word[20], 1, __ATOMIC_RELEASE);
    CHECK(user_wake(&SHARED->word[20], 1) >= 0);
    user_join(0);
    wait_for_use(account, KERNEL, 0);
    CHECK_IS(set_limit(account, KERNEL, asleep - 1), 0);
    SHARED->word[20] = 0;
    CHECK_IS(spawn_in(account, 0, thread, child_sleep), 0);
    user_join(0);
    CHECK_IS(SHARED->word[1], (uint64_t)-TWZ_EQUOTA);
    CHECK_IS(set_limit(account, KERNEL, 0), 0);
    drop_thread(0);
    id = make_object(account, TWZ_KIND_DATA);
    wait_for_use(account, THREADS, 0);
    awake = use_of(account, KERNEL);
    CHECK_IS(CALL(obj_pin, IDARG(id), 1), 0);
    CHECK(use_of(account, KERNEL) > awake);
    CHECK_IS(set_limit(account, KERNEL, awake), 0);
    CHECK_IS(CALL(obj_pin, IDARG(id), 0), 0);
    CHECK_IS(CALL(obj_pin, IDARG(id), 1), -TWZ_EQUOTA);
    CHECK_IS(use_of(account, KERNEL), awake);
    delete_object(id);
    CHECK_IS(use_of(account, KERNEL), 0);
    delete_object(account);
}

#define ROUNDS 300u

/* Creates, fills and deletes an object of an account, again and again. */
static void child_churn(uint64_t arg)
{
    struct twz_create spec = { .perms = TWZ_PERMS };
    uint64_t i, refused = 0;
    objid_t id;

    spec.account.lo = SHARED->word[1 + 2 * arg];
    spec.account.hi = SHARED->word[2 + 2 * arg];
    for (i = 0; i < ROUNDS; i++) {
        if (user_create(&spec, &id) != 0) {
            refused++;
            continue;
        }
        if (user_range(id, TWZ_RANGE_POPULATE, 1, 1 + i % 7) == -TWZ_EQUOTA)
            refused++;
        if (CALL(obj_delete, IDARG(id), 0) != 0)
            refused = 1000000;
    }
    __atomic_fetch_add(&SHARED->word[6], refused, __ATOMIC_RELAXED);
}

/* Two threads charge two accounts of one parent; nothing is lost, and no limit is exceeded. With a
 * limit that both fit in nothing is refused. */
static void test_two_at_once(uint64_t limit, bool fits)
{
    objid_t parent = make_account(TWZ_OBJID_NONE), a = make_account(parent),
            b = make_account(parent);
    uint64_t i, above = 0;

    CHECK_IS(set_limit(parent, DRAM, limit), 0);
    SHARED->word[1] = a.lo;
    SHARED->word[2] = a.hi;
    SHARED->word[3] = b.lo;
    SHARED->word[4] = b.hi;
    SHARED->word[6] = 0;
    user_thread(0, child_churn, 0);
    user_thread(1, child_churn, 1);
    for (i = 0; i < 200; i++) {
        above += use_of(parent, DRAM) > limit;
        user_yield();
    }
    user_join(0);
    user_join(1);
    CHECK_IS(above, 0);
    CHECK(fits ? SHARED->word[6] == 0 : SHARED->word[6] > 0 && SHARED->word[6] <= 2 * ROUNDS);
    wait_for_use(parent, DRAM, 0);
    drop_thread(0);
    drop_thread(1);
    delete_object(a);
    delete_object(b);
    CHECK_IS(use_of(parent, KERNEL), 0);
    delete_object(parent);
}

void test_main(void)
{
    user_handlers();
    test_page_of_an_account();
    test_rights_on_accounts();
    test_pages_of_an_object();
    test_objects_are_kernel_memory();
    test_threads();
    test_account_of_the_caller();
    test_levels();
    test_shared_frames();
    test_deleted_account();
    test_mappings();
    test_sleeps_and_pins();
    test_two_at_once(18 * PAGE, true);
    test_two_at_once(6 * PAGE, false);
}
