/* SPDX-License-Identifier: MIT */
/*
 * A subtree is the page-table part of one object. Any number of address spaces map it; the subtree
 * knows its mappings, so revoking rights costs as much as there are mappings. "locked": the caller
 * must hold the subtree's lock.
 */
#ifndef KERNEL_SUBTREE_H
#define KERNEL_SUBTREE_H

#include <kernel/arch.h>
#include <kernel/lock.h>
#include <lib/list.h>

struct addrspace;

/* One slot of one address space that maps a subtree. */
struct mapping {
    struct addrspace *addrspace;
    struct arch_root *root; /* of addrspace */
    struct subtree *tree;   /* referenced */
    struct list_node link;  /* in tree->mappings, under the subtree's lock */
    uint32_t slot;
    unsigned rights; /* and MAPPING_GRANTED */
};

/* Rights of the mapping come from a grant or a capability, not from default permissions alone. */
#define MAPPING_GRANTED 0x100u

struct subtree {
    struct spinlock lock;
    struct arch_ptree pt;
    struct list mappings; /* a new one is the last */
    uint32_t nmappings;
    uint32_t nwrite;       /* mappings with WRITE */
    uint32_t nexec;        /* mappings with EXEC */
    uint64_t passed;       /* mappings that walks took from the list's front, ever */
    _Atomic uint32_t refs; /* each mapping holds one */
};

static inline void subtree_get(struct subtree *tree)
{
    atomic_fetch_add_explicit(&tree->refs, 1, memory_order_relaxed);
}

/* Drops a reference; the last one by upcall.release_subtree. The caller must hold no lock. Long. */
void subtree_put(struct subtree *tree);

/* Locked. Adds m, whose fields are set, with a reference; removes it, without dropping that. */
void subtree_add_locked(struct subtree *tree, struct mapping *m);
void subtree_remove_locked(struct subtree *tree, struct mapping *m);

/* Locked. Gives m of this subtree other rights. */
void subtree_set_rights_locked(struct subtree *tree, struct mapping *m, unsigned rights);

/* Locked. True: with `rights` in this slot, the address space would have WRITE and EXEC on tree; or
 * tree has thousands of mappings, some of them with WRITE or EXEC against `rights`. */
bool subtree_mixes_locked(const struct subtree *tree, const struct addrspace *addrspace,
                          uint32_t slot, unsigned rights);

/* True: the mapping has more rights than `keep`, or granted ones. */
static inline bool subtree_exceeds(const struct mapping *m, unsigned keep)
{
    return (m->rights & ~keep) != 0;
}

/* Locked. Drops the translations of the pages in every address space that maps tree, and waits
 * until they are gone. count 0: of all pages. Bounded, however many mappings there are. */
void subtree_shoot_locked(struct subtree *tree, uint32_t page, uint32_t count);

#endif
