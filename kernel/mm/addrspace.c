/* SPDX-License-Identifier: MIT */
/*
 * Owns spaces and hangers: which subtree hangs in which slot of which root, with what rights.
 *
 * Invariants
 *   - A hanger is in its subtree's list and in its space's slot, or in neither. It holds a
 *     reference on the subtree, and arch's slot entry shows exactly its rights.
 *   - Rights taken away are gone on every core before the function returns (shootdown inside).
 *   - No space has both WRITE and EXEC on one subtree, in whichever slots.
 *   - What was read of a view entry before space_unhang_range is not hung after it: the range
 *     raises space->changes first, and hanging compares it, both under the space's lock.
 *
 * Locks: subtree->lock -> space->lock. The space's lock alone guards its slot table, so a look-up
 * takes only that one.
 */
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/space.h>
#include <twz/object.h>

#define LOOKS 64u /* hangers looked at in one go */

void (*subtree_release)(struct subtree *tree);

void subtree_put(struct subtree *tree)
{
    uint32_t refs = atomic_load_explicit(&tree->refs, memory_order_relaxed);

    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(&tree->refs, &refs, refs - 1,
                                                  memory_order_release, memory_order_relaxed))
            return;
    subtree_release(tree);
}

struct space *space_create(void *owner, objid_t sctx)
{
    struct space *space = kmem_alloc(sizeof(*space));

    if (!space)
        return NULL;
    if (arch_root_init(&space->root) < 0) {
        kmem_free(space, sizeof(*space));
        return NULL;
    }
    space->refs = 1;
    space->owner = owner;
    space->sctx = sctx;
    return space;
}

static struct hanger *slot_get(const struct space *space, uint32_t slot)
{
    struct hanger **leaf = space->leaf[slot / SPACE_LEAF];

    return leaf ? leaf[slot % SPACE_LEAF] : NULL;
}

static int slot_set(struct space *space, uint32_t slot, struct hanger *h)
{
    struct hanger ***leaf = &space->leaf[slot / SPACE_LEAF];

    if (!*leaf)
        *leaf = kmem_alloc(SPACE_LEAF * sizeof(**leaf));
    if (!*leaf)
        return -TWZ_ENOMEM;
    (*leaf)[slot % SPACE_LEAF] = h;
    return 0;
}

struct subtree *space_slot(struct space *space, uint32_t slot, unsigned *rights)
{
    struct subtree *tree = NULL;
    struct hanger *h;

    spin_lock(&space->lock);
    h = slot_get(space, slot);
    if (h) {
        tree = h->tree;
        *rights = h->rights;
        subtree_get(tree);
    }
    spin_unlock(&space->lock);
    return tree;
}

static void count_rights(struct subtree *tree, unsigned rights, uint32_t by)
{
    if ((rights & TWZ_WRITE) != 0)
        tree->nwrite += by;
    if ((rights & TWZ_EXEC) != 0)
        tree->nexec += by;
}

/* True: `rights` beside another hanger of this space would be both W and X. */
static bool mixes(const struct subtree *tree, const struct space *space, uint32_t slot,
                  unsigned rights)
{
    unsigned other = 0;
    const struct hanger *h;

    if ((rights & TWZ_WRITE) != 0 && tree->nexec > 0)
        other = TWZ_EXEC;
    if ((rights & TWZ_EXEC) != 0 && tree->nwrite > 0)
        other = TWZ_WRITE;
    if (other == 0)
        return false;
    for (h = tree->hangers; h; h = h->next)
        if (h->space == space && h->slot != slot && (h->rights & other) != 0)
            return true;
    return false;
}

static void list_add_last(struct subtree *tree, struct hanger *h)
{
    h->next = NULL;
    h->prev = tree->hangers_last;
    if (h->prev)
        h->prev->next = h;
    else
        tree->hangers = h;
    tree->hangers_last = h;
}

static void list_remove(struct subtree *tree, struct hanger *h)
{
    if (h->prev)
        h->prev->next = h->next;
    else
        tree->hangers = h->next;
    if (h->next)
        h->next->prev = h->prev;
    else
        tree->hangers_last = h->prev;
}

static void link_hanger(struct subtree *tree, struct hanger *h)
{
    list_add_last(tree, h);
    tree->nhangers++;
    count_rights(tree, h->rights, 1);
    subtree_get(tree);
}

static int hang_new(struct space *space, uint32_t slot, struct subtree *tree, unsigned rights)
{
    struct hanger *h = kmem_alloc(sizeof(*h));
    int err = h ? slot_set(space, slot, h) : -TWZ_ENOMEM;

    if (err == 0) {
        err = arch_root_hang(&space->root, slot, &tree->pt, rights);
        if (err < 0)
            slot_set(space, slot, NULL);
    }
    if (err < 0) {
        kmem_free(h, sizeof(*h));
        return err;
    }
    h->space = space;
    h->tree = tree;
    h->slot = slot;
    h->rights = rights;
    link_hanger(tree, h);
    space->hung++;
    return 0;
}

static int hang_again(struct space *space, struct hanger *h, unsigned rights)
{
    int err;

    if (h->rights == rights)
        return 0;
    if ((h->rights & ~rights) != 0) { /* gone everywhere before there is anything new */
        arch_root_unhang(&space->root, h->slot);
        arch_shootdown(&space->root, h->slot, 0, 0);
    }
    err = arch_root_hang(&space->root, h->slot, &h->tree->pt, rights);
    if (err < 0)
        return err;
    count_rights(h->tree, h->rights, UINT32_MAX);
    count_rights(h->tree, rights, 1);
    h->rights = rights;
    return 0;
}

