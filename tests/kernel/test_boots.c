/* SPDX-License-Identifier: MIT */
/*
 * The state that goes on over the boots of a pool. boots.py boots this program twice on one pool.
 * The first boot leaves its time and the IDs of the kernel's objects in the names root; the second
 * compares them with its own.
 */
#include "user.h"

struct left {
    uint64_t boots;
    uint64_t resume_count;
    uint64_t now;
    objid_t root, system, console;
};
#define NS_PER_S 1000000000ull
#define LEFT     ((volatile struct left *)BASE(SLOT_TEST))

static objid_t system_id(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_RECORD);

    return r->id;
}

static bool is_same(const volatile objid_t *a, objid_t b)
{
    return a->lo == b.lo && a->hi == b.hi;
}

static void leave_state(void)
{
    const volatile struct twz_system *s = user_system();
    objid_t id = system_id();

    LEFT->resume_count = s->resume_count;
    LEFT->root.lo = s->kso_root.lo;
    LEFT->root.hi = s->kso_root.hi;
    LEFT->system.lo = id.lo;
    LEFT->system.hi = id.hi;
    LEFT->console.lo = s->console.lo;
    LEFT->console.hi = s->console.hi;
    CHECK_IS(s->version, TWZ_SYSTEM_VERSION);
    /* longer than the kernel's bound of the clock lies ahead at boot */
    user_wait(&SHARED->word[0], 0, user_now() + 300 * NS_PER_S);
    LEFT->now = user_now();
}

static void compare_state(void)
{
    const volatile struct twz_system *s = user_system();
    objid_t root = { s->kso_root.lo, s->kso_root.hi }, console = { s->console.lo, s->console.hi };

    CHECK(user_now() > LEFT->now);
    CHECK_IS(s->resume_count, LEFT->resume_count + 1);
    CHECK(is_same(&LEFT->root, root));
    CHECK(is_same(&LEFT->system, system_id()));
    CHECK(is_same(&LEFT->console, console));
    CHECK(!objid_equal(root, console) && !objid_equal(root, system_id()));
}

void test_main(void)
{
    objid_t names = user_system()->names_root;

    user_map(SLOT_TEST, names, TWZ_READ | TWZ_WRITE);
    if (LEFT->boots++ == 0)
        leave_state();
    else
        compare_state();
    CHECK_IS(user_range(names, TWZ_RANGE_PERSIST, 1, 1), 0);
    user_log_value("boot", LEFT->boots);
}
