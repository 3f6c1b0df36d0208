/* SPDX-License-Identifier: MIT */
/*
 * Uncorrectable memory errors in the pool, which media.py raises. The first hits a page that user
 * code reads: accesses to the page fault in each object that has it, and all other pages stay
 * usable; the object migrates with the lost page. The second hits a page that the kernel copies all
 * the time: the copy fails, and the kernel goes on.
 */
#include "user.h"

#define PATTERN 0x6c6f73742d70616full /* media.py searches the pool for a page full of it */
#define COPIED  0x6c6f73742d726561ull /* the same, of the second page */
#define RW      (TWZ_READ | TWZ_WRITE)
#define PAGE    TWZ_PAGE_SIZE

/* Waits until an access to `at` faults, and checks the fault. */
static void await_media_error(uint64_t at, objid_t object)
{
    user_log("ready for a media error");
    while (user_load_faults(at) == 0)
        user_yield();
    CHECK_IS(user_load_faults(at), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PAGE);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_POISON);
    CHECK_IS(SHARED->fault.object.lo, object.lo);
    CHECK_IS(user_store_faults(at), 1);
}

/* Copies a page again and again until the kernel finds it lost. */
static void test_error_in_a_kernel_read(void)
{
    objid_t from = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t to = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_copy c = {
        .src = from, .dst = to, .src_off = 7 * PAGE, .dst_off = PAGE, .len = PAGE
    };
    long ret = 0;
    uint64_t i;

    user_map(SLOT_TEST + 2, from, RW);
    *user_page(SLOT_TEST + 2, 8) = 88;
    for (i = 0; i < PAGE / 8; i++)
        user_page(SLOT_TEST + 2, 7)[i] = COPIED;
    user_log("ready for an error in a kernel read");
    while (ret == 0)
        ret = CALL(obj_copy, SIZED(&c), 1);
    CHECK_IS(ret, -TWZ_EPOISON);
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), -TWZ_EPOISON);
    while (user_load_faults(TWZ_SLOT_ADDR(SLOT_TEST + 2) + 7 * PAGE) == 0)
        user_yield(); /* the kernel is looking for the objects that map the frame */
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_POISON);
    c.src_off = 8 * PAGE;
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), 0);
    CHECK_IS(CALL(obj_delete, IDARG(from), TWZ_DELETE_NOW), 0);
}

static void expect_lost(uint64_t at)
{
    CHECK_IS(user_load_faults(at), 1);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_POISON);
    CHECK_IS(user_store_faults(at), 1);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_POISON);
}

/* Page 5 of the object at SLOT_TEST is lost, and stays so in DRAM and back in the pool. All else
 * migrates, and ranges and copies work after it. */
static void test_migration_of_a_lost_page(objid_t lost, objid_t to)
{
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST) + 5 * PAGE;
    struct twz_copy c = {
        .src = lost, .dst = to, .src_off = 4 * PAGE, .dst_off = 4 * PAGE, .len = 2 * PAGE
    };

    CHECK_IS(CALL(obj_ctl, IDARG(lost), TWZ_CTL_PERSIST, 0), 0);
    CHECK_IS(*user_page(SLOT_TEST, 4), 44);
    expect_lost(at);
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), -TWZ_EPOISON); /* to a persistent object */
    c.dst = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), -TWZ_EPOISON);
    c.len = PAGE;
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), 0);
    CHECK_IS(CALL(obj_delete, IDARG(c.dst), TWZ_DELETE_NOW), 0);
    CHECK_IS(user_range(lost, TWZ_RANGE_POPULATE, 4, 2), -TWZ_EPOISON);
    CHECK_IS(user_range(lost, TWZ_RANGE_PROTECT, 4, 2), 0);
    CHECK_IS(user_range(lost, TWZ_RANGE_DISCARD, 5, 1), -TWZ_EDENIED);
    CHECK_IS(user_store_faults(at - PAGE), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PERM);
    expect_lost(at);
    CHECK_IS(CALL(obj_ctl, IDARG(lost), TWZ_CTL_PERSIST, 1), 0);
    CHECK_IS(*user_page(SLOT_TEST, 4), 44);
    expect_lost(at);
    CHECK_IS(CALL(obj_ctl, IDARG(lost), TWZ_CTL_PERSIST, 0), 0);
    expect_lost(at);
    CHECK_IS(user_range(lost, TWZ_RANGE_HOLE, 4, 2), 0);
    CHECK_IS(user_load_faults(at), 1);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_HOLE);
    CHECK_IS(user_range(lost, TWZ_RANGE_DISCARD, 4, 2), 0);
    CHECK_IS(user_store_faults(at), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(lost), TWZ_CTL_PERSIST, 1), 0);
    CHECK_IS(user_store_faults(at), 0);
}

void test_main(void)
{
    objid_t lost = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t other = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST) + 5 * PAGE, i;
    objid_t twin = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t copied = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_copy c = { .src = lost, .dst = copied, .src_off = 5 * PAGE, .dst_off = PAGE };

    user_handlers();
    user_map(SLOT_TEST, lost, RW);
    user_map(SLOT_TEST + 1, other, RW);
    *user_page(SLOT_TEST, 4) = 44;
    *user_page(SLOT_TEST + 1, 5) = 55;
    for (i = 0; i < PAGE / 8; i++)
        user_page(SLOT_TEST, 5)[i] = PATTERN;
    c.len = PAGE;
    c.dst = twin; /* shares the frame, and is not mapped */
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), 0);
    await_media_error(at, lost);
    CHECK_IS(*user_page(SLOT_TEST, 4), 44);
    CHECK_IS(*user_page(SLOT_TEST + 1, 5), 55);
    CHECK_IS(user_store_faults(TWZ_SLOT_ADDR(SLOT_TEST) + 6 * PAGE), 0);
    c.dst = copied;
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), -TWZ_EPOISON);
    c.src = twin;
    c.src_off = PAGE;
    c.dst = other;
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), -TWZ_EPOISON);
    c.dst = copied;
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), -TWZ_EPOISON);
    test_migration_of_a_lost_page(lost, other);
    CHECK_IS(CALL(obj_delete, IDARG(lost), TWZ_DELETE_NOW), 0);
    CHECK_IS(CALL(obj_delete, IDARG(other), TWZ_DELETE_NOW), 0);
    test_error_in_a_kernel_read();
}
