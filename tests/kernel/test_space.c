/* SPDX-License-Identifier: MIT */
/* Copies: one that the full pool refuses leaves the destination as it was, however long it is; one
 * of a page that has all the sharers it can have copies the bytes. */
#include "user.h"

#define RW    (TWZ_READ | TWZ_WRITE)
#define PAGES 300u /* more than one batch */

static long copy(objid_t dst, objid_t src, uint64_t pages)
{
    struct twz_copy c = { .src = src,
                          .dst = dst,
                          .src_off = TWZ_PAGE_SIZE,
                          .dst_off = TWZ_PAGE_SIZE,
                          .len = pages * TWZ_PAGE_SIZE };

    return CALL(obj_copy, SIZED(&c), 1);
}

static objid_t written(uint32_t slot, uint32_t flags, uint64_t base)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t i;

    user_map(slot, id, RW);
    for (i = 1; i <= PAGES; i++)
        *user_page(slot, i) = base + i;
    return id;
}

static void check_pages(uint32_t slot, uint64_t base)
{
    uint64_t i, wrong = 0;

    for (i = 1; i <= PAGES; i++)
        wrong += *user_page(slot, i) != base + i;
    CHECK_IS(wrong, 0);
}

/* Takes all frames of the pool, then gives `back` of them back. */
static void fill_pool(objid_t id, uint64_t back)
{
    uint64_t page = 1;

    while (user_range(id, TWZ_RANGE_POPULATE, page, 1) == 0)
        page++;
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, page, 1), -TWZ_ENOSPC);
    if (back > 0)
        CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, page - back, back), 0);
}

static long copy_at(objid_t dst, uint64_t to, objid_t src, uint64_t pages)
{
    struct twz_copy c = { .src = src,
                          .dst = dst,
                          .src_off = TWZ_PAGE_SIZE,
                          .dst_off = to * TWZ_PAGE_SIZE,
                          .len = pages * TWZ_PAGE_SIZE };

    return CALL(obj_copy, SIZED(&c), 1);
}

/* A page of DRAM can have SHARERS sharers; each further one gets a frame of its own. */
#define SHARERS (1u << 16)
#define FURTHER 100u

static void test_page_that_is_shared_often(void)
{
    objid_t a = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t b = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t n, before, wrong = 0;

    user_map(SLOT_TEST, a, RW);
    user_map(SLOT_TEST + 1, b, RW);
    *user_page(SLOT_TEST, 1) = 4711;
    for (n = 1; n < SHARERS / 2; n *= 2) { /* n in a, then 2n in both */
        CHECK_IS(copy_at(b, 1, a, n), 0);
        CHECK_IS(copy_at(a, n + 1, b, n), 0);
    }
    CHECK_IS(copy_at(b, 1, a, n), 0);
    before = user_memory_free();
    CHECK_IS(copy_at(b, n + 1, a, FURTHER), 0);
    CHECK(before - user_memory_free() >= FURTHER * TWZ_PAGE_SIZE);
    *user_page(SLOT_TEST + 1, n + 1) = 1;
    for (n = 1; n <= SHARERS / 2; n++)
        wrong += *user_page(SLOT_TEST, n) != 4711 || *user_page(SLOT_TEST + 1, n) != 4711;
    CHECK_IS(wrong, 0);
    CHECK_IS(*user_page(SLOT_TEST + 1, n), 1);
    CHECK_IS(*user_page(SLOT_TEST + 1, n + 1), 4711);
    CHECK_IS(*user_page(SLOT_TEST + 1, n + FURTHER - 1), 4711);
    CHECK_IS(CALL(obj_delete, IDARG(a), 0), 0);
    CHECK_IS(CALL(obj_delete, IDARG(b), 0), 0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
}

static void test_copy_to_a_full_pool(void)
{
    objid_t old = written(SLOT_TEST, TWZ_OBJ_PERSIST, 1000);
    objid_t new = written(SLOT_TEST + 1, 0, 5000);
    objid_t kept = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t filler = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);

    CHECK_IS(copy(kept, old, PAGES), 0); /* the old frames are not freed by the copy over them */
    fill_pool(filler, 0);
    CHECK_IS(copy(old, new, PAGES), -TWZ_ENOSPC);
    check_pages(SLOT_TEST, 1000);
    fill_pool(filler, PAGES / 2); /* for the first batches, but not for all */
    CHECK_IS(copy(old, new, PAGES), -TWZ_ENOSPC);
    check_pages(SLOT_TEST, 1000);
    fill_pool(filler, PAGES + 8);
    CHECK_IS(copy(old, new, PAGES), 0);
    check_pages(SLOT_TEST, 5000);
    user_map(SLOT_TEST, kept, TWZ_READ);
    check_pages(SLOT_TEST, 1000);
    CHECK_IS(CALL(obj_delete, IDARG(filler), 0), 0);
    CHECK_IS(copy(kept, old, PAGES), 0); /* nothing stays reserved */
}

void test_main(void)
{
    user_handlers();
    test_page_that_is_shared_often();
    test_copy_to_a_full_pool();
}
