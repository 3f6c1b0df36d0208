/* SPDX-License-Identifier: MIT */
/*
 * Owns address spaces: which slot of which root maps which subtree, with what rights.
 *
 * Invariants
 *   - A mapping is in its subtree's list and in its address space's slot, or in neither. It holds a
 *     reference on the subtree, and the slot entry of the root shows exactly its rights.
 *   - Rights that are revoked are gone on every core before the function returns.
 *   - No address space has both WRITE and EXEC on one subtree, whatever the slots.
 *   - A view entry that was read before addrspace_unmap_some is not mapped after it: the range
 *     raises addrspace->changes first, and a mapping is added only if `changes` is still the value
 *     from before the entry was read. Both happen under the address space's lock.
 *
 * Locks: subtree->lock -> addrspace->lock. The address space's lock alone guards its slot table, so
 * a look-up takes only that one.
 */
#include <kernel/account.h>
#include <kernel/addrspace.h>
#include <kernel/kmem.h>
#include <twz/object.h>

#define SCAN_BATCH 64u /* mappings looked at with a subtree's lock held */

/* Estimated instructions: of a slot that is unmapped, of an empty slot or a mapping that stays, of
 * a leaf. */
#define UNMAP_COST 1000u
#define EMPTY_COST 8u
#define LEAF_COST  20u

#define LEAF_BYTES (ADDRSPACE_LEAF * sizeof(struct mapping *))

/* The charge of a mapping: its own memory, and a share of the in-core object that it keeps, which
 * may be one that another account pays for. */
#define MAPPING_BYTES 1024u

/* Memory that an account pays for. */
static int alloc_for(struct account *payer, size_t size, uint64_t bytes, void **out)
{
    int err = account_charge(payer, TWZ_ACCOUNT_KERNEL, bytes);

    if (err < 0)
        return err;
    *out = kmem_alloc(size);
    if (*out)
        return 0;
    account_uncharge(payer, TWZ_ACCOUNT_KERNEL, bytes);
    return -TWZ_ENOMEM;
}

static void free_for(struct account *payer, void *p, size_t size, uint64_t bytes)
{
    kmem_free(p, size);
    account_uncharge(payer, TWZ_ACCOUNT_KERNEL, bytes);
}

int addrspace_create(void *owner, struct context *context, struct account *payer,
                     struct addrspace **out)
{
    struct addrspace *addrspace;
    void *memory;
    int err = alloc_for(payer, sizeof(*addrspace), sizeof(*addrspace), &memory);

    if (err < 0)
        return err;
    addrspace = memory;
    addrspace->root.payer = payer;
    err = arch_root_init(&addrspace->root);
    if (err < 0) {
        free_for(payer, addrspace, sizeof(*addrspace), sizeof(*addrspace));
        return err;
    }
    addrspace->refs = 1;
    addrspace->owner = owner;
    addrspace->context = context;
    addrspace->payer = payer;
    *out = addrspace;
    return 0;
}

static struct mapping *slot_mapping(const struct addrspace *addrspace, uint32_t slot)
{
    struct mapping **leaf = addrspace->leaf[slot / ADDRSPACE_LEAF];

    return leaf ? leaf[slot % ADDRSPACE_LEAF] : NULL;
}

static int set_slot(struct addrspace *addrspace, uint32_t slot, struct mapping *m)
{
    struct mapping ***leaf = &addrspace->leaf[slot / ADDRSPACE_LEAF];
    void *memory;
    int err;

    if (!*leaf) {
        err = alloc_for(addrspace->payer, LEAF_BYTES, LEAF_BYTES, &memory);
        if (err < 0)
            return err;
        *leaf = memory;
    }
    (*leaf)[slot % ADDRSPACE_LEAF] = m;
    return 0;
}

struct subtree *addrspace_slot(struct addrspace *addrspace, uint32_t slot, unsigned *rights)
{
    struct subtree *tree = NULL;
    struct mapping *m;

    spin_lock(&addrspace->lock);
    m = slot_mapping(addrspace, slot);
    if (m) {
        tree = m->tree;
        *rights = m->rights & TWZ_PERMS;
        subtree_get(tree);
    }
    spin_unlock(&addrspace->lock);
    return tree;
}

