/* SPDX-License-Identifier: MIT */
/*
 * Owns spaces and mappings: which subtree hangs in which slot of which root, with what rights.
 *
 * Invariants
 *   - A mapping is in its subtree's list and in its space's slot, or in neither. It holds a
 *     reference on the subtree, and arch's slot entry shows exactly its rights.
 *   - Rights taken away are gone on every core before the function returns (shootdown inside).
 *   - No space has both WRITE and EXEC on one subtree, in whichever slots.
 *   - What was read of a view entry before addrspace_unmap_range is not hung after it: the range
 *     raises space->changes first, and hanging compares it, both under the space's lock.
 *
 * Locks: subtree->lock -> space->lock. The space's lock alone guards its slot table, so a look-up
 * takes only that one.
 */
#include <kernel/kmem.h>
#include <kernel/addrspace.h>
#include <kernel/upcall.h>
#include <twz/object.h>

#define LOOKS 64u /* mappings looked at in one go */

void subtree_put(struct subtree *tree)
{
    uint32_t refs = atomic_load_explicit(&tree->refs, memory_order_relaxed);

    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(&tree->refs, &refs, refs - 1,
                                                  memory_order_release, memory_order_relaxed))
            return;
    upcall.release_subtree(tree);
}

struct addrspace *addrspace_create(void *owner, objid_t sctx)
{
    struct addrspace *addrspace = kmem_alloc(sizeof(*addrspace));

    if (!addrspace)
        return NULL;
    if (arch_root_init(&addrspace->root) < 0) {
        kmem_free(addrspace, sizeof(*addrspace));
        return NULL;
    }
    addrspace->refs = 1;
    addrspace->owner = owner;
    addrspace->sctx = sctx;
    return addrspace;
}

static struct mapping *slot_get(const struct addrspace *addrspace, uint32_t slot)
{
    struct mapping **leaf = addrspace->leaf[slot / ADDRSPACE_LEAF];

    return leaf ? leaf[slot % ADDRSPACE_LEAF] : NULL;
}

static int slot_set(struct addrspace *addrspace, uint32_t slot, struct mapping *h)
{
    struct mapping ***leaf = &addrspace->leaf[slot / ADDRSPACE_LEAF];

    if (!*leaf)
        *leaf = kmem_alloc(ADDRSPACE_LEAF * sizeof(**leaf));
    if (!*leaf)
        return -TWZ_ENOMEM;
    (*leaf)[slot % ADDRSPACE_LEAF] = h;
    return 0;
}

struct subtree *addrspace_slot(struct addrspace *addrspace, uint32_t slot, unsigned *rights)
{
    struct subtree *tree = NULL;
    struct mapping *h;

    spin_lock(&addrspace->lock);
    h = slot_get(addrspace, slot);
    if (h) {
        tree = h->tree;
        *rights = h->rights;
        subtree_get(tree);
    }
    spin_unlock(&addrspace->lock);
    return tree;
}

static void count_rights(struct subtree *tree, unsigned rights, uint32_t by)
{
    if ((rights & TWZ_WRITE) != 0)
        tree->nwrite += by;
    if ((rights & TWZ_EXEC) != 0)
        tree->nexec += by;
}

/* True: `rights` beside another mapping of this space would be both W and X. */
static bool mixes(const struct subtree *tree, const struct addrspace *addrspace, uint32_t slot,
                  unsigned rights)
{
    unsigned other = 0;
    const struct list_node *node;

    if ((rights & TWZ_WRITE) != 0 && tree->nexec > 0)
        other = TWZ_EXEC;
    if ((rights & TWZ_EXEC) != 0 && tree->nwrite > 0)
        other = TWZ_WRITE;
    if (other == 0)
        return false;
    for (node = tree->mappings.first; node; node = node->next) {
        const struct mapping *h = LIST_ITEM(node, struct mapping, link);

        if (h->addrspace == addrspace && h->slot != slot && (h->rights & other) != 0)
            return true;
    }
    return false;
}

