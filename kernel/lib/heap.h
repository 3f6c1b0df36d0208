/* SPDX-License-Identifier: MIT */
/*
 * A leftist heap of structs that carry their own links; pure, and no call allocates. A heap that is
 * all zero is empty. Insertion, and removal of any node, are logarithmic in the worst case. The
 * caller serialises all access to a heap and its nodes.
 */
#ifndef LIB_HEAP_H
#define LIB_HEAP_H

#include <stdint.h>

struct heap_node {
    uint64_t key; /* set by the caller before heap_insert, constant while in the heap */
    struct heap_node *left;
    struct heap_node *right;
    struct heap_node *up; /* NULL: the top */
    uint32_t rank;        /* nodes on the path along `right`, this one included */
};

struct heap {
    struct heap_node *top; /* the least key; NULL: empty */
};

void heap_insert(struct heap *heap, struct heap_node *node);

/* node must be in this heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

#endif
