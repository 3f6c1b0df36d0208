/* SPDX-License-Identifier: MIT */
/*
 * Page-table subtrees of objects: a page of 512 entries for 2 MiB each, and below each a page of
 * 512 leaves, allocated on first use.
 *
 * Invariants
 *   - A subtree has no rights: its upper entries allow everything, a leaf's W bit is the object's
 *     own state, and no entry has NX. Slot entries have the rights (root.c).
 *   - The accessed bit is set in every entry, so the processor writes only the dirty bit of leaves.
 *   - A leaf without PTE_P is zero (absent), LEAF_HOLE, or LEAF_LOST, perhaps with LEAF_PROTECT.
 *   - The processor walks a subtree at any time, so each entry changes by one store.
 *   - A table is freed only with its subtree.
 *
 * The caller must hold the object's lock for a change.
 */
#include "../x86.h"
#include <kernel/phys.h>
#include <twz/object.h>

#define LEAF_COW     PTE_SW0
#define LEAF_PROTECT PTE_SW1
#define LEAF_HOLE    PTE_SW2
#define LEAF_LOST    PTE_SW3

#define ENTRIES 512u

int arch_ptree_init(struct arch_ptree *pt)
{
    pt->tables = 0;
    return phys_alloc_zeroed_for(pt->payer, &pt->top);
}

#define FREE_COST 90u /* instructions to free a table */

bool arch_ptree_destroy_some(struct arch_ptree *pt, uint32_t budget)
{
    uint32_t tables = budget / FREE_COST;
    uint64_t *top;

    if (phys_is_none(pt->top))
        return false;
    top = x86_table(pt->top.addr);
    for (unsigned i = 0; i < ENTRIES && pt->tables; i++) {
        if (!top[i])
            continue;
        if (tables-- == 0)
            return true;
        phys_free((phys_t){ top[i] & PTE_ADDR }, 0);
        top[i] = 0;
        pt->tables--;
    }
    phys_free(pt->top, 0);
    pt->top = PHYS_NONE;
    return false;
}

/* The leaf of page. NULL: its table is absent. */
static uint64_t *find_leaf(const struct arch_ptree *pt, uint32_t page)
{
    uint64_t entry;

    if (phys_is_none(pt->top) || page >= TWZ_OBJ_PAGES)
        return NULL;
    entry = x86_table(pt->top.addr)[page / ENTRIES];
    return entry ? &x86_table(entry)[page % ENTRIES] : NULL;
}

static void set_leaf(uint64_t *leaf, uint64_t value)
{
    __atomic_store_n(leaf, value, __ATOMIC_RELEASE);
}

static uint64_t make_leaf(phys_t frame, unsigned flags)
{
    uint64_t value = frame.addr | PTE_P | PTE_U | PTE_A;

    if (flags & ARCH_PT_HOLE)
        return LEAF_HOLE;
    if (flags & ARCH_PT_LOST)
        return LEAF_LOST | (flags & ARCH_PT_PROTECT ? LEAF_PROTECT : 0);
    value |= flags & ARCH_PT_WRITE ? PTE_W : 0;
    value |= flags & ARCH_PT_UNCACHED ? PTE_PCD | PTE_PWT : 0;
    value |= flags & ARCH_PT_COW ? LEAF_COW : 0;
    value |= flags & ARCH_PT_PROTECT ? LEAF_PROTECT : 0;
    return value;
}

int arch_ptree_map(struct arch_ptree *pt, uint32_t page, phys_t frame, unsigned flags)
{
    uint64_t *leaf;
    phys_t table;
    int err = 0;

    if (page >= TWZ_OBJ_PAGES)
        return -TWZ_ERANGE;
    if (phys_is_none(pt->top))
        err = arch_ptree_init(pt);
    if (err < 0)
        return err;
    leaf = find_leaf(pt, page);
    if (!leaf) {
        err = phys_alloc_zeroed_for(pt->payer, &table);
        if (err < 0)
            return err;
        set_leaf(&x86_table(pt->top.addr)[page / ENTRIES],
                 table.addr | PTE_P | PTE_W | PTE_U | PTE_A);
        pt->tables++;
        leaf = find_leaf(pt, page);
    }
    set_leaf(leaf, make_leaf(frame, flags));
    return 0;
}

