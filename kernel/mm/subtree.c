/* SPDX-License-Identifier: MIT */
/*
 * Owns the references of a subtree, the list of its mappings and the counts of their rights.
 *
 * Locks: subtree->lock guards list and counts; the references need none.
 */
#include <kernel/subtree.h>
#include <kernel/upcall.h>
#include <twz/types.h>

void subtree_put(struct subtree *tree)
{
    uint32_t refs = atomic_load_explicit(&tree->refs, memory_order_relaxed);

    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(&tree->refs, &refs, refs - 1,
                                                  memory_order_release, memory_order_relaxed))
            return;
    upcall.release_subtree(tree);
}

static void count_rights(struct subtree *tree, unsigned rights, uint32_t by)
{
    if ((rights & TWZ_WRITE) != 0)
        tree->nwrite += by;
    if ((rights & TWZ_EXEC) != 0)
        tree->nexec += by;
}

void subtree_add_locked(struct subtree *tree, struct mapping *m)
{
    list_add_last(&tree->mappings, &m->link);
    tree->nmappings++;
    count_rights(tree, m->rights, 1);
    subtree_get(tree);
}

void subtree_remove_locked(struct subtree *tree, struct mapping *m)
{
    list_remove(&tree->mappings, &m->link);
    tree->nmappings--;
    count_rights(tree, m->rights, UINT32_MAX);
}

void subtree_set_rights_locked(struct subtree *tree, struct mapping *m, unsigned rights)
{
    count_rights(tree, m->rights, UINT32_MAX);
    count_rights(tree, rights, 1);
    m->rights = rights;
}

#define LOOK_MAX 2048u /* mappings that the look for WRITE and EXEC visits */

/* With more mappings than LOOK_MAX it answers yes without a proof, so that it stays short. */
bool subtree_mixes_locked(const struct subtree *tree, const struct addrspace *addrspace,
                          uint32_t slot, unsigned rights)
{
    unsigned other = 0;
    const struct list_node *node;

    if ((rights & TWZ_WRITE) != 0 && tree->nexec > 0)
        other = TWZ_EXEC;
    if ((rights & TWZ_EXEC) != 0 && tree->nwrite > 0)
        other = TWZ_WRITE;
    if (other == 0)
        return false;
    if (tree->nmappings > LOOK_MAX)
        return true;
    for (node = tree->mappings.first; node; node = node->next) {
        const struct mapping *m = LIST_ITEM(node, struct mapping, link);

        if (m->addrspace == addrspace && m->slot != slot && (m->rights & other) != 0)
            return true;
    }
    return false;
}

#define SHOOT_MAX 16u /* mappings that are shot down one by one */

void subtree_shoot_locked(struct subtree *tree, uint32_t page, uint32_t count)
{
    const struct list_node *node;

    if (tree->nmappings > SHOOT_MAX) {
        arch_shootdown_all();
        return;
    }
    for (node = tree->mappings.first; node; node = node->next) {
        const struct mapping *m = LIST_ITEM(node, struct mapping, link);

        arch_shootdown(m->root, m->slot, page, count);
    }
}
