/* SPDX-License-Identifier: MIT */
/* The parts of libtwix that need no system: the page allocator, and text. */
#include <stdlib.h>
#include <string.h>

#include "../../tests/unit/units.h"
#include "../src/base/arena.h"
#include "../src/base/text.h"

static struct arena a;

START_TEST(takes_in_order)
{
    uint32_t first, second;

    arena_init(&a);
    first = arena_alloc(&a, 1);
    second = arena_alloc(&a, 100);
    assert_same(first, ARENA_FIRST);
    assert_same(second, first + 1);
    assert_same(a.free, ARENA_END - ARENA_FIRST - 101);
    arena_free(&a, second, 100);
    assert_same(arena_alloc(&a, 50), second);
    assert_same(arena_alloc(&a, 0), 0);
    assert_same(arena_alloc(&a, ARENA_END), 0);
}
END_TEST

START_TEST(takes_the_whole_and_no_more)
{
    arena_init(&a);
    assert_same(arena_alloc(&a, ARENA_END - ARENA_FIRST), ARENA_FIRST);
    assert_same(a.free, 0);
    assert_same(arena_alloc(&a, 1), 0);
    arena_free(&a, ARENA_END - 1, 1);
    assert_same(arena_alloc(&a, 2), 0);
    assert_same(arena_alloc(&a, 1), ARENA_END - 1);
    assert_same(arena_alloc(&a, 1), 0);
}
END_TEST

START_TEST(takes_at_a_place)
{
    arena_init(&a);
    assert_same(arena_alloc_at(&a, 1000, 64), 1);
    assert_same(arena_alloc_at(&a, 1063, 1), 0);
    assert_same(arena_alloc_at(&a, 1064, 1), 1);
    assert_same(arena_alloc_at(&a, 0, 1), 0);
    assert_same(arena_alloc_at(&a, ARENA_END - 1, 2), 0);
    assert_same(arena_has_range(ARENA_END, 1), 0);
    assert_same(arena_has_range(ARENA_FIRST, ARENA_END - ARENA_FIRST), 1);
    assert_same(arena_has_range(2, UINT32_MAX), 0);
    arena_free(&a, 1000, 65);
    arena_free(&a, 1000, 65);
    assert_same(a.free, ARENA_END - ARENA_FIRST);
}
END_TEST

/* Against a plain map of bytes: nothing is handed out twice, nothing is lost. */
START_TEST(agrees_with_a_plain_map)
{
    static uint8_t map[ARENA_END];
    enum { RUNS = 300 };
    struct {
        uint32_t page, count;
    } run[RUNS] = { { 0, 0 } };
    uint32_t used = 0;

    srand(7);
    arena_init(&a);
    for (int round = 0; round < 20000; round++) {
        int i = rand() % RUNS;

        if (run[i].page) {
            arena_free(&a, run[i].page, run[i].count);
            memset(map + run[i].page, 0, run[i].count);
            used -= run[i].count;
            run[i].page = 0;
            continue;
        }
        run[i].count = (uint32_t)(rand() % (round % 20 ? 200 : 20000)) + 1;
        run[i].page = arena_alloc(&a, run[i].count);
        if (!run[i].page)
            continue;
        for (uint32_t p = run[i].page; p < run[i].page + run[i].count; p++) {
            int once = p < ARENA_END && map[p]++ == 0;

            ck_assert(once);
            if (!once)
                return;
        }
        used += run[i].count;
    }
    assert_same(a.free, ARENA_END - ARENA_FIRST - used);
}
END_TEST

START_TEST(writes_text)
{
    char buf[24];
    struct text t;

    text_init(&t, buf, sizeof(buf));
    text_str(&t, "n ");
    text_dec(&t, -9223372036854775807ll - 1);
    ck_assert(!strcmp(buf, "n -9223372036854775808"));
    text_str(&t, "cut off");
    ck_assert(!strcmp(buf, "n -9223372036854775808c"));
    assert_same(t.len, 23);
    text_init(&t, buf, sizeof(buf));
    text_hex(&t, 0xdeadbeef);
    text_str(&t, " ");
    text_oct(&t, 0644);
    text_oct(&t, 0);
    text_bytes(&t, "xyz", 2);
    ck_assert(!strcmp(buf, "0xdeadbeef 06440xy"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        takes_in_order, takes_the_whole_and_no_more, takes_at_a_place, agrees_with_a_plain_map,
        writes_text,
    };

    return units_run("libtwix", tests, sizeof(tests) / sizeof(tests[0]));
}
