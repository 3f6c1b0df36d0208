/* SPDX-License-Identifier: MIT */
/*
 * Address spaces. An address space is one hardware root, for a pair (view, security context); each
 * of its slots maps a subtree or nothing.
 *
 * Lock order: subtree -> address space. "locked": the caller must hold the subtree's lock.
 */
#ifndef KERNEL_ADDRSPACE_H
#define KERNEL_ADDRSPACE_H

#include <kernel/subtree.h>

#define ADDRSPACE_LEAF   256u
#define ADDRSPACE_LEAVES 512u

struct addrspace {
    struct arch_root root;
    struct spinlock lock;
    _Atomic uint32_t refs;                   /* threads in it, cores that have it loaded */
    uint64_t nmapped;                        /* slots in use, under lock */
    uint64_t changes;                        /* calls of addrspace_unmap_range, under lock */
    struct mapping **leaf[ADDRSPACE_LEAVES]; /* slot -> mapping, under lock */
    void *owner;                             /* the view (kso/view.c) */
    objid_t sctx;
    bool first;             /* of the first program, whose threads may use the reserve of memory */
    struct addrspace *next; /* of the view, under the lock of the view's list */
};

/* An address space with nothing mapped and one reference. NULL: no memory. */
struct addrspace *addrspace_create(void *owner, objid_t sctx);

/* Unmaps all slots and frees. There must be no reference, and the caller must hold no lock. Waits
 * until no core has it loaded. Long. */
void addrspace_destroy(struct addrspace *addrspace);

/* The subtree that slot maps, referenced, and its rights; NULL: none. Takes the address space's
 * lock. */
struct subtree *addrspace_slot(struct addrspace *addrspace, uint32_t slot, unsigned *rights);

/* Must be read before the view entry that addrspace_map_locked is called for. */
static inline uint64_t addrspace_changes(const struct addrspace *addrspace)
{
    return __atomic_load_n(&addrspace->changes, __ATOMIC_ACQUIRE);
}

/*
 * Locked. Maps tree at slot with rights, or changes the rights of its mapping there; a shootdown
 * completes before the return where rights are lost. `seen` is addrspace_changes from before the
 * view entry was read. Takes the address space's lock.
 *
 * -TWZ_EAGAIN: view entries have changed since `seen`. -TWZ_EBUSY: the slot maps another subtree,
 * which the caller must unmap first. -TWZ_EDENIED: the address space would have WRITE and EXEC on
 * one subtree. -TWZ_ENOMEM.
 */
MUST_CHECK int addrspace_map_locked(struct addrspace *addrspace, uint32_t slot,
                                    struct subtree *tree, unsigned rights, uint64_t seen);

/* Unmaps slot, with a shootdown. True: it mapped a subtree. Takes the subtree's lock; the caller
 * must hold none. */
bool addrspace_unmap(struct addrspace *addrspace, uint32_t slot);

/* Unmaps the slots [first, first + count) that are in use. The caller must hold no lock. Long. */
void addrspace_unmap_range(struct addrspace *addrspace, uint32_t first, uint32_t count);

/* Unmaps tree from each slot where it has more rights than `keep`. A mapping that is added
 * meanwhile with no more than `keep` stays. The caller must hold a reference and no lock. Long. */
void addrspace_unmap_everywhere(struct subtree *tree, unsigned keep);

#endif