static void link_mapping(struct subtree *tree, struct mapping *h)
{
    list_add_last(&tree->mappings, &h->link);
    tree->nmappings++;
    count_rights(tree, h->rights, 1);
    subtree_get(tree);
}

static int hang_new(struct addrspace *addrspace, uint32_t slot, struct subtree *tree,
                    unsigned rights)
{
    struct mapping *h = kmem_alloc(sizeof(*h));
    int err = h ? slot_set(addrspace, slot, h) : -TWZ_ENOMEM;

    if (err == 0) {
        err = arch_root_map(&addrspace->root, slot, &tree->pt, rights);
        if (err < 0)
            slot_set(addrspace, slot, NULL);
    }
    if (err < 0) {
        kmem_free(h, sizeof(*h));
        return err;
    }
    h->addrspace = addrspace;
    h->tree = tree;
    h->slot = slot;
    h->rights = rights;
    link_mapping(tree, h);
    addrspace->hung++;
    return 0;
}

static int hang_again(struct addrspace *addrspace, struct mapping *h, unsigned rights)
{
    int err;

    if (h->rights == rights)
        return 0;
    if ((h->rights & ~rights) != 0) { /* gone everywhere before there is anything new */
        arch_root_unmap(&addrspace->root, h->slot);
        arch_shootdown(&addrspace->root, h->slot, 0, 0);
    }
    err = arch_root_map(&addrspace->root, h->slot, &h->tree->pt, rights);
    if (err < 0)
        return err;
    count_rights(h->tree, h->rights, UINT32_MAX);
    count_rights(h->tree, rights, 1);
    h->rights = rights;
    return 0;
}

int addrspace_map_locked(struct addrspace *addrspace, uint32_t slot, struct subtree *tree,
                         unsigned rights, uint64_t seen)
{
    struct mapping *h;
    int err;

    if ((rights & (TWZ_WRITE | TWZ_EXEC)) == (TWZ_WRITE | TWZ_EXEC) ||
        mixes(tree, addrspace, slot, rights))
        return -TWZ_EDENIED;
    if (phys_is_none(tree->pt.top)) {
        err = arch_ptree_init(&tree->pt);
        if (err < 0)
            return err;
    }
    spin_lock(&addrspace->lock);
    h = slot_get(addrspace, slot);
    if (addrspace_changes(addrspace) != seen)
        err = -TWZ_EAGAIN;
    else if (!h)
        err = hang_new(addrspace, slot, tree, rights);
    else
        err = h->tree == tree ? hang_again(addrspace, h, rights) : -TWZ_EBUSY;
    spin_unlock(&addrspace->lock);
    return err;
}

/* Subtree's lock held. Out of list, slot and root, gone from every core; the caller frees it and
 * drops its reference when it holds no lock. */
static void take_down(struct mapping *h)
{
    struct addrspace *addrspace = h->addrspace;
    struct subtree *tree = h->tree;

    spin_lock(&addrspace->lock);
    addrspace->leaf[h->slot / ADDRSPACE_LEAF][h->slot % ADDRSPACE_LEAF] = NULL;
    addrspace->hung--;
    arch_root_unmap(&addrspace->root, h->slot);
    arch_shootdown(&addrspace->root, h->slot, 0, 0);
    spin_unlock(&addrspace->lock);
    list_remove(&tree->mappings, &h->link);
    tree->nmappings--;
    count_rights(tree, h->rights, UINT32_MAX);
}

bool addrspace_unmap(struct addrspace *addrspace, uint32_t slot)
{
    unsigned rights;
    struct subtree *tree = addrspace_slot(addrspace, slot, &rights);
    struct mapping *h;

    if (!tree)
        return false;
    spin_lock(&tree->lock);
    spin_lock(&addrspace->lock);
    h = slot_get(addrspace, slot);
    if (h && h->tree != tree)
        h = NULL; /* another's, who may free it once the space's lock is open */
    spin_unlock(&addrspace->lock);
    if (h)
        take_down(h);
    spin_unlock(&tree->lock);
    if (h) {
        kmem_free(h, sizeof(*h));
        subtree_put(tree);
    }
    subtree_put(tree);
    return h != NULL;
}

