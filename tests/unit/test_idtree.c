/* SPDX-License-Identifier: MIT */
/* The kernel's search tree of object IDs, against an array that says which IDs are in it. */
#include <lib/idtree.h>

#include <stdbool.h>

#include "units.h"

#define ITEMS 512u
#define STEPS 40000u

struct item {
    struct id_node node;
    bool in;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* IDs of item i: random ones, ones that share their first 119 bits, and ones that differ in their
 * high half only. */
static objid_t id_of(unsigned kind, unsigned i)
{
    uint64_t state = i + 1;

    if (kind == 0)
        return (objid_t){ next_random(&state), next_random(&state) };
    if (kind == 1)
        return (objid_t){ 7, (uint64_t)i << 55 };
    return (objid_t){ 0, i };
}

static void check_all(const struct id_tree *tree, const struct item *item)
{
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert_ptr_eq(id_tree_find(tree, item[i].node.id),
                         item[i].in ? (void *)(uintptr_t)&item[i].node : NULL);
}

static void change(struct id_tree *tree, struct item *item)
{
    if (item->in) {
        id_tree_remove(tree, &item->node);
    } else {
        struct id_node other = { .id = item->node.id };

        ck_assert_ptr_null(id_tree_add(tree, &item->node));
        ck_assert_ptr_eq(id_tree_add(tree, &other), &item->node);
    }
    item->in = !item->in;
}

START_TEST(test_adds_and_removes)
{
    static struct item item[ITEMS];
    struct id_tree tree = { NULL };
    uint64_t state = 88172645463325252ull;

    for (unsigned i = 0; i < ITEMS; i++)
        item[i] = (struct item){ .node.id = id_of((unsigned)_i, i) };
    check_all(&tree, item);
    for (unsigned step = 0; step < STEPS; step++) {
        change(&tree, &item[next_random(&state) % ITEMS]);
        if (step % 512 == 0)
            check_all(&tree, item);
    }
    check_all(&tree, item);
    for (unsigned i = 0; i < ITEMS; i++)
        if (item[i].in)
            change(&tree, &item[i]);
    ck_assert_ptr_null(tree.root);
}
END_TEST

/* Another node takes the place of each, whatever is below it. */
START_TEST(test_replace)
{
    static struct item first[ITEMS], second[ITEMS];
    struct id_tree tree = { NULL };

    for (unsigned i = 0; i < ITEMS; i++) {
        first[i] = (struct item){ .node.id = id_of((unsigned)_i, i) };
        second[i] = (struct item){ .node.id = first[i].node.id, .in = true };
        change(&tree, &first[i]);
    }
    for (unsigned i = 0; i < ITEMS; i++)
        id_tree_replace(&tree, &first[i].node, &second[i].node);
    check_all(&tree, second);
}
END_TEST

int main(void)
{
    SRunner *runner = units_runner("idtree", NULL, 0);

    units_loop(runner, test_adds_and_removes, 3);
    units_loop(runner, test_replace, 3);
    return units_finish(runner);
}
