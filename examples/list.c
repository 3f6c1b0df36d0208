/* SPDX-License-Identifier: MIT */
/*
 * A linked list across two objects, built in one boot and walked in the next, without files or
 * serialization. The nodes are C structs in persistent memory. A pointer from one object into the
 * other stays valid at any address.
 *
 *   list         put one node before the others, then walk
 *   list build   put ten
 *   list walk    only walk
 *
 * A node is complete and durable before the one word is stored that makes it part of the list. So
 * after a power failure the list has the whole node, or does not have it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/typed.h>

struct node {
    twz_ref(struct node) next;
    uint64_t value;
};

struct list {
    twz_ref(struct node) head;
};

static const struct list *open_list(const char *path)
{
    const struct list *l = twz_open(path, struct list, TWZ_CREATE);

    if (!l) {
        fprintf(stderr, "list: %s: %s\n", path, twz_error_text(twz_error_last()));
        exit(1);
    }
    return l;
}

/* The nodes alternate between two objects; the head of the list lies in the first. */
static void put_node(const struct list *l, const struct list *more)
{
    const struct node *first = twz_at_or_null(l->head);
    uint64_t value = first ? first->value + 1 : 1;
    struct node *n = twz_new(value % 2 ? l : more, struct node);

    if (!n) {
        fprintf(stderr, "list: %s\n", twz_error_text(twz_error_last()));
        exit(1);
    }
    n->value = value;
    if (twz_init(n->next, first) < 0)
        exit(1);
    twz_persist(n, sizeof(*n));
    if (twz_set(l->head, n) < 0)
        exit(1);
}

static void walk(const struct list *l)
{
    const struct node *n = twz_at_or_null(l->head);

    for (; n; n = twz_at_or_null(n->next))
        printf("%llu%s", (unsigned long long)n->value, twz_isnull(n->next) ? "" : " ");
    printf("\n");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    const struct list *l = open_list("/data/list");
    const struct list *more = open_list("/data/list.more");
    int nodes = strcmp(what, "walk") == 0 ? 0 : strcmp(what, "build") == 0 ? 10 : 1;

    while (nodes-- > 0)
        put_node(l, more);
    walk(l);
    return 0;
}