/* The first slot from `slot` on, within its leaf, that something hangs in; or the leaf's end. */
static uint32_t next_in_leaf(const struct addrspace *addrspace, uint32_t slot)
{
    struct mapping **leaf =
        __atomic_load_n(&addrspace->leaf[slot / ADDRSPACE_LEAF], __ATOMIC_ACQUIRE);
    uint32_t end = (slot / ADDRSPACE_LEAF + 1) * ADDRSPACE_LEAF;

    if (!leaf)
        return end;
    while (slot < end && !__atomic_load_n(&leaf[slot % ADDRSPACE_LEAF], __ATOMIC_RELAXED))
        slot++;
    return slot;
}

void addrspace_unmap_range(struct addrspace *addrspace, uint32_t first, uint32_t count)
{
    uint32_t slot = first;

    spin_lock(&addrspace->lock);
    __atomic_fetch_add(&addrspace->changes, 1, __ATOMIC_RELEASE);
    spin_unlock(&addrspace->lock);
    while (slot - first < count) {
        uint32_t at = next_in_leaf(addrspace, slot);
        bool end = at % ADDRSPACE_LEAF == 0 && at != slot;

        if (!end && at - first < count)
            addrspace_unmap(addrspace, at);
        slot = end ? at : at + 1;
        arch_preemption_point();
    }
}

void addrspace_destroy(struct addrspace *addrspace)
{
    uint32_t leaf;
    unsigned i;

    for (i = 0; i < ARRAY_LEN(addrspace->root.loaded); i++)
        while (__atomic_load_n(&addrspace->root.loaded[i], __ATOMIC_ACQUIRE) != 0)
            arch_pause();
    for (leaf = 0; leaf < ADDRSPACE_LEAVES; leaf++) {
        if (!addrspace->leaf[leaf])
            continue;
        addrspace_unmap_range(addrspace, leaf * ADDRSPACE_LEAF, ADDRSPACE_LEAF);
        kmem_free(addrspace->leaf[leaf], ADDRSPACE_LEAF * sizeof(*addrspace->leaf[leaf]));
    }
    /* Who took the last mapping down has the lock until he is done with the space. */
    spin_lock(&addrspace->lock);
    spin_unlock(&addrspace->lock);
    arch_root_destroy(&addrspace->root);
    kmem_free(addrspace, sizeof(*addrspace));
}

/* Something hangs with more rights than `keep`. */
static bool exceeds(const struct subtree *tree, unsigned keep)
{
    if ((keep & TWZ_READ) == 0)
        return tree->nmappings > 0;
    return ((keep & TWZ_WRITE) == 0 && tree->nwrite > 0) ||
           ((keep & TWZ_EXEC) == 0 && tree->nexec > 0);
}

/* The first of a few that exceeds `keep`, taken down; those before it go behind the others, so that
 * nobody looks at them again and again. */
static struct mapping *take_one_down(struct subtree *tree, unsigned keep)
{
    unsigned i;

    for (i = 0; i < LOOKS; i++) {
        struct mapping *h = LIST_FIRST(&tree->mappings, struct mapping, link);

        if ((h->rights & ~keep) != 0) {
            take_down(h);
            return h;
        }
        list_remove(&tree->mappings, &h->link);
        list_add_last(&tree->mappings, &h->link);
    }
    return NULL;
}

void subtree_unmap_all(struct subtree *tree, unsigned keep)
{
    bool more;

    do {
        struct mapping *h = NULL;

        spin_lock(&tree->lock);
        more = exceeds(tree, keep);
        if (more)
            h = take_one_down(tree, keep);
        spin_unlock(&tree->lock);
        if (h) {
            kmem_free(h, sizeof(*h));
            subtree_put(tree);
        }
        arch_preemption_point();
    } while (more);
}

void subtree_shoot_locked(struct subtree *tree, uint32_t page, uint32_t count)
{
    const struct list_node *node;

    for (node = tree->mappings.first; node; node = node->next) {
        const struct mapping *h = LIST_ITEM(node, struct mapping, link);

        arch_shootdown(&h->addrspace->root, h->slot, page, count);
    }
}
