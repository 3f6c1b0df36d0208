/* SPDX-License-Identifier: MIT */
/* An object that changes between volatile and persistent while another core uses it, and movers
 * that end half way. */
#include "user.h"

#define RW     (TWZ_READ | TWZ_WRITE)
#define PAGE   3231u /* the last page of its block of 32, so that its neighbour is in another one */
#define LARGE  6000u
#define ROUNDS 20u /* tries to meet a move while it is under way */

/* The mover's object, and what its call returned. */
#define MOVED  ((objid_t){ SHARED->word[4], SHARED->word[5] })
#define RESULT (SHARED->word[6])
#define NONE   77u

static volatile uint64_t *word_at(uint32_t slot, uint64_t page)
{
    return (volatile uint64_t *)(TWZ_SLOT_ADDR(slot) + page * TWZ_PAGE_SIZE);
}

static long range(objid_t id, uint64_t op, uint64_t page, uint64_t n)
{
    return CALL(obj_range, IDARG(id), op, page * TWZ_PAGE_SIZE, n * TWZ_PAGE_SIZE);
}

static int is_persistent(objid_t id)
{
    struct twz_stat stat;

    CHECK_IS(CALL(obj_stat, IDARG(id), &stat), 0);
    return (stat.flags & TWZ_OBJ_PERSIST) != 0;
}

static void child_move(uint64_t persistent)
{
    objid_t id = MOVED;
    uint64_t ret = (uint64_t)CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, persistent);

    __atomic_store_n(&RESULT, ret, __ATOMIC_RELEASE);
}

/* Starts a move on another core; false: it was over before anybody saw it. */
static int begin_move(unsigned n, objid_t id, uint64_t persistent)
{
    SHARED->word[4] = id.lo;
    SHARED->word[5] = id.hi;
    RESULT = NONE;
    user_thread(n, child_move, persistent);
    while (__atomic_load_n(&RESULT, __ATOMIC_ACQUIRE) == NONE)
        if (range(id, TWZ_RANGE_PERSIST, 1, 1) == -TWZ_EBUSY)
            return 1;
    return 0;
}

static objid_t mapped(uint32_t flags, uint64_t pages)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(SLOT_TEST, id, RW);
    CHECK_IS(range(id, TWZ_RANGE_POPULATE, 1, pages), 0);
    return id;
}

static void dispose(objid_t id)
{
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
}

/* A page that appears during a move out, before one that only the pool has yet. */
static int out_beside_stored(void)
{
    objid_t id = mapped(TWZ_OBJ_PERSIST, PAGE - 1);
    objid_t other = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_copy c = { .src = id,
                          .dst = other,
                          .src_off = (PAGE + 1) * TWZ_PAGE_SIZE,
                          .dst_off = TWZ_PAGE_SIZE,
                          .len = TWZ_PAGE_SIZE };
    int met;

    *word_at(SLOT_TEST, PAGE + 1) = 0x1234;
    CHECK_IS(CALL(obj_copy, &c, 1), 0); /* its translation goes */
    met = begin_move(0, id, 0);
    *word_at(SLOT_TEST, PAGE) = 7;
    CHECK_IS(*word_at(SLOT_TEST, PAGE + 1), 0x1234);
    CHECK_IS(user_join(0), 0);
    CHECK_IS(RESULT, 0);
    CHECK_IS(*word_at(SLOT_TEST, PAGE), 7);
    CHECK_IS(*word_at(SLOT_TEST, PAGE + 1), 0x1234);
    dispose(id);
    CHECK_IS(CALL(obj_delete, IDARG(other), 0), 0);
    return met;
}

/* A page that appears during a move in, before a hole. */
static int in_beside_hole(void)
{
    objid_t id = mapped(0, PAGE - 1);
    uint64_t at = (uint64_t)(uintptr_t)word_at(SLOT_TEST, PAGE + 1);
    int met;

    CHECK_IS(range(id, TWZ_RANGE_HOLE, PAGE + 1, 1), 0);
    CHECK_IS(user_load_faults(at), 1);
    met = begin_move(0, id, 1);
    *word_at(SLOT_TEST, PAGE) = 7;
    CHECK_IS(user_join(0), 0);
    CHECK_IS(RESULT, 0);
    CHECK_IS(user_load_faults(at), 1);
    dispose(id);
    return met;
}

/* Reads a page that shows zeros, until it shows something else. */
static void child_watch(uint64_t arg)
{
    while (*word_at(SLOT_TEST, PAGE) == 0 && SHARED->word[8] == 0)
        SHARED->word[9]++;
    CALL(thread_exit, *word_at(SLOT_TEST, PAGE) == arg);
}

/* Zeros that are shown go everywhere when the page appears during a move out. */
static int out_beside_zeros(void)
{
    objid_t id = mapped(TWZ_OBJ_PERSIST, PAGE - 1);
    uint64_t seen, end;
    int met;

    SHARED->word[8] = 0;
    SHARED->word[9] = 0;
    user_thread(1, child_watch, 5);
    do {
        seen = __atomic_load_n(&SHARED->word[9], __ATOMIC_ACQUIRE);
    } while (seen < 100);
    met = begin_move(0, id, 0);
    CALL(thread_signal, IDARG(user_thread_page(0)->id), TWZ_SIGNAL_KILL, 0);
    user_join(0); /* nobody goes on with it */
    *word_at(SLOT_TEST, PAGE) = 5;
    end = user_now() + 5000000000ull;
    while (__atomic_load_n(&user_thread_page(1)->exit, __ATOMIC_ACQUIRE) == 0 && user_now() < end)
        CALL(thread_ctl, 0, 0, TWZ_THREAD_YIELD, 0);
    SHARED->word[8] = 1;
    CHECK_IS(user_join(1), 1);
    dispose(id);
    return met;
}

/* Whoever asks for one sort while another's move to the other sort lies half done gets what he
 * asked for. */
static int given_up(uint32_t flags)
{
    objid_t id = mapped(flags, LARGE);
    int persistent = (flags & TWZ_OBJ_PERSIST) != 0, met;
    uint64_t i;

    for (i = 1; i <= LARGE; i += 100)
        *word_at(SLOT_TEST, i) = i;
    met = begin_move(0, id, !persistent);
    CALL(thread_signal, IDARG(user_thread_page(0)->id), TWZ_SIGNAL_KILL, 0);
    user_join(0);
    met = met && range(id, TWZ_RANGE_PERSIST, 1, 1) == -TWZ_EBUSY;
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, persistent), 0);
    CHECK_IS(is_persistent(id), persistent);
    for (i = 1; i <= LARGE; i += 100)
        CHECK_IS(*word_at(SLOT_TEST, i), i);
    dispose(id);
    return met;
}

static int given_up_out(void)
{
    return given_up(TWZ_OBJ_PERSIST);
}

static int given_up_in(void)
{
    return given_up(0);
}

/* Until the move was met under way: then the test has shown something. */
static void meet(int (*test)(void))
{
    unsigned i;

    for (i = 0; i < ROUNDS; i++)
        if (test())
            break;
    CHECK(i < ROUNDS);
}

void test_main(void)
{
    user_handlers();
    meet(out_beside_stored);
    meet(in_beside_hole);
    meet(out_beside_zeros);
    meet(given_up_out);
    meet(given_up_in);
}
