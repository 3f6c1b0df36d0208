/* SPDX-License-Identifier: MIT */
/*
 * Owns the addresses of memory registers to which the firmware assigned none: a range below the
 * interrupt controllers, where no machine has memory. They are assigned at boot and never freed.
 */
#include "pci.h"

#define PCI_COMMAND       0x04u
#define PCI_STATUS_CAPS   (1u << 20) /* in the dword of command and status */
#define PCI_COMMAND_MEM   2u
#define PCI_COMMAND_MAST  4u
#define PCI_COMMAND_NOIRQ (1u << 10)
#define PCI_BAR0          0x10u
#define PCI_CAPS          0x34u

#define PCI_BAR_IO 1u
#define PCI_BAR_64 4u

#define MSIX_ENABLE (1u << 31)
#define MSIX_MASK   (1u << 30)

#define HOLE_START 0xf0000000u
#define HOLE_END   0xfec00000u

static uint32_t hole_next = HOLE_START;

uint32_t pci_read32(struct pci_fn at, unsigned off)
{
    return arch_pci_read32(0, at.dev, at.fn, off);
}

static void pci_write32(struct pci_fn at, unsigned off, uint32_t value)
{
    arch_pci_write32(0, at.dev, at.fn, off, value);
}

uint8_t pci_read8(struct pci_fn at, unsigned off)
{
    return (uint8_t)(pci_read32(at, off & ~3u) >> (off & 3) * 8);
}

bool pci_find(const uint32_t *ids, unsigned nids, struct pci_fn *out)
{
    for (uint8_t dev = 0; dev < 32; dev++) {
        uint32_t id = arch_pci_read32(0, dev, 0, 0);

        for (unsigned i = 0; i < nids; i++) {
            if (id == ids[i]) {
                *out = (struct pci_fn){ .dev = dev };
                return true;
            }
        }
    }
    return false;
}

unsigned pci_capability(struct pci_fn at, unsigned after, uint8_t id)
{
    unsigned cap;

    if (!(pci_read32(at, PCI_COMMAND) & PCI_STATUS_CAPS))
        return 0;
    cap = pci_read8(at, after ? after + 1 : PCI_CAPS) & 0xfcu;
    for (unsigned steps = 0; cap && steps < 48; steps++) {
        if (pci_read8(at, cap) == id)
            return cap;
        cap = pci_read8(at, cap + 1) & 0xfcu;
    }
    return 0;
}

void pci_master(struct pci_fn at, bool on)
{
    uint32_t command = pci_read32(at, PCI_COMMAND) & 0xffff;
    uint32_t bits = PCI_COMMAND_MEM | PCI_COMMAND_MAST | PCI_COMMAND_NOIRQ;

    pci_write32(at, PCI_COMMAND,
                on ? command | bits : command & ~(PCI_COMMAND_MEM | PCI_COMMAND_MAST));
}

/* The length of a memory register: the address bits that cannot be set show it. */
static uint32_t bar_size(struct pci_fn at, unsigned reg)
{
    uint32_t old = pci_read32(at, reg);
    uint32_t mask;

    pci_write32(at, reg, 0xffffffffu);
    mask = pci_read32(at, reg) & ~0xfu;
    pci_write32(at, reg, old);
    return mask & -mask;
}

/* Assigns a memory register the next free address. No effect if none is left. */
static void assign_bar(struct pci_fn at, unsigned reg, uint32_t low, uint32_t size)
{
    uint32_t start = (hole_next + size - 1) & -size;

    if (!size || start < hole_next || start + size > HOLE_END || start + size < start)
        return;
    hole_next = start + size;
    pci_write32(at, reg, start);
    if (low & PCI_BAR_64)
        pci_write32(at, reg + 4, 0);
}

void *pci_bar(struct pci_fn at, unsigned bar, uint32_t off, uint32_t len)
{
    unsigned reg = PCI_BAR0 + 4 * bar;
    uint64_t high;
    uint32_t low;

    if (bar > 5)
        return NULL;
    low = pci_read32(at, reg);
    if (low & PCI_BAR_IO)
        return NULL;
    high = low & PCI_BAR_64 ? pci_read32(at, reg + 4) : 0;
    if (!high && !(low & ~0xfu)) {
        assign_bar(at, reg, low, bar_size(at, reg));
        low = pci_read32(at, reg);
        if (!(low & ~0xfu))
            return NULL;
    }
    return arch_map_mmio((phys_t){ (high << 32 | (low & ~0xfu)) + off }, len);
}

int pci_message(struct pci_fn at, arch_irq_fn fn, void *arg)
{
    unsigned cap = pci_capability(at, 0, PCI_CAP_MSIX);
    volatile uint32_t *entry;
    uint32_t table, data;
    uint64_t address;
    int err;

    if (!cap)
        return -TWZ_ENOTSUP;
    table = pci_read32(at, cap + 4);
    entry = pci_bar(at, table & 7, table & ~7u, 16);
    if (!entry)
        return -TWZ_ENOTSUP;
    err = arch_msi_alloc(fn, arg, &address, &data);
    if (err < 0)
        return err;
    entry[0] = (uint32_t)address;
    entry[1] = (uint32_t)(address >> 32);
    entry[2] = data;
    entry[3] = 0;
    pci_write32(at, cap, (pci_read32(at, cap) & ~MSIX_MASK) | MSIX_ENABLE);
    return 0;
}
