/* SPDX-License-Identifier: MIT */
/*
 * The program of locks.py: a null call begins and ends each interval. The intervals are page adds
 * in a persistent object, page adds in a volatile one, and creations of persistent objects.
 */
#include "user.h"

#define PAGES   8192u
#define CREATES 256u

static void interval(void)
{
    CALL(null, 0);
}

static void touch_pages(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t i;

    user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
    interval();
    for (i = 0; i < PAGES; i++)
        *user_page(SLOT_TEST, 512 + i) = 1;
    interval();
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CALL(obj_delete, IDARG(id), 0);
}

static void create_objects(void)
{
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS };
    uint64_t i, failed = 0;
    objid_t id;

    interval();
    for (i = 0; i < CREATES; i++)
        failed += user_create(&spec, &id) != 0;
    interval();
    CHECK(failed == 0);
}

void test_main(void)
{
    touch_pages(TWZ_OBJ_PERSIST);
    touch_pages(0);
    create_objects();
}
