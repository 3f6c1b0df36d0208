/* SPDX-License-Identifier: MIT */
/*
 * Address spaces. An address space is one hardware root, for a pair (view, security context); each
 * of its slots maps a subtree or nothing.
 *
 * Lock order: subtree -> address space. "locked": the caller must hold the subtree's lock.
 */
#ifndef KERNEL_ADDRSPACE_H
#define KERNEL_ADDRSPACE_H

#include <kernel/deferred.h>
#include <kernel/subtree.h>

#define ADDRSPACE_LEAF   256u
#define ADDRSPACE_LEAVES 512u

struct context;

struct addrspace {
    struct arch_root root;
    struct spinlock lock;
    _Atomic uint32_t refs;                   /* threads in it, cores that have it loaded */
    uint64_t nmapped;                        /* slots in use, under lock */
    uint64_t changes;                        /* calls of addrspace_unmap_some, under lock */
    struct mapping **leaf[ADDRSPACE_LEAVES]; /* slot -> mapping, under lock */
    void *owner;                             /* the view (kso/view.c) */
    struct context *context;                 /* referenced; the rights in it (kso/context.c) */
    struct list_node context_link;           /* in context->addrspaces, under the context's lock */
    struct account *payer;                   /* the view's */
    bool first;             /* of the first program, whose threads may use the reserve of memory */
    struct addrspace *next; /* of the view, under the lock of the view's list */
    struct deferred work;   /* without a reference: the destruction, by its owner */
    uint32_t work_at;       /* slot that the destruction has reached */
};

/* An address space with nothing mapped and one reference, in *out. The payer pays for it and for
 * its mappings. -TWZ_ENOMEM, -TWZ_EQUOTA. */
MUST_CHECK int addrspace_create(void *owner, struct context *context, struct account *payer,
                                struct addrspace **out);

/* Does one batch of the destruction: unmaps slots, then frees. Returns true if the caller must call
 * again: slots are left, or a core has the address space loaded. There must be no reference, and
 * the caller must hold no lock. */
MUST_CHECK bool addrspace_destroy_some(struct addrspace *addrspace);

/* The subtree that slot maps, referenced, and its rights; NULL: none. Takes the address space's
 * lock. */
struct subtree *addrspace_slot(struct addrspace *addrspace, uint32_t slot, unsigned *rights);

/* Must be read before the view entry that addrspace_map_locked is called for. */
static inline uint64_t addrspace_changes(const struct addrspace *addrspace)
{
    return __atomic_load_n(&addrspace->changes, __ATOMIC_ACQUIRE);
}

/*
 * Locked. Maps tree at slot with rights, MAPPING_GRANTED among them or not; or changes the rights
 * of its mapping there; a shootdown completes before the return where rights are lost. `seen` is
 * addrspace_changes from before the view entry was read. Takes the address space's lock.
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

/* Unmaps the slots [*slot, end) that are in use, and advances *slot past them. Takes the estimated
 * instructions off *budget, and stops when that is 0. Returns true if slots are left. Unmaps at
 * least one slot if *budget is not 0. The caller must hold no lock. */
bool addrspace_unmap_some(struct addrspace *addrspace, uint32_t *slot, uint32_t end,
                          uint32_t *budget);

/* The progress of a walk over the mappings of a subtree; all zero at its begin. */
struct unmap_walk {
    bool begun;
    uint64_t end;
};

/*
 * Unmaps tree from each slot where it has more rights than `keep`, or granted ones, until *budget
 * is 0 as above. Returns true if the caller must call again. With a walk, a mapping that is added
 * after its begin may stay; all walks of a tree at one time must have the same `keep`. With NULL,
 * the tree has no mapping at the end: keep must be 0, and none may be added meanwhile. The caller
 * must hold a reference and no lock.
 */
MUST_CHECK bool addrspace_unmap_excess(struct subtree *tree, unsigned keep, struct unmap_walk *walk,
                                       uint32_t *budget);

#endif
