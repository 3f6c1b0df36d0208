/* SPDX-License-Identifier: MIT */
/*
 * Address spaces. A space is one hardware root, for a pair (view, security context). A subtree is
 * the page-table part of one object, hung into any number of spaces; it knows its mappings, so that
 * taking rights away costs as much as it has mappings.
 *
 * Lock order: subtree -> space. A function says which it takes; "locked" means the caller holds
 * the subtree's lock.
 */
#ifndef KERNEL_ADDRSPACE_H
#define KERNEL_ADDRSPACE_H

#include <kernel/arch.h>
#include <kernel/lock.h>
#include <lib/list.h>

struct addrspace;
struct subtree;

struct mapping {
    struct addrspace *addrspace;
    struct subtree *tree;
    struct list_node link; /* of the subtree, under its lock */
    uint32_t slot;
    unsigned rights;
};

struct subtree {
    struct spinlock lock;
    struct arch_ptree pt;
    struct list mappings; /* a new one is the last */
    uint32_t nmappings;
    uint32_t nwrite;       /* mappings with WRITE */
    uint32_t nexec;        /* mappings with EXEC */
    _Atomic uint32_t refs; /* each mapping holds one; see subtree_put */
};

static inline void subtree_get(struct subtree *tree)
{
    atomic_fetch_add_explicit(&tree->refs, 1, memory_order_relaxed);
}

/* Drops a reference; the last one by upcall.release_subtree. The caller must hold no lock. */
void subtree_put(struct subtree *tree);

#define ADDRSPACE_LEAF   256u
#define ADDRSPACE_LEAVES 512u

struct addrspace {
    struct arch_root root;
    struct spinlock lock;
    _Atomic uint32_t refs;                   /* threads in it, cores that have it loaded */
    uint64_t hung;                           /* slots in use, under lock */
    uint64_t changes;                        /* calls of addrspace_unmap_range, under lock */
    struct mapping **leaf[ADDRSPACE_LEAVES]; /* slot -> mapping, under lock */
    void *owner;                             /* the view; see obj/view.c */
    objid_t sctx;
    struct addrspace *next; /* of the view, under the view's list lock */
};

/* A space with nothing in it and one reference. NULL: no memory. */
struct addrspace *addrspace_create(void *owner, objid_t sctx);

/* Unhangs everything and frees. Nobody has a reference and no core has it loaded. */
void addrspace_destroy(struct addrspace *addrspace);

/*
 * What hangs at slot: the subtree, referenced, and its rights; NULL: nothing. Takes space->lock.
 */
struct subtree *addrspace_slot(struct addrspace *addrspace, uint32_t slot, unsigned *rights);

/* To be taken before the view entry is read that addrspace_map_locked is called for. */
static inline uint64_t addrspace_changes(const struct addrspace *addrspace)
{
    return __atomic_load_n(&addrspace->changes, __ATOMIC_ACQUIRE);
}

/*
 * Locked. Hangs tree at slot with rights, replacing what hung there of the same tree (a shootdown
 * follows where rights went away). -TWZ_EAGAIN: addrspace_changes is no longer `seen`;
 * -TWZ_EBUSY: another subtree hangs there (unhang it first);
 * -TWZ_EDENIED: W and X of one subtree would meet in this space; -TWZ_ENOMEM.
 */
MUST_CHECK int addrspace_map_locked(struct addrspace *addrspace, uint32_t slot,
                                    struct subtree *tree, unsigned rights, uint64_t seen);

/* Takes slot's mapping away, with a shootdown; true: there was one. Takes the subtree's lock. */
bool addrspace_unmap(struct addrspace *addrspace, uint32_t slot);

/* Unhangs slots [first, first + count) that are in use; breathes, so no lock may be held. */
void addrspace_unmap_range(struct addrspace *addrspace, uint32_t first, uint32_t count);

/* Unhangs tree where it has more rights than `keep`; what comes meanwhile with no more than that
 * stays. Takes its lock; the caller holds a reference and no lock; breathes. */
void subtree_unmap_all(struct subtree *tree, unsigned keep);

/* Locked. Drops translations of the pages in every space it hangs in. count 0: all of it. */
void subtree_shoot_locked(struct subtree *tree, uint32_t page, uint32_t count);

#endif
