/* SPDX-License-Identifier: MIT */
/*
 * Copies memory map and command line from the loader's PVH start block into boot_info, before
 * anything is allocated. Every length is checked. The block must lie below 1 GiB, which is what
 * the boot page tables map.
 */
#include "../x86.h"
#include <kernel/boot.h>
#include <kernel/panic.h>
#include <lib/string.h>
#include <twz/hostlink.h>

#define START_MAGIC  0x336ec578u
#define BOOT_MAP_END (1ull << 30)
#define LOW_RESERVED (1ull << 20) /* firmware data, and the page where cores start */
#define PAGE         4096ull
#define MAP_ENTRIES  128u
#define MAP_TYPE_RAM 1u

struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modlist;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t memmap; /* version 1 */
    uint32_t memmap_entries;
    uint32_t reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "start info size");

struct memmap_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};
_Static_assert(sizeof(struct memmap_entry) == 24, "memory map entry size");

extern char x86_image_end[];
extern const uint8_t x86_kernel_hash[32];

struct boot_info boot_info;

static void *map_loader_data(uint64_t phys, uint64_t len)
{
    if (phys >= BOOT_MAP_END || len > BOOT_MAP_END - phys)
        fatal(TWZ_HOST_STOP_PANIC, "loader data at 0x%llx is out of reach",
              (unsigned long long)phys);
    return (void *)(DIRECT_VIRT + phys);
}

static void read_cmdline(uint64_t phys)
{
    const char *from;
    size_t i;

    if (!phys)
        return;
    from = map_loader_data(phys, BOOT_CMDLINE);
    for (i = 0; i < BOOT_CMDLINE - 1 && from[i]; i++)
        boot_info.cmdline[i] = from[i];
}

/* Inserts a range, rounded in to whole pages, in the order of addresses. */
static void insert_ram(uint64_t start, uint64_t end)
{
    unsigned at = boot_info.nram;

    start = (start + PAGE - 1) & ~(PAGE - 1);
    end &= ~(PAGE - 1);
    if (start >= end || at == BOOT_RANGES)
        return;
    for (; at > 0 && boot_info.ram[at - 1].start.addr > start; at--)
        boot_info.ram[at] = boot_info.ram[at - 1];
    boot_info.ram[at] = (struct boot_range){ { start }, end - start };
    boot_info.nram++;
}

/* Adds a range of RAM without the first MiB and without the kernel's image. */
static void add_ram(uint64_t start, uint64_t end)
{
    uint64_t image_end = (uint64_t)x86_image_end - KERNEL_VIRT;

    if (start < LOW_RESERVED)
        start = LOW_RESERVED;
    if (start < KERNEL_PHYS && end > KERNEL_PHYS) {
        insert_ram(start, KERNEL_PHYS);
        start = KERNEL_PHYS;
    }
    if (start >= KERNEL_PHYS && start < image_end)
        start = image_end;
    if (start < end)
        insert_ram(start, end);
}

/* Joins ranges that touch, because the allocator expects maximal ones. Where the firmware's ranges
 * overlap, the common part counts once. */
static void join_ram(void)
{
    unsigned out = 0;

    for (unsigned i = 1; i < boot_info.nram; i++) {
        struct boot_range *last = &boot_info.ram[out];
        struct boot_range next = boot_info.ram[i];
        uint64_t last_end = last->start.addr + last->len;

        if (next.start.addr > last_end) {
            boot_info.ram[++out] = next;
        } else if (next.start.addr + next.len > last_end) {
            last->len = next.start.addr + next.len - last->start.addr;
        }
    }
    if (boot_info.nram)
        boot_info.nram = out + 1;
}

uint64_t x86_memmap_read(uint64_t phys)
{
    const struct start_info *info = map_loader_data(phys, sizeof(*info));
    const struct memmap_entry *map;

    if (info->magic != START_MAGIC || info->version < 1)
        fatal(TWZ_HOST_STOP_PANIC, "the loader is not a PVH loader with a memory map");
    if (info->memmap_entries > MAP_ENTRIES)
        fatal(TWZ_HOST_STOP_PANIC, "the loader's memory map has %u entries", info->memmap_entries);
    map = map_loader_data(info->memmap, info->memmap_entries * sizeof(*map));
    for (uint32_t i = 0; i < info->memmap_entries; i++) {
        if (map[i].type == MAP_TYPE_RAM && map[i].addr + map[i].size > map[i].addr)
            add_ram(map[i].addr, map[i].addr + map[i].size);
    }
    join_ram();
    if (!boot_info.nram)
        fatal(TWZ_HOST_STOP_PANIC, "the loader reports no memory");
    read_cmdline(info->cmdline);
    memcpy(boot_info.kernel_hash, x86_kernel_hash, sizeof(boot_info.kernel_hash));
    return info->rsdp;
}