int space_hang_locked(struct space *space, uint32_t slot, struct subtree *tree, unsigned rights,
                      uint64_t seen)
{
    struct hanger *h;
    int err;

    if ((rights & (TWZ_WRITE | TWZ_EXEC)) == (TWZ_WRITE | TWZ_EXEC) ||
        mixes(tree, space, slot, rights))
        return -TWZ_EDENIED;
    if (phys_is_none(tree->pt.top)) {
        err = arch_ptree_init(&tree->pt);
        if (err < 0)
            return err;
    }
    spin_lock(&space->lock);
    h = slot_get(space, slot);
    if (space_changes(space) != seen)
        err = -TWZ_EAGAIN;
    else if (!h)
        err = hang_new(space, slot, tree, rights);
    else
        err = h->tree == tree ? hang_again(space, h, rights) : -TWZ_EBUSY;
    spin_unlock(&space->lock);
    return err;
}

/* Subtree's lock held. Out of list, slot and root, gone from every core; the caller frees it and
 * drops its reference when it holds no lock. */
static void take_down(struct hanger *h)
{
    struct space *space = h->space;
    struct subtree *tree = h->tree;

    spin_lock(&space->lock);
    space->leaf[h->slot / SPACE_LEAF][h->slot % SPACE_LEAF] = NULL;
    space->hung--;
    arch_root_unhang(&space->root, h->slot);
    arch_shootdown(&space->root, h->slot, 0, 0);
    spin_unlock(&space->lock);
    list_remove(tree, h);
    tree->nhangers--;
    count_rights(tree, h->rights, UINT32_MAX);
}

bool space_unhang(struct space *space, uint32_t slot)
{
    unsigned rights;
    struct subtree *tree = space_slot(space, slot, &rights);
    struct hanger *h;

    if (!tree)
        return false;
    spin_lock(&tree->lock);
    spin_lock(&space->lock);
    h = slot_get(space, slot);
    if (h && h->tree != tree)
        h = NULL; /* another's, who may free it once the space's lock is open */
    spin_unlock(&space->lock);
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
static uint32_t next_in_leaf(const struct space *space, uint32_t slot)
{
    struct hanger **leaf = __atomic_load_n(&space->leaf[slot / SPACE_LEAF], __ATOMIC_ACQUIRE);
    uint32_t end = (slot / SPACE_LEAF + 1) * SPACE_LEAF;

    if (!leaf)
        return end;
    while (slot < end && !__atomic_load_n(&leaf[slot % SPACE_LEAF], __ATOMIC_RELAXED))
        slot++;
    return slot;
}

void space_unhang_range(struct space *space, uint32_t first, uint32_t count)
{
    uint32_t slot = first;

    spin_lock(&space->lock);
    __atomic_fetch_add(&space->changes, 1, __ATOMIC_RELEASE);
    spin_unlock(&space->lock);
    while (slot - first < count) {
        uint32_t at = next_in_leaf(space, slot);
        bool end = at % SPACE_LEAF == 0 && at != slot;

        if (!end && at - first < count)
            space_unhang(space, at);
        slot = end ? at : at + 1;
        arch_breathe();
    }
}

void space_destroy(struct space *space)
{
    uint32_t leaf;
    unsigned i;

    for (i = 0; i < ARRAY_LEN(space->root.loaded); i++)
        while (__atomic_load_n(&space->root.loaded[i], __ATOMIC_ACQUIRE) != 0)
            arch_pause();
    for (leaf = 0; leaf < SPACE_LEAVES; leaf++) {
        if (!space->leaf[leaf])
            continue;
        space_unhang_range(space, leaf * SPACE_LEAF, SPACE_LEAF);
        kmem_free(space->leaf[leaf], SPACE_LEAF * sizeof(*space->leaf[leaf]));
    }
    /* Who took the last hanger down has the lock until he is done with the space. */
    spin_lock(&space->lock);
    spin_unlock(&space->lock);
    arch_root_destroy(&space->root);
    kmem_free(space, sizeof(*space));
}

/* Something hangs with more rights than `keep`. */
static bool exceeds(const struct subtree *tree, unsigned keep)
{
    if ((keep & TWZ_READ) == 0)
        return tree->nhangers > 0;
    return ((keep & TWZ_WRITE) == 0 && tree->nwrite > 0) ||
           ((keep & TWZ_EXEC) == 0 && tree->nexec > 0);
}

/* The first of a few that exceeds `keep`, taken down; those before it go behind the others, so that
 * nobody looks at them again and again. */
static struct hanger *take_one_down(struct subtree *tree, unsigned keep)
{
    unsigned i;

    for (i = 0; i < LOOKS; i++) {
        struct hanger *h = tree->hangers;

        if ((h->rights & ~keep) != 0) {
            take_down(h);
            return h;
        }
        list_remove(tree, h);
        list_add_last(tree, h);
    }
    return NULL;
}

void subtree_unhang_all(struct subtree *tree, unsigned keep)
{
    bool more;

    do {
        struct hanger *h = NULL;

        spin_lock(&tree->lock);
        more = exceeds(tree, keep);
        if (more)
            h = take_one_down(tree, keep);
        spin_unlock(&tree->lock);
        if (h) {
            kmem_free(h, sizeof(*h));
            subtree_put(tree);
        }
        arch_breathe();
    } while (more);
}

void subtree_shoot_locked(struct subtree *tree, uint32_t page, uint32_t count)
{
    struct hanger *h;

    for (h = tree->hangers; h; h = h->next)
        arch_shootdown(&h->space->root, h->slot, page, count);
}
