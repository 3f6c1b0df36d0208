/* SPDX-License-Identifier: MIT */
/*
 * A queue's frame: descriptors at 0, the available ring at 512, the used ring at 600, the driver's
 * buffers from VIRTQ_BUFFERS on. The device reads the first two and writes the third. Only q->len
 * and q->free, which the device cannot reach, decide which descriptors are free.
 */
#include "virtio.h"

#include <kernel/phys.h>
#include <stdatomic.h>

#define CAP_COMMON 1u
#define CAP_NOTIFY 2u

/* Offsets in the common configuration. */
#define C_DEVICE_SELECT 0u
#define C_DEVICE_FEATS  4u
#define C_DRIVER_SELECT 8u
#define C_DRIVER_FEATS  12u
#define C_CONFIG_MSIX   16u
#define C_STATUS        20u
#define C_QUEUE_SELECT  22u
#define C_QUEUE_SIZE    24u
#define C_QUEUE_MSIX    26u
#define C_QUEUE_ENABLE  28u
#define C_QUEUE_NOTIFY  30u
#define C_QUEUE_DESC    32u
#define C_QUEUE_AVAIL   40u
#define C_QUEUE_USED    48u
#define C_BYTES         56u

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u

#define FEATURE_VERSION_1 (1ull << 32)
#define NO_VECTOR         0xffffu

#define DESC_WRITE         2u
#define AVAIL_NO_INTERRUPT 1u

#define AVAIL_AT 512u
#define USED_AT  600u

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

struct avail {
    uint16_t flags;
    uint16_t next;
    uint16_t ring[VIRTQ_SIZE];
};

struct used {
    uint16_t flags;
    uint16_t next;
    struct {
        uint32_t id;
        uint32_t len;
    } ring[VIRTQ_SIZE];
};
_Static_assert(sizeof(struct desc) * VIRTQ_SIZE <= AVAIL_AT, "descriptors fit");
_Static_assert(AVAIL_AT + sizeof(struct avail) <= USED_AT, "available ring fits");
_Static_assert(USED_AT % 4 == 0 && USED_AT + sizeof(struct used) <= VIRTQ_BUFFERS, "used fits");

static void write_config8(struct virtio *v, unsigned off, uint8_t value)
{
    v->common[off] = value;
}

static void write_config16(struct virtio *v, unsigned off, uint16_t value)
{
    *(volatile uint16_t *)(v->common + off) = value;
}

static void write_config32(struct virtio *v, unsigned off, uint32_t value)
{
    *(volatile uint32_t *)(v->common + off) = value;
}

static void write_config64(struct virtio *v, unsigned off, uint64_t value)
{
    write_config32(v, off, (uint32_t)value);
    write_config32(v, off + 4, (uint32_t)(value >> 32));
}

static uint16_t read_config16(struct virtio *v, unsigned off)
{
    return *(volatile uint16_t *)(v->common + off);
}

static uint32_t read_config32(struct virtio *v, unsigned off)
{
    return *(volatile uint32_t *)(v->common + off);
}

/* Maps the registers that a vendor capability describes: bar at +4, offset at +8, length at +12. */
static volatile uint8_t *map_capability(struct virtio *v, unsigned cap, uint32_t *len)
{
    *len = pci_read32(v->pci, cap + 12);
    return pci_bar(v->pci, pci_read8(v->pci, cap + 4), pci_read32(v->pci, cap + 8), *len);
}

static int map_registers(struct virtio *v)
{
    uint32_t common_len = 0;
    unsigned cap = pci_capability(v->pci, 0, PCI_CAP_VENDOR);

    for (; cap; cap = pci_capability(v->pci, cap, PCI_CAP_VENDOR)) {
        unsigned type = pci_read8(v->pci, cap + 3);

        if (type == CAP_COMMON && !v->common) {
            v->common = map_capability(v, cap, &common_len);
        } else if (type == CAP_NOTIFY && !v->notify) {
            v->notify = map_capability(v, cap, &v->notify_len);
            v->notify_step = pci_read32(v->pci, cap + 16);
        }
    }
    return v->common && v->notify && common_len >= C_BYTES ? 0 : -TWZ_ENOTSUP;
}

/* Accepts `wanted` and VERSION_1, and no other feature. */
static int negotiate_features(struct virtio *v, uint64_t wanted)
{
    wanted |= FEATURE_VERSION_1;
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t bits = (uint32_t)(wanted >> 32 * half);

        write_config32(v, C_DEVICE_SELECT, half);
        if ((read_config32(v, C_DEVICE_FEATS) & bits) != bits)
            return -TWZ_ENOTSUP;
        write_config32(v, C_DRIVER_SELECT, half);
        write_config32(v, C_DRIVER_FEATS, bits);
    }
    write_config8(v, C_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    return v->common[C_STATUS] & STATUS_FEATURES_OK ? 0 : -TWZ_ENOTSUP;
}

