/* SPDX-License-Identifier: MIT */
/*
 * Roots: a top-level table whose lower half belongs to one pair (view, context), and whose upper
 * half is the kernel's, the same in all roots. Slot s is entry s % 512 of the second-level table
 * s / 512, and points to an object's ptree. The bits user, write and no-execute of that entry alone
 * decide the rights.
 *
 * root->loaded has a bit for each core. A core sets its bit before it loads the table, and clears
 * it after it has loaded another one. Both are full fences, and pair with the fence of
 * arch_shootdown: a caller that changes an entry and then reads the bits finds every core that may
 * have cached it.
 */
#include "../x86.h"
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <lib/string.h>
#include <twz/view.h>

#define ENTRIES 512u
#define HALF    256u

int arch_root_init(struct arch_root *root)
{
    uint64_t *top;
    int err;

    memset(root->loaded, 0, sizeof(root->loaded));
    err = phys_alloc_zeroed_for(root->payer, &root->top);
    if (err < 0)
        return err;
    top = x86_table(root->top.addr);
    memcpy(top + HALF, x86_table(x86_kernel_root()) + HALF, HALF * sizeof(*top));
    return 0;
}

#define FREE_BATCH 64u /* tables freed in one batch */

bool arch_root_destroy_some(struct arch_root *root)
{
    unsigned freed = 0;
    uint64_t *top;

    if (phys_is_none(root->top))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(root->loaded); i++)
        kassert(!root->loaded[i]);
    top = x86_table(root->top.addr);
    for (unsigned i = 0; i < HALF; i++) {
        if (!top[i])
            continue;
        if (freed++ == FREE_BATCH)
            return true;
        phys_free((phys_t){ top[i] & PTE_ADDR }, 0);
        top[i] = 0;
    }
    phys_free(root->top, 0);
    root->top = PHYS_NONE;
    return false;
}

/* The entry of slot. NULL: its table is absent. */
static uint64_t *find_slot_entry(const struct arch_root *root, uint32_t slot)
{
    uint64_t entry;

    kassert(slot < TWZ_SLOTS);
    entry = x86_table(root->top.addr)[slot / ENTRIES];
    return entry ? &x86_table(entry)[slot % ENTRIES] : NULL;
}

static void set_entry(uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

int arch_root_map(struct arch_root *root, uint32_t slot, const struct arch_ptree *pt,
                  unsigned rights)
{
    uint64_t value = pt->top.addr | PTE_P | PTE_U | PTE_A;
    uint64_t *entry = find_slot_entry(root, slot);
    phys_t table;

    kassert(!phys_is_none(pt->top));
    kassert((rights & (TWZ_WRITE | TWZ_EXEC)) != (TWZ_WRITE | TWZ_EXEC));
    if (!entry) {
        int err = phys_alloc_zeroed_for(root->payer, &table);

        if (err < 0)
            return err;
        set_entry(&x86_table(root->top.addr)[slot / ENTRIES],
                  table.addr | PTE_P | PTE_W | PTE_U | PTE_A);
        entry = find_slot_entry(root, slot);
    }
    value |= rights & TWZ_WRITE ? PTE_W : 0;
    value |= rights & TWZ_EXEC ? 0 : PTE_NX;
    set_entry(entry, value);
    return 0;
}

void arch_root_unmap(struct arch_root *root, uint32_t slot)
{
    uint64_t *entry = find_slot_entry(root, slot);

    if (entry)
        set_entry(entry, 0);
}

unsigned arch_root_rights(const struct arch_root *root, uint32_t slot)
{
    const uint64_t *entry = find_slot_entry(root, slot);

    if (!entry || !*entry)
        return 0;
    return TWZ_READ | (*entry & PTE_W ? TWZ_WRITE : 0) | (*entry & PTE_NX ? 0 : TWZ_EXEC);
}

/* Sets or clears the core's bit in root->loaded. */
static void set_loaded(struct arch_root *root, uint64_t core, bool on)
{
    uint64_t bit = 1ull << (core % 64);

    if (on)
        __atomic_fetch_or(&root->loaded[core / 64], bit, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&root->loaded[core / 64], ~bit, __ATOMIC_SEQ_CST);
}

static void switch_root(struct x86_cpu *cpu, struct arch_root *root, uint64_t top)
{
    struct arch_root *before = cpu->root;

    cpu->root = root;
    x86_write_cr3(top);
    if (before)
        set_loaded(before, cpu->id, false);
}

void arch_root_load(struct arch_root *root)
{
    struct x86_cpu *cpu = x86_this();

    if (cpu->root == root)
        return;
    set_loaded(root, cpu->id, true); /* the bit, before the table; pairs with arch_shootdown */
    switch_root(cpu, root, root->top.addr);
}

void arch_root_unload(void)
{
    struct x86_cpu *cpu = x86_this();

    if (cpu->root)
        switch_root(cpu, NULL, x86_kernel_root());
}
