/* SPDX-License-Identifier: MIT */
/*
 * Owns the kernel's half of the address space (drawn in layout.h).
 *
 * Invariants
 *   - The first core creates all top-level entries before any user root exists, because every root
 *     copies them.
 *   - Later additions (NVM, device registers, stacks) change only tables below these, and only from
 *     absent to present. No core needs a shootdown for them.
 *   - No page is both writable and executable. Text and constants are read-only in the direct map,
 *     too.
 *
 * `lock` guards the tables. Frames are allocated under it.
 */
#include "../x86.h"
#include <kernel/boot.h>
#include <kernel/lock.h>
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <lib/string.h>

#define PAGE      4096ull
#define EARLY_MAX 32u
#define TOP_SHIFT 39u
#define RANGE_END (MMIO_VIRT - NVM_VIRT) /* physical addresses below this fit both maps */

extern char x86_image_start[], x86_text_start[], x86_text_end[], x86_rodata_end[], x86_image_end[];
extern char x86_boot_stack_guard[];

static _Alignas(4096) uint64_t kernel_pml4[512];
/* Tables made before the allocator starts, and the second level under each fixed top entry. */
static _Alignas(4096) uint64_t early_tables[EARLY_MAX][512];
static unsigned early_used;
static SHARED_LOCK struct spinlock lock;
static uint64_t mmio_next = MMIO_VIRT;

uint64_t *x86_table(uint64_t phys)
{
    return (uint64_t *)(DIRECT_VIRT + (phys & PTE_ADDR));
}

uint64_t x86_kernel_root(void)
{
    return (uint64_t)kernel_pml4 - KERNEL_VIRT;
}

static uint64_t alloc_table(void)
{
    phys_t frame;

    if (early_used < EARLY_MAX)
        return (uint64_t)early_tables[early_used++] - KERNEL_VIRT;
    frame = phys_alloc_zeroed();
    return phys_is_none(frame) ? 0 : frame.addr;
}

/* The table under *entry, allocated if absent. NULL: no memory, or *entry is a leaf. */
static uint64_t *ensure_table(uint64_t *entry)
{
    uint64_t table;

    if (*entry & PTE_P)
        return *entry & PTE_PS ? NULL : x86_table(*entry);
    table = alloc_table();
    if (!table)
        return NULL;
    *entry = table | PTE_P | PTE_W | PTE_A;
    return x86_table(table);
}

static bool is_leaf_size(unsigned shift, uint64_t virt, uint64_t phys, uint64_t len)
{
    uint64_t size = 1ull << shift;

    if (shift == TOP_SHIFT || (shift == 30 && !x86_features.gb_pages))
        return false;
    return ((virt | phys) & (size - 1)) == 0 && len >= size;
}

/* Maps a run of leaves of one size in one table. Returns its length in bytes, 0 on failure. */
static uint64_t map_run(uint64_t virt, uint64_t phys, uint64_t len, uint64_t flags)
{
    uint64_t *table = kernel_pml4;
    unsigned shift = TOP_SHIFT;
    uint64_t done = 0;
    unsigned at;

    while (!is_leaf_size(shift, virt, phys, len)) {
        table = ensure_table(&table[virt >> shift & 511]);
        if (!table)
            return 0;
        shift -= 9;
    }
    flags |= PTE_P | PTE_A | PTE_D | (shift > 12 ? PTE_PS : 0) | (x86_features.pge ? PTE_G : 0);
    for (at = virt >> shift & 511; at < 512 && len - done >= 1ull << shift; at++) {
        if (table[at] & PTE_P)
            break;
        table[at] = (phys + done) | flags;
        done += 1ull << shift;
    }
    return done;
}

int x86_kmap(uint64_t virt, uint64_t phys, uint64_t len, uint64_t flags)
{
    int err = 0;

    spin_lock(&lock);
    while (len && !err) {
        uint64_t done = map_run(virt, phys, len, flags);

        err = done ? 0 : -TWZ_ENOMEM;
        virt += done;
        phys += done;
        len -= done;
    }
    spin_unlock(&lock);
    return err;
}

static bool is_mapped(uint64_t virt)
{
    const uint64_t *table = kernel_pml4;

    for (unsigned shift = TOP_SHIFT;; shift -= 9) {
        uint64_t entry = table[virt >> shift & 511];

        if (!(entry & PTE_P))
            return false;
        if (shift == 12 || entry & PTE_PS)
            return true;
        table = x86_table(entry);
    }
}

