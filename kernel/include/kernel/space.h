/* SPDX-License-Identifier: MIT */
/*
 * Address spaces. A space is one hardware root, for a pair (view, security context). A subtree is
 * the page-table part of one object, hung into any number of spaces; it knows its hangers, so that
 * taking rights away costs as much as it has hangers.
 *
 * Lock order: subtree -> space. A function says which it takes; "locked" means the caller holds
 * the subtree's lock.
 */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include <kernel/arch.h>
#include <kernel/lock.h>

struct space;
struct subtree;

struct hanger {
    struct space *space;
    struct subtree *tree;
    struct hanger *next; /* of the subtree, under its lock */
    struct hanger *prev;
    uint32_t slot;
    unsigned rights;
};

struct subtree {
    struct spinlock lock;
    struct arch_ptree pt;
    struct hanger *hangers; /* first to last; who comes is the last */
    struct hanger *hangers_last;
    uint32_t nhangers;
    uint32_t nwrite;       /* hangers with WRITE */
    uint32_t nexec;        /* hangers with EXEC */
    _Atomic uint32_t refs; /* each hanger holds one; see subtree_put */
};

/* Called when the last reference but the owner's table is to go; set once by obj/. It
 * decrements. */
extern void (*subtree_release)(struct subtree *tree);

static inline void subtree_get(struct subtree *tree)
{
    atomic_fetch_add_explicit(&tree->refs, 1, memory_order_relaxed);
}

/* Drops a reference; the last one goes through subtree_release. No lock may be held. */
void subtree_put(struct subtree *tree);

#define SPACE_LEAF   256u
#define SPACE_LEAVES 512u

struct space {
    struct arch_root root;
    struct spinlock lock;
    _Atomic uint32_t refs;              /* threads in it, cores that have it loaded */
    uint64_t hung;                      /* slots in use, under lock */
    uint64_t changes;                   /* calls of space_unhang_range, under lock */
    struct hanger **leaf[SPACE_LEAVES]; /* slot -> hanger, under lock */
    void *owner;                        /* the view; see obj/view.c */
    objid_t sctx;
    struct space *next; /* of the view, under the view's list lock */
};

/* A space with nothing in it and one reference. NULL: no memory. */
struct space *space_create(void *owner, objid_t sctx);

/* Unhangs everything and frees. Nobody has a reference and no core has it loaded. */
void space_destroy(struct space *space);

/*
 * What hangs at slot: the subtree, referenced, and its rights; NULL: nothing. Takes space->lock.
 */
struct subtree *space_slot(struct space *space, uint32_t slot, unsigned *rights);

/* To be taken before the view entry is read that space_hang_locked is called for. */
static inline uint64_t space_changes(const struct space *space)
{
    return __atomic_load_n(&space->changes, __ATOMIC_ACQUIRE);
}

/*
 * Locked. Hangs tree at slot with rights, replacing what hung there of the same tree (a shootdown
 * follows where rights went away). -TWZ_EAGAIN: space_changes is no longer `seen`;
 * -TWZ_EBUSY: another subtree hangs there (unhang it first);
 * -TWZ_EDENIED: W and X of one subtree would meet in this space; -TWZ_ENOMEM.
 */
MUST_CHECK int space_hang_locked(struct space *space, uint32_t slot, struct subtree *tree,
                                 unsigned rights, uint64_t seen);

/* Takes slot's hanger away, with a shootdown; true: there was one. Takes the subtree's lock. */
bool space_unhang(struct space *space, uint32_t slot);

/* Unhangs slots [first, first + count) that are in use; breathes, so no lock may be held. */
void space_unhang_range(struct space *space, uint32_t first, uint32_t count);

/* Unhangs tree where it has more rights than `keep`; what comes meanwhile with no more than that
 * stays. Takes its lock; the caller holds a reference and no lock; breathes. */
void subtree_unhang_all(struct subtree *tree, unsigned keep);

/* Locked. Drops translations of the pages in every space it hangs in. count 0: all of it. */
void subtree_shoot_locked(struct subtree *tree, uint32_t page, uint32_t count);

#endif
