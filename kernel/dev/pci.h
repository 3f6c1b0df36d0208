/* SPDX-License-Identifier: MIT */
/*
 * PCI functions on bus 0: finding one, its registers, its message interrupt. For drivers in the
 * kernel; one for user space would get pci_bar's range as pages of its DEVICE object
 * (obj_map_foreign, uncached), and for each message vector a handler that adds one to a word of
 * that object and wakes it (sync_wake). Giving the device back is: pci_master(fn, false), mask,
 * unmap, unpin, in this order.
 */
#ifndef DEV_PCI_H
#define DEV_PCI_H

#include <kernel/arch.h>

struct pci_fn {
    uint8_t dev;
    uint8_t fn;
};

#define PCI_CAP_VENDOR 0x09u
#define PCI_CAP_MSIX   0x11u

/* The first function 0 on bus 0 whose ID is one of ids (device << 16 | vendor). */
bool pci_find(const uint32_t *ids, unsigned nids, struct pci_fn *out);

uint8_t pci_read8(struct pci_fn at, unsigned off);
uint32_t pci_read32(struct pci_fn at, unsigned off);

/* The capability after `after` (0: the first) with this number; its offset, 0: none. */
unsigned pci_capability(struct pci_fn at, unsigned after, uint8_t id);

/* Lets the function answer to memory accesses and make them itself, or not. */
void pci_master(struct pci_fn at, bool on);

/*
 * Memory register `bar`'s range [off, off + len) mapped; a register that the firmware left without
 * an address gets one first. NULL: no such register, or no room.
 */
void *pci_bar(struct pci_fn at, unsigned bar, uint32_t off, uint32_t len);

/* Routes the function's message 0 to fn(arg). -TWZ_ENOTSUP: it has no MSI-X; -TWZ_EFULL. */
MUST_CHECK int pci_message(struct pci_fn at, arch_irq_fn fn, void *arg);

#endif
