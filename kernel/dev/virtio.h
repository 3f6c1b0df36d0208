/* SPDX-License-Identifier: MIT */
/*
 * A virtio 1.x device on PCI, and its queues (split rings, one frame each, no event index). The
 * driver must serialise the calls for one device by a lock of its own. Values that the device
 * writes are checked before the kernel uses them as an index. The device can still write anywhere
 * in memory by DMA.
 */
#ifndef DEV_VIRTIO_H
#define DEV_VIRTIO_H

#include "pci.h"

#define VIRTQ_SIZE 32u /* descriptors: 16-byte ones, and both rings, in the first kilobyte */

struct virtio {
    struct pci_fn pci;
    volatile uint8_t *common;
    volatile uint8_t *notify;
    uint32_t notify_len;
    uint32_t notify_step;
};

struct virtq {
    uint8_t *frame; /* VIRTQ_BUFFER_BYTES bytes from VIRTQ_BUFFERS on are the driver's */
    phys_t phys;
    volatile uint16_t *doorbell;
    uint16_t index;
    uint16_t avail_next; /* the kernel's copies, which the device cannot change */
    uint16_t used_next;
    uint16_t nfree;
    uint8_t free[VIRTQ_SIZE];
    uint32_t len[VIRTQ_SIZE]; /* of a buffer that the device has; 0: the descriptor is free */
};
#define VIRTQ_BUFFERS      1024u
#define VIRTQ_BUFFER_BYTES 3072u

/* Resets the device and negotiates features. -TWZ_ENOTSUP: it lacks one of `wanted`, or is not a
 * virtio 1.x device. */
MUST_CHECK int virtio_start(struct virtio *v, struct pci_fn at, uint64_t wanted);

/* Sets up queue `index`, with message 0 for its interrupt. Must be called before virtio_ready.
 * -TWZ_ENOTSUP: the device has no such queue, or a smaller one; -TWZ_ENOMEM. */
MUST_CHECK int virtq_init(struct virtio *v, struct virtq *q, uint16_t index);

/* Lets the device work. */
void virtio_ready(struct virtio *v);

/* Adds a buffer for the device to write to (`in`) or to read; *id: its descriptor. False: all
 * descriptors are in use. The caller must call virtq_notify after the last of several. */
bool virtq_put(struct virtq *q, phys_t at, uint32_t len, bool in, unsigned *id);
void virtq_notify(struct virtq *q);

/* The next buffer that the device has used: its descriptor, which is free again, and the number of
 * bytes written. False: there is none. */
bool virtq_get(struct virtq *q, unsigned *id, uint32_t *written);

/* Enables or disables the device's interrupts for this queue. After enabling them the caller must
 * call virtq_get once more: a buffer used before that raises none. */
void virtq_interrupts(struct virtq *q, bool on);

#endif
