/* SPDX-License-Identifier: MIT */
/*
 * The costs of calls in instructions. This must run on one core whose clock counts instructions
 * (boot.py, CORES "count"), so that a nanosecond is an instruction. Each figure must not exceed its
 * limit (doc/figures.md).
 */
#include "gate.h"

#define ROUNDS   400u
#define SEQUENCE 12000u /* pages written in sequence: most of the pool */

static void figure(const char *what, uint64_t each, uint64_t most)
{
    user_log(what);
    user_log_value("  instructions", each);
    CHECK(each <= most);
}

static uint64_t null_cost(void)
{
    uint64_t start = user_now(), i;

    for (i = 0; i < ROUNDS; i++)
        CALL(null, 0);
    return (user_now() - start) / ROUNDS;
}

static uint64_t touch_cost(uint32_t flags, uint64_t pages)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t start, end, i;

    user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
    *BASE(SLOT_TEST) = 1;
    *(volatile uint64_t *)(TWZ_SLOT_ADDR(SLOT_TEST) + 0x200000) = 1;
    start = user_now();
    for (i = 0; i < pages; i++)
        *(volatile uint64_t *)(TWZ_SLOT_ADDR(SLOT_TEST) + 0x200000 + (i + 1) * TWZ_PAGE_SIZE) = 1;
    end = user_now();
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CALL(obj_delete, IDARG(id), 0);
    return (end - start) / pages;
}

/* Maps an object whose pages exist, touches 256 of them, unmaps it. */
static uint64_t map_cost(void)
{
    objid_t id = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t start, end, round, i;

    CALL(obj_range, IDARG(id), TWZ_RANGE_POPULATE, TWZ_PAGE_SIZE, 256 * TWZ_PAGE_SIZE);
    start = user_now();
    for (round = 0; round < 16; round++) {
        user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
        for (i = 0; i < 256; i++)
            *(volatile uint64_t *)(TWZ_SLOT_ADDR(SLOT_TEST) + (i + 1) * TWZ_PAGE_SIZE) = 1;
        user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    }
    end = user_now();
    return (end - start) / 16;
}

static void child_pong(uint64_t arg)
{
    uint64_t i;

    for (i = 0; i < arg; i++) {
        while (__atomic_load_n(&SHARED->word[0], __ATOMIC_ACQUIRE) == i)
            CALL(thread_wait, &SHARED->word[0], i, TWZ_FOREVER, TWZ_SYNC_64);
        __atomic_store_n(&SHARED->word[1], i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake_wait, &SHARED->word[1], &SHARED->word[0], i + 1, TWZ_FOREVER, TWZ_SYNC_64);
    }
}

/* Both threads wake the other one and sleep in one call. */
static uint64_t wake_cost(void)
{
    uint64_t start, end, i;

    SHARED->word[0] = 0;
    SHARED->word[1] = 0;
    user_thread(0, child_pong, ROUNDS);
    user_yield();
    start = user_now();
    for (i = 0; i < ROUNDS; i++) {
        __atomic_store_n(&SHARED->word[0], i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake_wait, &SHARED->word[0], &SHARED->word[1], i, TWZ_FOREVER, TWZ_SYNC_64);
        while (__atomic_load_n(&SHARED->word[1], __ATOMIC_ACQUIRE) == i)
            CALL(thread_wait, &SHARED->word[1], i, TWZ_FOREVER, TWZ_SYNC_64);
    }
    end = user_now();
    SHARED->word[0] = ROUNDS + 1;
    user_wake(&SHARED->word[0], 1);
    user_join(0);
    return (end - start) / ROUNDS;
}

static void child_pong_apart(uint64_t arg)
{
    uint64_t i;

    for (i = 0; i < arg; i++) {
        while (__atomic_load_n(&SHARED->word[0], __ATOMIC_ACQUIRE) == i)
            CALL(thread_wait, &SHARED->word[0], i, TWZ_FOREVER, TWZ_SYNC_64);
        __atomic_store_n(&SHARED->word[1], i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake, &SHARED->word[1], 1);
    }
}

/* Both threads wake the other one in one call and sleep in another. */
static uint64_t wake_apart_cost(void)
{
    uint64_t start, end, i;

    SHARED->word[0] = 0;
    SHARED->word[1] = 0;
    user_thread(0, child_pong_apart, ROUNDS);
    start = user_now();
    for (i = 0; i < ROUNDS; i++) {
        __atomic_store_n(&SHARED->word[0], i + 1, __ATOMIC_RELEASE);
        CALL(thread_wake, &SHARED->word[0], 1);
        while (__atomic_load_n(&SHARED->word[1], __ATOMIC_ACQUIRE) == i)
            CALL(thread_wait, &SHARED->word[1], i, TWZ_FOREVER, TWZ_SYNC_64);
    }
    end = user_now();
    user_join(0);
    return (end - start) / ROUNDS;
}

static void child_yield(uint64_t arg)
{
    uint64_t i;

    for (i = 0; i < arg; i++)
        CALL(thread_ctl, 0, 0, TWZ_THREAD_YIELD, 0);
}

