/* SPDX-License-Identifier: MIT */
#include <lib/heap.h>
#include <stddef.h>

/* The heap of both: the lesser key above the other. Either may be NULL. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    struct heap_node *other;

    if (!a)
        return b;
    if (!b)
        return a;
    if (b->key < a->key) {
        other = a;
        a = b;
        b = other;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    a->next = NULL;
    a->prev = NULL;
    return a;
}

/* The usual two passes: pairs from the left, then all into one from the right. */
static struct heap_node *meld_siblings(struct heap_node *first)
{
    struct heap_node *pairs = NULL, *all = NULL, *rest, *pair;

    while (first) {
        struct heap_node *second = first->next;

        rest = second ? second->next : NULL;
        first->next = NULL;
        if (second)
            second->next = NULL;
        pair = meld(first, second);
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    while (pairs) {
        rest = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = rest;
    }
    if (all)
        all->prev = NULL;
    return all;
}

static void clear_links(struct heap_node *node)
{
    node->child = NULL;
    node->next = NULL;
    node->prev = NULL;
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
    clear_links(node);
    heap->top = meld(heap->top, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *below = meld_siblings(node->child);

    if (node == heap->top) {
        heap->top = below;
    } else {
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next)
            node->next->prev = node->prev;
        heap->top = meld(heap->top, below);
    }
    clear_links(node);
}
