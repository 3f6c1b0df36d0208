/* SPDX-License-Identifier: MIT */
/*
 * A thread on a persistent object, over two boots (threadsave.py). The first boot starts it and
 * ends the machine while it sleeps. The second one finds it stopped, and can start another one.
 */
#include "user.h"

/* In the root object of the namespace, which is persistent and otherwise empty. */
#define SAVED ((volatile objid_t *)BASE(SLOT_TEST))
#define RUNS  (*(BASE(SLOT_TEST) + 8))

static void child_sleeps(uint64_t arg)
{
    CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, TWZ_SIGNAL_BIT(20), 0);
    RUNS = RUNS + 1;
    __atomic_store_n(&SHARED->word[0], 1, __ATOMIC_RELEASE);
    user_wake(&SHARED->word[0], 1);
    while (arg != 0)
        user_wait(&SHARED->word[1], 0, TWZ_FOREVER);
}

static void map_thread(objid_t id)
{
    objid_t stack = user_object(0, TWZ_READ | TWZ_WRITE | TWZ_DEL, TWZ_KIND_DATA);

    user_map(SLOT_THREAD, id, TWZ_READ | TWZ_WRITE);
    user_map(SLOT_STACK, stack, TWZ_READ | TWZ_WRITE);
    user_thread_page(0)->self = (uint64_t)(uintptr_t)user_thread_page(0);
}

static void run_first_boot(void)
{
    objid_t id = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_THREAD);

    map_thread(id);
    CHECK_IS(user_spawn(0, id, user_view(), child_sleeps, 1), 0);
    while (__atomic_load_n(&SHARED->word[0], __ATOMIC_ACQUIRE) == 0)
        user_wait(&SHARED->word[0], 0, TWZ_FOREVER);
    CHECK_IS(user_thread_page(0)->spawned, 1);
    CHECK_IS(user_thread_page(0)->boot, user_system()->resume_count);
    CHECK_IS(CALL(thread_signal, IDARG(id), 20, 77), 0);
    SAVED->lo = id.lo;
    SAVED->hi = id.hi;
}

static void run_second_boot(void)
{
    objid_t id = { SAVED->lo, SAVED->hi };
    struct twz_thread *t = user_thread_page(0);

    map_thread(id);
    CHECK_IS(t->spawned, 1);
    CHECK_IS(t->exit, 0);
    CHECK(t->boot < user_system()->resume_count);
    CHECK_IS(CALL(thread_signal, IDARG(id), 20, 1), -TWZ_ENOOBJ);
    CHECK_IS(RUNS, 1);
    CHECK_IS(user_spawn(0, id, user_view(), child_sleeps, 0), 0);
    CHECK_IS(user_join(0), 0);
    CHECK_IS(t->boot, user_system()->resume_count);
    CHECK_IS(RUNS, 2);
}

void test_main(void)
{
    objid_t names = { user_system()->names_root.lo, user_system()->names_root.hi };

    user_map(SLOT_TEST, names, TWZ_READ | TWZ_WRITE);
    if (SAVED->lo == 0)
        run_first_boot();
    else
        run_second_boot();
}
