/* SPDX-License-Identifier: MIT */
/*
 * Sealed objects in a pool that was changed between two boots. tamper.py boots this program to seal
 * objects, one for each change that tamper.c then makes, and boots it again to use them. The first
 * boot leaves a struct left at the base of the name root.
 */
#include "user.h"

#define PAGE    TWZ_PAGE_SIZE
#define OBJECTS 17u /* changes of tamper.c */
#define RW      (TWZ_READ | TWZ_WRITE)

struct left {
    uint64_t step;
    objid_t id[OBJECTS];
};
#define LEFT ((volatile struct left *)BASE(SLOT_TEST))

/* The pages of each object: in two nodes of level 0, and in two of level 1. Page 5 is absent. */
static const uint64_t pages[] = { 1, 2, 200, 20000 };
#define PAGES (sizeof(pages) / sizeof(pages[0]))

static void fill(uint64_t object, uint64_t page)
{
    for (uint64_t i = 0; i < PAGE / 8; i++)
        user_page(SLOT_TEST + 1, page)[i] = 0x5ea1ull << 48 | object << 40 | page << 16 | i;
}

static bool is_filled(uint64_t object, uint64_t page)
{
    for (uint64_t i = 0; i < PAGE / 8; i++)
        if (user_page(SLOT_TEST + 1, page)[i] != (0x5ea1ull << 48 | object << 40 | page << 16 | i))
            return false;
    return true;
}

static void seal_all(void)
{
    for (uint64_t n = 0; n < OBJECTS; n++) {
        objid_t source = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), id = TWZ_OBJID_NONE;

        user_map(SLOT_TEST + 1, source, RW);
        for (unsigned i = 0; i < PAGES; i++)
            fill(n, pages[i]);
        CHECK_IS(CALL(obj_seal, IDARG(source), &id), 0);
        LEFT->id[n].lo = id.lo;
        LEFT->id[n].hi = id.hi;
        CHECK_IS(CALL(obj_delete, IDARG(source), TWZ_DELETE_NOW), 0);
    }
}

/* Logs, for one object, a word for each page: the page is right, wrong, or its access faults. */
static void report(uint64_t n, uint64_t page)
{
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST + 1) + page * PAGE;

    if (user_load_faults(at))
        user_log_count("fault", n << 32 | page << 8 | SHARED->fault.reason);
    else if (page == 5 ? *user_page(SLOT_TEST + 1, 5) == 0 : is_filled(n, page))
        user_log_count("right", n << 32 | page << 8);
    else
        user_log_count("wrong", n << 32 | page << 8);
}

/* A copy must refuse as a fault does: no byte that is not verified gets into another object. */
static void copy_page(uint64_t n, objid_t id, objid_t to, uint64_t page)
{
    struct twz_copy c = {
        .src = id, .dst = to, .src_off = page * PAGE, .dst_off = PAGE, .len = PAGE
    };
    long ret = CALL(obj_copy, SIZED(&c), 1);

    user_log_count(ret == 0 ? "copied" : "refused", n << 32 | page << 8 | (uint64_t)-ret);
}

static void use_all(void)
{
    objid_t to = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    for (uint64_t n = 0; n < OBJECTS; n++) {
        objid_t id = { LEFT->id[n].lo, LEFT->id[n].hi };

        user_map(SLOT_TEST + 1, id, TWZ_READ);
        for (unsigned round = 0; round < 2; round++)
            for (unsigned i = 0; i < PAGES; i++)
                report(n, pages[i]);
        report(n, 5);
        copy_page(n, id, to, 1);
        copy_page(n, id, to, 5);
        copy_page(n, id, to, 200);
        user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
    }
}

void test_main(void)
{
    user_handlers();
    user_map(SLOT_TEST, user_system()->names_root, RW);
    if (LEFT->step++ == 0)
        seal_all();
    else
        use_all();
    CHECK_IS(user_range(user_system()->names_root, TWZ_RANGE_PERSIST, 1, 1), 0);
}