/* Both locks must be held, and slot must map nothing. */
static int add_mapping(struct addrspace *addrspace, uint32_t slot, struct subtree *tree,
                       unsigned rights)
{
    struct mapping *m;
    void *memory;
    int err = alloc_for(addrspace->payer, sizeof(*m), MAPPING_BYTES, &memory);

    if (err < 0)
        return err;
    m = memory;
    err = set_slot(addrspace, slot, m);
    if (err == 0) {
        err = arch_root_map(&addrspace->root, slot, &tree->pt, rights);
        if (err < 0)
            set_slot(addrspace, slot, NULL);
    }
    if (err < 0) {
        free_for(addrspace->payer, m, sizeof(*m), MAPPING_BYTES);
        return err;
    }
    m->addrspace = addrspace;
    m->root = &addrspace->root;
    m->tree = tree;
    m->slot = slot;
    m->rights = rights;
    subtree_add_locked(tree, m);
    addrspace->nmapped++;
    return 0;
}

/* Both locks must be held. */
static int change_rights(struct addrspace *addrspace, struct mapping *m, unsigned rights)
{
    int err;

    if (m->rights == rights)
        return 0;
    if ((m->rights & ~rights & TWZ_PERMS) !=
        0) { /* the old entry, gone everywhere, before the new one */
        arch_root_unmap(&addrspace->root, m->slot);
        arch_shootdown(&addrspace->root, m->slot, 0, 0);
    }
    err = arch_root_map(&addrspace->root, m->slot, &m->tree->pt, rights);
    if (err == 0)
        subtree_set_rights_locked(m->tree, m, rights);
    return err;
}

int addrspace_map_locked(struct addrspace *addrspace, uint32_t slot, struct subtree *tree,
                         unsigned rights, uint64_t seen)
{
    struct mapping *m;
    int err;

    if ((rights & (TWZ_WRITE | TWZ_EXEC)) == (TWZ_WRITE | TWZ_EXEC) ||
        subtree_mixes_locked(tree, addrspace, slot, rights))
        return -TWZ_EDENIED;
    if (phys_is_none(tree->pt.top)) {
        err = arch_ptree_init(&tree->pt);
        if (err < 0)
            return err;
    }
    spin_lock(&addrspace->lock);
    m = slot_mapping(addrspace, slot);
    if (addrspace_changes(addrspace) != seen)
        err = -TWZ_EAGAIN;
    else if (!m)
        err = add_mapping(addrspace, slot, tree, rights);
    else
        err = m->tree == tree ? change_rights(addrspace, m, rights) : -TWZ_EBUSY;
    spin_unlock(&addrspace->lock);
    return err;
}

/* The subtree's lock must be held. Removes m from list, slot, root and every core. The caller must
 * free it and drop its reference when it holds no lock. */
static void remove_mapping(struct mapping *m)
{
    struct addrspace *addrspace = m->addrspace;

    spin_lock(&addrspace->lock);
    addrspace->leaf[m->slot / ADDRSPACE_LEAF][m->slot % ADDRSPACE_LEAF] = NULL;
    addrspace->nmapped--;
    account_uncharge(addrspace->payer, TWZ_ACCOUNT_KERNEL, MAPPING_BYTES);
    arch_root_unmap(&addrspace->root, m->slot);
    arch_shootdown(&addrspace->root, m->slot, 0, 0);
    spin_unlock(&addrspace->lock);
    subtree_remove_locked(m->tree, m);
}

bool addrspace_unmap(struct addrspace *addrspace, uint32_t slot)
{
    unsigned rights;
    struct subtree *tree = addrspace_slot(addrspace, slot, &rights);
    struct mapping *m;

    if (!tree)
        return false;
    spin_lock(&tree->lock);
    spin_lock(&addrspace->lock);
    m = slot_mapping(addrspace, slot);
    if (m && m->tree != tree)
        m = NULL; /* another subtree's by now; without its lock it may be freed at any time */
    spin_unlock(&addrspace->lock);
    if (m)
        remove_mapping(m);
    spin_unlock(&tree->lock);
    if (m) {
        kmem_free(m, sizeof(*m));
        subtree_put(tree);
    }
    subtree_put(tree);
    return m != NULL;
}

/* The first slot in use from `slot` on, within its leaf; or the leaf's end. */
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