int virtio_start(struct virtio *v, struct pci_fn at, uint64_t wanted)
{
    int err;

    *v = (struct virtio){ .pci = at };
    pci_master(at, true);
    err = map_registers(v);
    if (err < 0)
        return err;
    write_config8(v, C_STATUS, 0);
    while (v->common[C_STATUS])
        arch_pause();
    write_config8(v, C_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    err = negotiate_features(v, wanted);
    if (err == 0)
        write_config16(v, C_CONFIG_MSIX, NO_VECTOR);
    return err;
}

static void reset_queue(struct virtq *q)
{
    q->avail_next = q->used_next = 0;
    q->nfree = VIRTQ_SIZE;
    for (unsigned i = 0; i < VIRTQ_SIZE; i++) {
        q->free[i] = (uint8_t)(VIRTQ_SIZE - 1 - i);
        q->len[i] = 0;
    }
}

int virtq_init(struct virtio *v, struct virtq *q, uint16_t index)
{
    uint32_t bell;

    write_config16(v, C_QUEUE_SELECT, index);
    bell = read_config16(v, C_QUEUE_NOTIFY) * v->notify_step;
    if (read_config16(v, C_QUEUE_SIZE) < VIRTQ_SIZE || bell + 2 > v->notify_len)
        return -TWZ_ENOTSUP;
    q->phys = phys_alloc_zeroed();
    if (phys_is_none(q->phys))
        return -TWZ_ENOMEM;
    q->frame = arch_virt(q->phys);
    q->index = index;
    q->doorbell = (volatile uint16_t *)(v->notify + bell);
    reset_queue(q);
    write_config16(v, C_QUEUE_SIZE, VIRTQ_SIZE);
    write_config16(v, C_QUEUE_MSIX, 0);
    write_config64(v, C_QUEUE_DESC, q->phys.addr);
    write_config64(v, C_QUEUE_AVAIL, q->phys.addr + AVAIL_AT);
    write_config64(v, C_QUEUE_USED, q->phys.addr + USED_AT);
    write_config16(v, C_QUEUE_ENABLE, 1);
    return read_config16(v, C_QUEUE_MSIX) == 0 ? 0 : -TWZ_ENOTSUP;
}

void virtio_ready(struct virtio *v)
{
    write_config8(v, C_STATUS,
                  STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

static struct avail *avail_of(const struct virtq *q)
{
    return (struct avail *)(void *)(q->frame + AVAIL_AT);
}

bool virtq_put(struct virtq *q, phys_t at, uint32_t len, bool in, unsigned *id)
{
    struct desc *table = (struct desc *)(void *)q->frame;
    struct avail *avail = avail_of(q);
    uint8_t n;

    if (!q->nfree)
        return false;
    n = q->free[--q->nfree];
    table[n] = (struct desc){ .addr = at.addr, .len = len, .flags = in ? DESC_WRITE : 0 };
    q->len[n] = len;
    avail->ring[q->avail_next++ % VIRTQ_SIZE] = n;
    /* The descriptor, before the index that lets the device read it. */
    atomic_thread_fence(memory_order_release);
    *(volatile uint16_t *)&avail->next = q->avail_next;
    *id = n;
    return true;
}

void virtq_notify(struct virtq *q)
{
    /* The buffers, before the doorbell. */
    atomic_thread_fence(memory_order_seq_cst);
    *q->doorbell = q->index;
}

bool virtq_get(struct virtq *q, unsigned *id, uint32_t *written)
{
    const volatile struct used *used = (const volatile struct used *)(void *)(q->frame + USED_AT);

    while (used->next != q->used_next) {
        uint32_t n, len;

        atomic_thread_fence(memory_order_acquire); /* the index, before the entry it covers */
        n = used->ring[q->used_next % VIRTQ_SIZE].id;
        len = used->ring[q->used_next % VIRTQ_SIZE].len;
        q->used_next++;
        if (n >= VIRTQ_SIZE || !q->len[n])
            continue;
        *id = n;
        *written = len < q->len[n] ? len : q->len[n];
        q->len[n] = 0;
        q->free[q->nfree++] = (uint8_t)n;
        return true;
    }
    return false;
}

void virtq_interrupts(struct virtq *q, bool on)
{
    *(volatile uint16_t *)&avail_of(q)->flags = (uint16_t)(on ? 0 : AVAIL_NO_INTERRUPT);
    /* The flag, before the caller looks for used buffers again. */
    atomic_thread_fence(memory_order_seq_cst);
}