static uint64_t yield_cost(void)
{
    uint64_t start, end, i;

    user_thread(0, child_yield, ROUNDS);
    start = user_now();
    for (i = 0; i < ROUNDS; i++)
        CALL(thread_ctl, 0, 0, TWZ_THREAD_YIELD, 0);
    end = user_now();
    user_join(0);
    return (end - start) / (2 * ROUNDS);
}

static void child_none(uint64_t arg)
{
    (void)arg;
}

static uint64_t spawn_cost(void)
{
    objid_t id = user_thread(0, child_none, 0);
    uint64_t start, end, i;

    user_join(0);
    start = user_now();
    for (i = 0; i < ROUNDS; i++) {
        user_spawn(0, id, user_view(), child_none, 0);
        user_join(0);
    }
    end = user_now();
    return (end - start) / ROUNDS;
}

static uint64_t create_cost(uint32_t flags)
{
    uint64_t start = user_now(), i;

    for (i = 0; i < 100; i++) {
        objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);

        CALL(obj_delete, IDARG(id), 0);
    }
    return (user_now() - start) / 100;
}

/* Creates an object with copy-on-write of 64 pages. */
static uint64_t cow_cost(void)
{
    objid_t a = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), b;
    struct twz_copy c = { .src = a, .src_off = TWZ_PAGE_SIZE, .dst_off = TWZ_PAGE_SIZE };
    struct twz_create spec = { .perms = TWZ_PERMS,
                               .source_size = sizeof(struct twz_copy),
                               .nsources = 1 };
    uint64_t start, end, i;

    spec.sources = (uint64_t)(uintptr_t)&c;
    c.len = 64 * TWZ_PAGE_SIZE;
    user_map(SLOT_TEST, a, TWZ_READ | TWZ_WRITE);
    for (i = 0; i < 64; i++)
        *(volatile uint64_t *)(TWZ_SLOT_ADDR(SLOT_TEST) + (i + 1) * TWZ_PAGE_SIZE) = 1;
    start = user_now();
    user_create(&spec, &b);
    end = user_now();
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    return (end - start) / 64;
}

static objid_t sealed_object(uint64_t pages, uint64_t *cost)
{
    objid_t source = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), id = TWZ_OBJID_NONE;
    uint64_t start, i;

    user_map(SLOT_TEST, source, TWZ_READ | TWZ_WRITE);
    for (i = 1; i <= pages; i++)
        *user_page(SLOT_TEST, i) = i;
    start = user_now();
    CHECK_IS(CALL(obj_seal, IDARG(source), &id), 0);
    *cost = user_now() - start;
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CALL(obj_delete, IDARG(source), TWZ_DELETE_NOW);
    return id;
}

static uint64_t seal_cost(uint64_t pages)
{
    uint64_t cost;
    objid_t id = sealed_object(pages, &cost);

    CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW);
    return cost;
}

#define TOUCHED 120u /* pages, all under one node of the hash tree */

static uint64_t touch_sealed_cost(uint64_t first)
{
    uint64_t start = user_now(), i;

    for (i = first; i < first + TOUCHED; i++)
        CHECK_IS(*user_page(SLOT_TEST, i), i);
    return (user_now() - start) / TOUCHED;
}

static void figure_sealed_faults(void)
{
    uint64_t cost;
    objid_t id = sealed_object(TOUCHED + 1, &cost);

    user_map(SLOT_TEST, id, TWZ_READ);
    cost = user_now();
    CHECK_IS(*user_page(SLOT_TEST, 1), 1);
    figure("first touch of a sealed object", user_now() - cost, 300000);
    figure("first touch of each other page", touch_sealed_cost(2), 75000);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST, id, TWZ_READ);
    figure("touch of each page in a new mapping", touch_sealed_cost(2), 500);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW);
}

/* A call and its return, of a service that was called before. */
static uint64_t gate_cost(void)
{
    struct gate_service s = gate_service(4, TWZ_OBJID_NONE);
    uint64_t start, value, i;

    CHECK(gate_attach(s.id) >= 0);
    gate_call(s.id, 0, 1, 2, 3, &value);
    start = user_now();
    for (i = 0; i < ROUNDS; i++)
        gate_call(s.id, 0, 1, 2, 3, &value);
    start = user_now() - start;
    CHECK_IS(value, 1 + 2 * 2 + 3 * 3);
    CHECK(gate_detach(s.id) >= 0);
    return start / ROUNDS;
}

void test_main(void)
{
    figure("null call", null_cost(), 100);
    figure("first write, volatile page", touch_cost(0, SEQUENCE), 500);
    figure("first write, persistent page", touch_cost(TWZ_OBJ_PERSIST, SEQUENCE), 700);
    figure("map 256 written pages, touch all, unmap", map_cost(), 3500);
    figure("wait/wake round trip, one call each way", wake_cost(), 1600);
    figure("wait/wake round trip, two calls each way", wake_apart_cost(), 2800);
    figure("yield", yield_cost(), 500);
    figure("spawn and join", spawn_cost(), 4000);
    figure("create and delete, volatile", create_cost(0), 7000);
    figure("create and delete, persistent", create_cost(TWZ_OBJ_PERSIST), 12000);
    figure("copy-on-write, each page", cow_cost(), 550);
    figure("gate call and return", gate_cost(), 1500);
    figure("seal one page", seal_cost(1), 400000);
    figure("seal 256 pages", seal_cost(256), 24000000);
    figure_sealed_faults();
}
