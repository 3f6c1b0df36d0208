/* SPDX-License-Identifier: MIT */
/*
 * Owns the addresses given to memory registers that the firmware left alone: a range below the
 * interrupt controllers where no machine has memory, handed out once at boot and never taken back.
 * Boot only, one core: no locks.
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

static void write32(struct pci_fn at, unsigned off, uint32_t value)
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
    if (!(pci_read32(at, PCI_COMMAND) & PCI_STATUS_CAPS))
        return 0;

    unsigned cap = pci_read8(at, after ? after + 1 : PCI_CAPS) & 0xfcu;
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

    write32(at, PCI_COMMAND, on ? command | bits : command & ~(PCI_COMMAND_MEM | PCI_COMMAND_MAST));
}

/* Length of a memory register, measured by what of its address cannot be set. */
static uint32_t bar_size(struct pci_fn at, unsigned reg)
{
    uint32_t old = pci_read32(at, reg);

    write32(at, reg, 0xffffffffu);
    uint32_t mask = pci_read32(at, reg) & ~0xfu;
    write32(at, reg, old);
    return mask & -mask;
}

static void bar_place(struct pci_fn at, unsigned reg, uint32_t low, uint32_t size)
{
    uint32_t start = (hole_next + size - 1) & -size;

    if (!size || start < hole_next || start + size > HOLE_END || start + size < start)
        return;
    hole_next = start + size;
    write32(at, reg, start);
    if (low & PCI_BAR_64)
        write32(at, reg + 4, 0);
}

void *pci_bar(struct pci_fn at, unsigned bar, uint32_t off, uint32_t len)
{
    unsigned reg = PCI_BAR0 + 4 * bar;

    if (bar > 5)
        return NULL;
    uint32_t low = pci_read32(at, reg);
    if (low & PCI_BAR_IO)
        return NULL;
    uint64_t high = low & PCI_BAR_64 ? pci_read32(at, reg + 4) : 0;
    if (!high && !(low & ~0xfu)) {
        bar_place(at, reg, low, bar_size(at, reg));
        low = pci_read32(at, reg);
        if (!(low & ~0xfu))
            return NULL;
    }
    return arch_map_mmio((phys_t){ (high << 32 | (low & ~0xfu)) + off }, len);
}

int pci_message(struct pci_fn at, arch_irq_fn fn, void *arg)
{
    unsigned cap = pci_capability(at, 0, PCI_CAP_MSIX);
    if (!cap)
        return -TWZ_ENOTSUP;

    uint32_t table = pci_read32(at, cap + 4);
    volatile uint32_t *entry = pci_bar(at, table & 7, table & ~7u, 16);
    if (!entry)
        return -TWZ_ENOTSUP;

    uint64_t address;
    uint32_t data;
    int err = arch_msi_alloc(fn, arg, &address, &data);
    if (err < 0)
        return err;
    entry[0] = (uint32_t)address;
    entry[1] = (uint32_t)(address >> 32);
    entry[2] = data;
    entry[3] = 0;
    write32(at, cap, (pci_read32(at, cap) & ~MSIX_MASK) | MSIX_ENABLE);
    return 0;
}
