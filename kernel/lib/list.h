/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked lists of structs that carry their own links; pure. A list that is all zero is empty
 * and needs no other preparation. A node is in one list at most; the caller serialises all access
 * to a list and its nodes.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include <lib/container.h>
#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next; /* NULL: the last */
    struct list_node *prev; /* NULL: the first */
};

struct list {
    struct list_node *first; /* NULL: empty */
    struct list_node *last;
};

/* The struct that `node`, not NULL, is the member of. */
#define LIST_ITEM(node, type, member) CONTAINER_OF(node, type, member)

/* The struct of the first node, or NULL. */
#define LIST_FIRST(list, type, member) \
    ((list)->first ? LIST_ITEM((list)->first, type, member) : NULL)

static inline bool list_is_empty(const struct list *list)
{
    return !list->first;
}

static inline void list_add_last(struct list *list, struct list_node *node)
{
    node->next = NULL;
    node->prev = list->last;
    if (node->prev)
        node->prev->next = node;
    else
        list->first = node;
    list->last = node;
}

static inline void list_add_first(struct list *list, struct list_node *node)
{
    node->prev = NULL;
    node->next = list->first;
    if (node->next)
        node->next->prev = node;
    else
        list->last = node;
    list->first = node;
}

/* Adds node behind `before`, which must be in this list. */
static inline void list_add_after(struct list *list, struct list_node *before,
                                  struct list_node *node)
{
    node->next = before->next;
    node->prev = before;
    if (node->next)
        node->next->prev = node;
    else
        list->last = node;
    before->next = node;
}

/* node must be in this list. Its links keep their old values. */
static inline void list_remove(struct list *list, struct list_node *node)
{
    if (node->prev)
        node->prev->next = node->next;
    else
        list->first = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        list->last = node->prev;
}

#endif
