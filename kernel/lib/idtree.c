/* SPDX-License-Identifier: MIT */
#include "idtree.h"

#include <stddef.h>
#include <twz/objid.h>

/* The side on which a node `depth` below the root has the ID's node. */
static unsigned side_of(objid_t id, unsigned depth)
{
    return (unsigned)((depth < 64 ? id.lo >> depth : id.hi >> (depth - 64)) & 1);
}

/* The link to the node with that ID, or the empty link where it belongs. */
static struct id_node **find_link(struct id_node **link, objid_t id)
{
    for (unsigned depth = 0; *link && !objid_equal((*link)->id, id); depth++)
        link = &(*link)->child[side_of(id, depth)];
    return link;
}

struct id_node *id_tree_find(const struct id_tree *tree, objid_t id)
{
    struct id_node *node = tree->root;

    for (unsigned depth = 0; node && !objid_equal(node->id, id); depth++)
        node = node->child[side_of(id, depth)];
    return node;
}

struct id_node *id_tree_add(struct id_tree *tree, struct id_node *node)
{
    struct id_node **link = find_link(&tree->root, node->id);

    if (*link)
        return *link;
    node->child[0] = NULL;
    node->child[1] = NULL;
    *link = node;
    return NULL;
}

/* Removes and returns a leaf below *link, or the node of *link itself. */
static struct id_node *take_leaf(struct id_node **link)
{
    struct id_node *leaf;

    while ((*link)->child[0] || (*link)->child[1])
        link = &(*link)->child[(*link)->child[0] ? 0 : 1];
    leaf = *link;
    *link = NULL;
    return leaf;
}

void id_tree_remove(struct id_tree *tree, struct id_node *node)
{
    struct id_node **link = find_link(&tree->root, node->id);
    struct id_node *leaf = take_leaf(link);

    if (leaf == node)
        return;
    leaf->child[0] = node->child[0];
    leaf->child[1] = node->child[1];
    *link = leaf;
}

void id_tree_replace(struct id_tree *tree, struct id_node *old, struct id_node *node)
{
    struct id_node **link = find_link(&tree->root, old->id);

    node->child[0] = old->child[0];
    node->child[1] = old->child[1];
    *link = node;
}
