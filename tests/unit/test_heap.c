/* SPDX-License-Identifier: MIT */
/* The heap of the kernel's timers, against a sorted array. */
#include <stdbool.h>

#include <lib/heap.h>

#include "units.h"

#define NODES 200u
#define STEPS 20000u

static struct heap_node node[NODES];
static bool queued[NODES];

/* Fixed numbers, so that a failure comes again. */
static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 33);
}

static const struct heap_node *least_queued(void)
{
    const struct heap_node *least = NULL;

    for (size_t i = 0; i < NODES; i++)
        if (queued[i] && (!least || node[i].key < least->key))
            least = &node[i];
    return least;
}

START_TEST(test_zeroed_heap_is_empty)
{
    static struct heap heap;

    ck_assert_ptr_null(heap.top);
    heap_insert(&heap, &node[0]);
    ck_assert_ptr_eq(heap.top, &node[0]);
    heap_remove(&heap, &node[0]);
    ck_assert_ptr_null(heap.top);
}
END_TEST

START_TEST(test_top_is_the_least)
{
    static struct heap heap;
    uint64_t state = 1;

    for (size_t step = 0; step < STEPS; step++) {
        size_t i = next_random(&state) % NODES;
        const struct heap_node *least;

        if (queued[i]) {
            heap_remove(&heap, &node[i]);
        } else {
            node[i].key = next_random(&state) % 1000;
            heap_insert(&heap, &node[i]);
        }
        queued[i] = !queued[i];
        least = least_queued();
        ck_assert(!heap.top == !least);
        if (least)
            assert_same(heap.top->key, least->key);
    }
}
END_TEST

START_TEST(test_pops_in_order)
{
    static struct heap heap;
    uint64_t state = 2, last = 0;
    size_t count = 0;

    for (size_t i = 0; i < NODES; i++) {
        node[i].key = next_random(&state) % 1000;
        heap_insert(&heap, &node[i]);
    }
    while (heap.top) {
        ck_assert(heap.top->key >= last);
        last = heap.top->key;
        heap_remove(&heap, heap.top);
        count++;
    }
    assert_same(count, NODES);
}
END_TEST

/* The length of the path along `right`, which bounds every operation. */
static size_t path_length(const struct heap_node *at)
{
    size_t length = 0;

    for (; at; at = at->right)
        length++;
    return length;
}

static void check_paths(void)
{
    for (size_t i = 0; i < NODES; i++) {
        if (!queued[i])
            continue;
        ck_assert(path_length(&node[i]) <= 7); /* 2^8 - 1 nodes or more have a longer one */
        ck_assert(path_length(node[i].left) >= path_length(node[i].right));
    }
}

/* Keys that rise or fall, and removals at random, leave no long path. */
START_TEST(test_paths_stay_short)
{
    static struct heap heap;
    uint64_t state = 3;

    for (size_t i = 0; i < NODES; i++) {
        node[i].key = i % 2 == 0 ? i : 2 * NODES - i;
        heap_insert(&heap, &node[i]);
        queued[i] = true;
        check_paths();
    }
    for (size_t left = NODES; left > 0;) {
        size_t i = next_random(&state) % NODES;

        if (!queued[i])
            continue;
        heap_remove(&heap, &node[i]);
        queued[i] = false;
        left--;
        check_paths();
    }
    ck_assert_ptr_null(heap.top);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_zeroed_heap_is_empty, test_top_is_the_least,
                                   test_pops_in_order, test_paths_stay_short };

    return units_run("heap", tests, sizeof(tests) / sizeof(tests[0]));
}
