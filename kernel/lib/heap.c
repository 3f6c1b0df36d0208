/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 *   - No node has a lesser key than the one above it.
 *   - The rank of a left child is not less than that of its right sibling. So a node of rank r has
 *     2^r - 1 nodes below and including it at least, and a path along `right` is logarithmic.
 *
 * After a removal, ranks are corrected upwards until one stays as it was. A rank that falls becomes
 * that of the node below plus one, and a rank that rises was that. So the ranks on this path
 * increase at each step, and the path is logarithmic too.
 */
#include <lib/heap.h>
#include <stdbool.h>
#include <stddef.h>

static uint32_t rank_of(const struct heap_node *node)
{
    return node ? node->rank : 0;
}

/* Puts the children of a node in order, and sets its rank. Returns true if the rank has changed. */
static bool update_rank(struct heap_node *node)
{
    struct heap_node *left = node->left;
    uint32_t before = node->rank;

    if (rank_of(left) < rank_of(node->right)) {
        node->left = node->right;
        node->right = left;
    }
    node->rank = rank_of(node->right) + 1;
    return node->rank != before;
}

/* The heap of both. Either may be NULL. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    struct heap_node *top, **at = &top, *up = NULL;

    while (a && b) {
        struct heap_node *least = b->key < a->key ? b : a;

        if (least == b)
            b = a;
        *at = least;
        least->up = up;
        up = least;
        at = &least->right;
        a = least->right;
    }
    *at = a ? a : b;
    if (*at)
        (*at)->up = up;
    for (; up; up = up->up)
        (void)update_rank(up);
    return top;
}

static void clear_links(struct heap_node *node)
{
    node->left = NULL;
    node->right = NULL;
    node->up = NULL;
    node->rank = 1;
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
    clear_links(node);
    heap->top = meld(heap->top, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *below = meld(node->left, node->right);
    struct heap_node *up = node->up;

    if (below)
        below->up = up;
    if (!up)
        heap->top = below;
    else if (up->left == node)
        up->left = below;
    else
        up->right = below;
    while (up && update_rank(up))
        up = up->up;
    clear_links(node);
}
