/* SPDX-License-Identifier: MIT */
/*
 * PCI functions on bus 0, for drivers in the kernel: finds one, maps its registers, routes its
 * message interrupt. Boot only, on the first core: nothing here takes a lock.
 *
 * A driver in user space would get the range of pci_bar as pages of its DEVICE object
 * (obj_map_foreign, ARCH_PT_UNCACHED), and for each message vector a handler that adds one to a
 * word of that object and wakes it (sync_wake). To take the device back, the kernel must call
 * pci_master(fn, false), then mask, unmap and unpin, in this order.
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

/* Finds the first function 0 on bus 0 with one of these IDs (device << 16 | vendor). */
bool pci_find(const uint32_t *ids, unsigned nids, struct pci_fn *out);

uint8_t pci_read8(struct pci_fn at, unsigned off);
uint32_t pci_read32(struct pci_fn at, unsigned off);

/* The offset of the first capability with this number, or of the next one after `after`. 0: there
 * is none. */
unsigned pci_capability(struct pci_fn at, unsigned after, uint8_t id);

/* Lets the function answer memory accesses and make its own (bus master), or forbids both. */
void pci_master(struct pci_fn at, bool on);

/* Maps the range [off, off + len) of memory register `bar`, for good. Assigns it an address if the
 * firmware did not. NULL: no such register, or no address space. */
void *pci_bar(struct pci_fn at, unsigned bar, uint32_t off, uint32_t len);

/* Routes the function's message 0 to fn(arg). -TWZ_ENOTSUP: it has no MSI-X; -TWZ_EFULL: no vector
 * is free. */
MUST_CHECK int pci_message(struct pci_fn at, arch_irq_fn fn, void *arg);

#endif
