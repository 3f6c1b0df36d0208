/* SPDX-License-Identifier: MIT */
/*
 * Digital search trees (Knuth, The Art of Computer Programming 3, 6.3) of structs that carry a node
 * with an object ID; pure. A tree that is all zero is empty. IDs are hashes, so a tree of n nodes
 * is some log2(n) deep; it is 128 deep at most, whatever the IDs. The caller serialises all access.
 */
#ifndef LIB_IDTREE_H
#define LIB_IDTREE_H

#include <lib/container.h>
#include <twz/types.h>

struct id_node {
    objid_t id;
    struct id_node *child[2];
};

struct id_tree {
    struct id_node *root; /* NULL: empty */
};

/* The struct that `node`, not NULL, is the member of. */
#define ID_TREE_ITEM(node, type, member) CONTAINER_OF(node, type, member)

/* The node with that ID, or NULL. */
struct id_node *id_tree_find(const struct id_tree *tree, objid_t id);

/* Adds a node whose id is set. Returns NULL, or the node that has the ID already; then the tree is
 * unchanged. */
struct id_node *id_tree_add(struct id_tree *tree, struct id_node *node);

/* Removes a node, which must be in the tree. */
void id_tree_remove(struct id_tree *tree, struct id_node *node);

/* Puts `node` in the place of `old`, which must be in the tree and have the same ID. */
void id_tree_replace(struct id_tree *tree, struct id_node *old, struct id_node *node);

#endif
