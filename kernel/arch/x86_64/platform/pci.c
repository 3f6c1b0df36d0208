/* SPDX-License-Identifier: MIT */
/* PCI configuration space by way of its two I/O ports. `lock` guards the pair of ports. */
#include "../x86.h"
#include <kernel/lock.h>

#define ADDRESS 0xcf8u
#define DATA    0xcfcu
#define ENABLE  0x80000000u

static SHARED_LOCK struct spinlock lock;

static void select_register(unsigned bus, unsigned dev, unsigned fn, unsigned off)
{
    x86_outl(ADDRESS,
             ENABLE | (bus & 0xffu) << 16 | (dev & 0x1fu) << 11 | (fn & 7u) << 8 | (off & 0xfcu));
}

uint32_t arch_pci_read32(unsigned bus, unsigned dev, unsigned fn, unsigned off)
{
    uint32_t value;

    spin_lock(&lock);
    select_register(bus, dev, fn, off);
    value = x86_inl(DATA);
    spin_unlock(&lock);
    return value;
}

void arch_pci_write32(unsigned bus, unsigned dev, unsigned fn, unsigned off, uint32_t value)
{
    spin_lock(&lock);
    select_register(bus, dev, fn, off);
    x86_outl(DATA, value);
    spin_unlock(&lock);
}
