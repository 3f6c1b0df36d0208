/* SPDX-License-Identifier: MIT */
/*
 * A virtio 1.x device on PCI, and its queues (split rings, one frame each, no event index). Calls
 * on one device are serialised by its driver's lock. What the device writes is checked where it
 * could lead the kernel out of its tables; it can still write anywhere in memory by DMA.
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
    uint8_t *frame; /* VIRTQ_ROOM bytes from VIRTQ_BUFFERS on are the driver's */
    phys_t phys;
    volatile uint16_t *doorbell;
    uint16_t index;
    uint16_t avail_next; /* our copies: the device cannot change them */
    uint16_t used_next;
    uint16_t nfree;
    uint8_t free[VIRTQ_SIZE];
    uint32_t len[VIRTQ_SIZE]; /* of a buffer with the device; 0: the descriptor is free */
};
#define VIRTQ_BUFFERS 1024u
#define VIRTQ_ROOM    3072u

/* Resets the device and agrees on features: `wanted` must all be there. 0, -TWZ_ENOTSUP. */
MUST_CHECK int virtio_start(struct virtio *v, struct pci_fn at, uint64_t wanted);

/* Sets queue `index` up, message 0 for its interrupt. 0, -TWZ_ENOTSUP, -TWZ_ENOMEM. */
MUST_CHECK int virtq_init(struct virtio *v, struct virtq *q, uint16_t index);

/* After all queues: the device may work. */
void virtio_ready(struct virtio *v);
/* Or may not. */
void virtio_stop(struct virtio *v);

/* Gives a buffer to the device, to write into where `in`; its descriptor's number in *id.
 * false: all are in use. virtq_notify tells the device. */
bool virtq_put(struct virtq *q, phys_t at, uint32_t len, bool in, unsigned *id);
void virtq_notify(struct virtq *q);

/* Takes back the next buffer that the device is done with: its number and the bytes it wrote. */
bool virtq_take(struct virtq *q, unsigned *id, uint32_t *written);

/* Whether the device shall interrupt for buffers of this queue; after switching it on, look once
 * more. */
void virtq_interrupts(struct virtq *q, bool on);

#endif
