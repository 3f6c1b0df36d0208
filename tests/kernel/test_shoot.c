/* SPDX-License-Identifier: MIT */
/*
 * Translations of another core: each call that takes something away from a page (its frame, the
 * right to store) must reach the core that has used the page, before the call returns.
 *
 * The partner runs on core 1 and makes no call in a round, so that nothing but a shootdown can
 * remove its translations.
 */
#include "user.h"

#define RW     (TWZ_READ | TWZ_WRITE)
#define ROUNDS 8u
#define STOP   UINT64_MAX

#define SOURCE SLOT_TEST
#define COPY   (SLOT_TEST + 1)

#define GO    (SHARED->word[0]) /* the step that the partner must do, and the last that it did */
#define DONE  (SHARED->word[1])
#define SEEN  (SHARED->word[2]) /* its load in the step */
#define STORE (SHARED->word[3]) /* its store in the step; 0: it loads */

static void child_partner(uint64_t arg)
{
    uint64_t step = 0, go;

    (void)arg;
    for (;;) {
        while ((go = __atomic_load_n(&GO, __ATOMIC_ACQUIRE)) == step)
            __asm__ volatile("pause");
        if (go == STOP)
            return;
        step = go;
        if (STORE != 0)
            *BASE(SOURCE) = STORE;
        else
            SEEN = *BASE(SOURCE);
        __atomic_store_n(&DONE, step, __ATOMIC_RELEASE);
    }
}

static void do_step(uint64_t store)
{
    uint64_t step = GO + 1;

    STORE = store;
    __atomic_store_n(&GO, step, __ATOMIC_RELEASE);
    while (__atomic_load_n(&DONE, __ATOMIC_ACQUIRE) != step)
        __asm__ volatile("pause");
}

static uint64_t partner_loads(void)
{
    do_step(0);
    return SEEN;
}

static void copy_page(objid_t from, objid_t to)
{
    struct twz_copy c = { .src = from,
                          .dst = to,
                          .src_off = TWZ_PAGE_SIZE,
                          .dst_off = TWZ_PAGE_SIZE,
                          .len = TWZ_PAGE_SIZE };

    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), 0);
}

static objid_t fresh(uint32_t slot, uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(slot, id, RW);
    return id;
}

static void drop(objid_t id)
{
    CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
}

/* After the copy the partner's store must not reach the frame that both objects share. */
static void test_store_after_copy(uint32_t flags)
{
    uint64_t i;

    for (i = 1; i <= ROUNDS; i++) {
        objid_t from = fresh(SOURCE, flags), to = fresh(COPY, flags);

        do_step(2 * i); /* now it can store there */
        copy_page(from, to);
        do_step(2 * i + 1);
        CHECK_IS(*BASE(COPY), 2 * i);
        CHECK_IS(*BASE(SOURCE), 2 * i + 1);
        drop(from);
        drop(to);
    }
}

/* The page gets a frame of its own on this core: the partner must not go on reading the old one. */
static void test_load_after_own_frame(uint32_t flags)
{
    uint64_t i;

    for (i = 1; i <= ROUNDS; i++) {
        objid_t from = fresh(SOURCE, flags), to = fresh(COPY, flags);

        *BASE(SOURCE) = 2 * i;
        copy_page(from, to);
        CHECK_IS(partner_loads(), 2 * i);
        *BASE(SOURCE) = 2 * i + 1;
        CHECK_IS(partner_loads(), 2 * i + 1);
        CHECK_IS(*BASE(COPY), 2 * i);
        drop(from);
        drop(to);
    }
}

/* The first store to a page that reads as zero; then the page is discarded. */
static void test_load_after_first_store_and_discard(uint32_t flags)
{
    uint64_t i;

    for (i = 1; i <= ROUNDS; i++) {
        objid_t id = fresh(SOURCE, flags);

        CHECK_IS(partner_loads(), 0);
        *BASE(SOURCE) = i;
        CHECK_IS(partner_loads(), i);
        CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, 1), 0);
        CHECK_IS(partner_loads(), 0);
        drop(id);
    }
}

/* A copy over a page that the partner uses. */
static void test_load_after_copy_over(uint32_t flags)
{
    uint64_t i;

    for (i = 1; i <= ROUNDS; i++) {
        objid_t to = fresh(SOURCE, flags), from = fresh(COPY, flags);

        do_step(i);
        *BASE(COPY) = 1000 + i;
        copy_page(from, to);
        CHECK_IS(partner_loads(), 1000 + i);
        do_step(i);
        CHECK_IS(*BASE(COPY), 1000 + i);
        CHECK_IS(*BASE(SOURCE), i);
        drop(from);
        drop(to);
    }
}

/* Migration gives every page another frame. */
static void test_store_around_migration(void)
{
    uint64_t i, there;

    for (i = 1; i <= ROUNDS; i++) {
        objid_t id = fresh(SOURCE, 0);

        for (there = 1; there < 5; there++) {
            do_step(10 * i + there);
            CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, there & 1), 0);
            CHECK_IS(*BASE(SOURCE), 10 * i + there);
            do_step(20 * i + there);
            CHECK_IS(*BASE(SOURCE), 20 * i + there);
            *BASE(SOURCE) = i;
            CHECK_IS(partner_loads(), i);
        }
        drop(id);
    }
}

/* An entry of the view changes: the partner must reach the new object. */
static void test_load_after_invalidate(void)
{
    objid_t one = fresh(COPY, 0), two;
    uint64_t i;

    *BASE(COPY) = 1;
    two = fresh(COPY, 0);
    *BASE(COPY) = 2;
    for (i = 0; i < 4 * ROUNDS; i++) {
        user_map(SOURCE, i % 2 != 0 ? one : two, RW);
        CHECK_IS(partner_loads(), i % 2 != 0 ? 1 : 2);
    }
    drop(one);
    drop(two);
}

void test_main(void)
{
    user_handlers();
    GO = DONE = 0;
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 2), 0);
    user_thread(0, child_partner, 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), 0);
    test_store_after_copy(0);
    test_store_after_copy(TWZ_OBJ_PERSIST);
    test_load_after_own_frame(0);
    test_load_after_own_frame(TWZ_OBJ_PERSIST);
    test_load_after_first_store_and_discard(0);
    test_load_after_first_store_and_discard(TWZ_OBJ_PERSIST);
    test_load_after_copy_over(0);
    test_load_after_copy_over(TWZ_OBJ_PERSIST);
    test_store_around_migration();
    test_load_after_invalidate();
    __atomic_store_n(&GO, STOP, __ATOMIC_RELEASE);
    user_join(0);
}