int x86_kmap_read(uint64_t phys, uint64_t len)
{
    uint64_t end = phys + len;

    if (end < phys || end > RANGE_END)
        return -TWZ_ERANGE;
    for (uint64_t at = phys & ~(PAGE - 1); at < end; at += PAGE) {
        int err = is_mapped(DIRECT_VIRT + at) ? 0 : x86_kmap(DIRECT_VIRT + at, at, PAGE, PTE_NX);

        if (err)
            return err;
    }
    return 0;
}

static void map_or_panic(uint64_t virt, uint64_t phys, uint64_t len, uint64_t flags)
{
    if (len && x86_kmap(virt, phys, len, flags))
        panic("no memory for the kernel's own page tables");
}

/* Maps the image at `base` + its physical address, without the guard page of the boot stack. */
static void map_image(uint64_t base, uint64_t text_flags)
{
    uint64_t start = (uint64_t)x86_image_start - KERNEL_VIRT;
    uint64_t text = (uint64_t)x86_text_start - KERNEL_VIRT;
    uint64_t rodata = (uint64_t)x86_text_end - KERNEL_VIRT;
    uint64_t data = (uint64_t)x86_rodata_end - KERNEL_VIRT;
    uint64_t guard = (uint64_t)x86_boot_stack_guard - KERNEL_VIRT;
    uint64_t end = (uint64_t)x86_image_end - KERNEL_VIRT;

    map_or_panic(base + start, start, text - start, PTE_W | PTE_NX);
    map_or_panic(base + text, text, rodata - text, text_flags);
    map_or_panic(base + rodata, rodata, data - rodata, PTE_NX);
    map_or_panic(base + data, data, guard - data, PTE_W | PTE_NX);
    map_or_panic(base + guard + PAGE, guard + PAGE, end - guard - PAGE, PTE_W | PTE_NX);
}

void x86_kmap_init(void)
{
    static const uint64_t fixed[] = { DIRECT_VIRT, NVM_VIRT, MMIO_VIRT, STACK_VIRT, KERNEL_VIRT };

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        (void)ensure_table(&kernel_pml4[fixed[i] >> TOP_SHIFT & 511]);
    map_image(KERNEL_VIRT, 0);
    map_image(DIRECT_VIRT, PTE_NX);
    map_or_panic(DIRECT_VIRT + TRAMPOLINE_PHYS, TRAMPOLINE_PHYS, PAGE, PTE_W | PTE_NX);
    for (unsigned i = 0; i < boot_info.nram; i++) {
        const struct boot_range *r = &boot_info.ram[i];

        map_or_panic(DIRECT_VIRT + r->start.addr, r->start.addr, r->len, PTE_W | PTE_NX);
    }
    x86_write_cr3(x86_kernel_root());
}

int arch_map_nvm(phys_t start, uint64_t len)
{
    uint64_t from = start.addr & ~((2ull << 20) - 1);
    uint64_t to = (start.addr + len + (2ull << 20) - 1) & ~((2ull << 20) - 1);
    int err;

    if (!len || start.addr + len < start.addr || to > RANGE_END)
        return -TWZ_ERANGE;
    err = x86_kmap(DIRECT_VIRT + from, from, to - from, PTE_NX);
    if (err)
        return err;
    return x86_kmap(NVM_VIRT + from, from, to - from, PTE_W | PTE_NX);
}

void *arch_map_mmio(phys_t start, uint64_t len)
{
    uint64_t from = start.addr & ~(PAGE - 1);
    uint64_t span = ((start.addr + len + PAGE - 1) & ~(PAGE - 1)) - from;
    uint64_t virt;

    if (!len || start.addr + len < start.addr || span > STACK_VIRT - MMIO_VIRT)
        return NULL;
    virt = __atomic_fetch_add(&mmio_next, span, __ATOMIC_RELAXED);
    if (virt + span > STACK_VIRT || x86_kmap(virt, from, span, PTE_W | PTE_NX | PTE_PCD | PTE_PWT))
        return NULL;
    return (void *)(virt + (start.addr - from));
}

void *arch_virt(phys_t p)
{
    return (void *)(DIRECT_VIRT + p.addr);
}

const void *arch_virt_nvm(phys_t p)
{
    return (const void *)(DIRECT_VIRT + p.addr);
}

void *arch_nvm_store(phys_t p)
{
    return (void *)(NVM_VIRT + p.addr);
}

phys_t arch_phys(const void *kernel_virt)
{
    uint64_t virt = (uint64_t)kernel_virt;

    if (virt >= KERNEL_VIRT)
        return (phys_t){ virt - KERNEL_VIRT };
    if (virt >= NVM_VIRT && virt < NVM_VIRT + RANGE_END)
        return (phys_t){ virt - NVM_VIRT };
    return (phys_t){ virt - DIRECT_VIRT };
}