bool addrspace_unmap_some(struct addrspace *addrspace, uint32_t *slot, uint32_t end,
                          uint32_t *budget)
{
    spin_lock(&addrspace->lock);
    __atomic_fetch_add(&addrspace->changes, 1, __ATOMIC_RELEASE);
    spin_unlock(&addrspace->lock);
    while (*slot < end && *budget != 0) {
        uint32_t at = next_in_leaf(addrspace, *slot);
        bool is_end = at % ADDRSPACE_LEAF == 0 && at != *slot;
        uint32_t cost = LEAF_COST + (at - *slot) * EMPTY_COST;

        if (!is_end && at < end && addrspace_unmap(addrspace, at))
            cost += UNMAP_COST;
        *slot = is_end ? at : at + 1;
        *budget -= cost < *budget ? cost : *budget;
    }
    return *slot < end;
}

static bool is_loaded(const struct addrspace *addrspace)
{
    for (unsigned i = 0; i < ARRAY_LEN(addrspace->root.loaded); i++)
        if (__atomic_load_n(&addrspace->root.loaded[i], __ATOMIC_ACQUIRE) != 0)
            return true;
    return false;
}

/* Unmaps the slots of some leaves, and frees these leaves. Returns true if leaves are left. */
static bool destroy_leaves(struct addrspace *addrspace)
{
    uint32_t budget = DEFERRED_STEP, leaf;

    for (leaf = addrspace->work_at / ADDRSPACE_LEAF; leaf < ADDRSPACE_LEAVES; leaf++) {
        if (!addrspace->leaf[leaf])
            continue;
        if (addrspace->work_at < leaf * ADDRSPACE_LEAF)
            addrspace->work_at = leaf * ADDRSPACE_LEAF;
        if (budget == 0 || addrspace_unmap_some(addrspace, &addrspace->work_at,
                                                (leaf + 1) * ADDRSPACE_LEAF, &budget))
            return true;
        free_for(addrspace->payer, addrspace->leaf[leaf], LEAF_BYTES, LEAF_BYTES);
        addrspace->leaf[leaf] = NULL;
    }
    return false;
}

bool addrspace_destroy_some(struct addrspace *addrspace)
{
    if (is_loaded(addrspace) || destroy_leaves(addrspace))
        return true;
    /* A core in remove_mapping holds the lock until its last access. */
    spin_lock(&addrspace->lock);
    spin_unlock(&addrspace->lock);
    if (arch_root_destroy_some(&addrspace->root))
        return true;
    free_for(addrspace->payer, addrspace, sizeof(*addrspace), sizeof(*addrspace));
    return false;
}

/* Subtree's lock held. Removes and returns the first of at most SCAN_BATCH mappings that must go,
 * or NULL. Those before it become the last, so that the next scan begins behind them. */
static struct mapping *remove_one_exceeding(struct subtree *tree, unsigned keep)
{
    for (unsigned i = 0; i < SCAN_BATCH; i++) {
        struct mapping *m = LIST_FIRST(&tree->mappings, struct mapping, link);

        if (!m)
            return NULL;
        tree->passed++;
        if (subtree_exceeds(m, keep)) {
            remove_mapping(m);
            return m;
        }
        list_remove(&tree->mappings, &m->link);
        list_add_last(&tree->mappings, &m->link);
    }
    return NULL;
}

/* Subtree's lock held. True: the walk has not passed every mapping that was there at its begin. New
 * ones are the last, and every walk takes from the front what it passes, so the order stays. */
static bool is_walk_open(const struct subtree *tree, struct unmap_walk *walk)
{
    if (!walk->begun)
        *walk = (struct unmap_walk){ true, tree->passed + tree->nmappings };
    return tree->nmappings > 0 && tree->passed < walk->end;
}

bool addrspace_unmap_excess(struct subtree *tree, unsigned keep, struct unmap_walk *walk,
                            uint32_t *budget)
{
    bool more = true;

    while (more && *budget > 0) {
        struct mapping *m = NULL;
        uint32_t cost = SCAN_BATCH * EMPTY_COST;

        spin_lock(&tree->lock);
        more = walk ? is_walk_open(tree, walk) : tree->nmappings > 0;
        if (more)
            m = remove_one_exceeding(tree, keep);
        spin_unlock(&tree->lock);
        if (m) {
            cost += UNMAP_COST;
            kmem_free(m, sizeof(*m));
            subtree_put(tree);
        }
        *budget -= cost < *budget ? cost : *budget;
    }
    return more;
}