/* Number of pages from `page` to the end of its table. */
static uint32_t pages_left_in_table(uint32_t page)
{
    return ENTRIES - page % ENTRIES;
}

void arch_ptree_unmap(struct arch_ptree *pt, uint32_t page, uint32_t count)
{
    while (count) {
        uint32_t run = pages_left_in_table(page) < count ? pages_left_in_table(page) : count;
        uint64_t *leaf = find_leaf(pt, page);

        for (uint32_t i = 0; leaf && i < run; i++)
            set_leaf(&leaf[i], 0);
        page += run;
        count -= run;
    }
}

static unsigned flags_of_leaf(uint64_t leaf)
{
    unsigned flags = leaf & PTE_W ? ARCH_PT_WRITE : 0;

    flags |= leaf & PTE_PCD ? ARCH_PT_UNCACHED : 0;
    flags |= leaf & LEAF_COW ? ARCH_PT_COW : 0;
    flags |= leaf & LEAF_PROTECT ? ARCH_PT_PROTECT : 0;
    flags |= leaf & LEAF_HOLE ? ARCH_PT_HOLE : 0;
    flags |= leaf & LEAF_LOST ? ARCH_PT_LOST : 0;
    flags |= leaf & PTE_D ? ARCH_PT_DIRTY : 0;
    return flags;
}

static phys_t frame_of_leaf(uint64_t leaf)
{
    return leaf & PTE_P ? (phys_t){ leaf & PTE_ADDR } : PHYS_NONE;
}

phys_t arch_ptree_lookup(const struct arch_ptree *pt, uint32_t page, unsigned *flags)
{
    const uint64_t *at = find_leaf(pt, page);
    uint64_t leaf = at ? __atomic_load_n(at, __ATOMIC_ACQUIRE) : 0;

    if (flags)
        *flags = flags_of_leaf(leaf);
    return frame_of_leaf(leaf);
}

/* Instructions to look at a leaf, to return one to a caller's loop, and for an absent table. */
#define LEAF_COST  5u
#define FOUND_COST 100u
#define TABLE_COST 4u

static void spend(uint32_t *budget, uint32_t cost)
{
    *budget -= cost < *budget ? cost : *budget;
}

/* Looks at no more leaves of a table than the budget allows, but at one. Returns how many are zero
 * in a row. */
static uint32_t count_zero(const uint64_t *leaf, uint32_t most, uint32_t *budget)
{
    uint32_t n = 0;

    if (most > *budget / LEAF_COST + 1)
        most = *budget / LEAF_COST + 1;
    while (n < most && !leaf[n])
        n++;
    spend(budget, (n + 1) * LEAF_COST);
    return n;
}

bool arch_ptree_scan(const struct arch_ptree *pt, uint32_t *page, uint32_t end, phys_t *frame,
                     unsigned *flags, uint32_t *budget)
{
    const uint64_t *top = phys_is_none(pt->top) ? NULL : x86_table(pt->top.addr);
    uint32_t at = *page;

    if (!top)
        at = end;
    while (at < end && *budget != 0) {
        uint32_t run = pages_left_in_table(at) < end - at ? pages_left_in_table(at) : end - at;
        const uint64_t *leaf;
        uint32_t n;

        if (!top[at / ENTRIES]) {
            at += run;
            spend(budget, TABLE_COST);
            continue;
        }
        leaf = &x86_table(top[at / ENTRIES])[at % ENTRIES];
        n = count_zero(leaf, run, budget);
        at += n;
        if (n < run && leaf[n]) {
            spend(budget, FOUND_COST);
            *page = at;
            *frame = frame_of_leaf(leaf[n]);
            *flags = flags_of_leaf(leaf[n]);
            return true;
        }
    }
    *page = at;
    return false;
}

bool arch_ptree_next(const struct arch_ptree *pt, uint32_t *page, uint32_t end, phys_t *frame,
                     unsigned *flags)
{
    uint32_t budget = UINT32_MAX;

    return arch_ptree_scan(pt, page, end, frame, flags, &budget);
}
