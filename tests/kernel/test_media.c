/* SPDX-License-Identifier: MIT */
/*
 * An uncorrectable memory error in the pool, which media.py raises: accesses to the page fault in
 * each object that has it, and all other pages stay usable.
 */
#include "user.h"

#define PATTERN 0x6c6f73742d70616full /* media.py searches the pool for a page full of it */
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
    CHECK_IS(CALL(obj_range, IDARG(lost), TWZ_RANGE_DISCARD, 5 * PAGE, PAGE), 0);
    CHECK_IS(user_store_faults(at), 0);
    CHECK_IS(CALL(obj_delete, IDARG(lost), TWZ_DELETE_NOW), 0);
    CHECK_IS(CALL(obj_delete, IDARG(other), TWZ_DELETE_NOW), 0);
}
