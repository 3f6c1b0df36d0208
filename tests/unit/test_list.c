/* SPDX-License-Identifier: MIT */
/* The intrusive list of the kernel: order and links after each call, against an array. */
#include <lib/list.h>

#include "units.h"

#define ITEMS 4u

struct item {
    int value;
    struct list_node link;
};

/* The list has exactly these values, forwards and backwards. */
static void check_values(const struct list *list, const int *values, size_t count)
{
    const struct list_node *node, *prev = NULL;
    size_t i = 0;

    for (node = list->first; node; node = node->next) {
        ck_assert(i < count);
        assert_same(LIST_ITEM(node, struct item, link)->value, values[i]);
        ck_assert_ptr_eq(node->prev, prev);
        prev = node;
        i++;
    }
    assert_same(i, count);
    ck_assert_ptr_eq(list->last, prev);
    ck_assert(list_is_empty(list) == (count == 0));
}

START_TEST(test_zeroed_list_is_empty)
{
    static struct list list;

    check_values(&list, NULL, 0);
    ck_assert_ptr_null(LIST_FIRST(&list, struct item, link));
}
END_TEST

START_TEST(test_add_keeps_order)
{
    struct item item[ITEMS] = { { .value = 0 }, { .value = 1 }, { .value = 2 }, { .value = 3 } };
    struct list list = { NULL, NULL };

    list_add_last(&list, &item[1].link);
    check_values(&list, (const int[]){ 1 }, 1);
    list_add_last(&list, &item[2].link);
    list_add_first(&list, &item[0].link);
    list_add_last(&list, &item[3].link);
    check_values(&list, (const int[]){ 0, 1, 2, 3 }, ITEMS);
    ck_assert_ptr_eq(LIST_FIRST(&list, struct item, link), &item[0]);
}
END_TEST

/* Item _i of four is removed and comes back as the last, then as the first. */
START_TEST(test_remove)
{
    struct item item[ITEMS] = { { .value = 0 }, { .value = 1 }, { .value = 2 }, { .value = 3 } };
    struct list list = { NULL, NULL };
    int rest[ITEMS], count = 0;

    for (int i = 0; i < (int)ITEMS; i++) {
        list_add_last(&list, &item[i].link);
        if (i != _i)
            rest[count++] = i;
    }
    list_remove(&list, &item[_i].link);
    check_values(&list, rest, ITEMS - 1);
    rest[ITEMS - 1] = _i;
    list_add_last(&list, &item[_i].link);
    check_values(&list, rest, ITEMS);
    list_remove(&list, &item[_i].link);
    for (int i = (int)ITEMS - 1; i > 0; i--)
        rest[i] = rest[i - 1];
    rest[0] = _i;
    list_add_first(&list, &item[_i].link);
    check_values(&list, rest, ITEMS);
}
END_TEST

START_TEST(test_remove_the_only_one)
{
    struct item item = { .value = 7 };
    struct list list = { NULL, NULL };

    list_add_first(&list, &item.link);
    list_remove(&list, &item.link);
    check_values(&list, NULL, 0);
    list_add_first(&list, &item.link);
    check_values(&list, (const int[]){ 7 }, 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_zeroed_list_is_empty, test_add_keeps_order,
                                   test_remove_the_only_one };
    SRunner *runner = units_runner("list", tests, sizeof(tests) / sizeof(tests[0]));

    units_loop(runner, test_remove, ITEMS);
    return units_finish(runner);
}
