/* SPDX-License-Identifier: MIT */
/*
 * The host console: a device KSO with up to TWZ_PORTS byte channels to the host. Each channel has
 * two rings in the device object; user code and kernel meet only in their counters, which are
 * 64-bit, never wrap, and lie on a line each. The producer fills [head, tail) + published by tail;
 * released and retired are for later (released == head, retired == tail today). Position p lies at
 * data[p % size]. The kernel validates every counter it reads. All words are sync words: the
 * kernel wakes the counter it moves. After moving a counter, user code calls
 * dev_ctl(device, TWZ_DEV_NOTIFY, port).
 */
#ifndef TWZ_DEVICE_H
#define TWZ_DEVICE_H

#include <twz/object.h>

#define TWZ_PORTS    4u
#define TWZ_PORT_CTL 0u
#define TWZ_PORT_IN  1u
#define TWZ_PORT_OUT 2u
#define TWZ_PORT_ERR 3u

struct twz_ring {
    _Alignas(64) uint64_t head; /* consumer: next byte to take */
    _Alignas(64) uint64_t released;
    _Alignas(64) uint64_t tail; /* producer: next byte to fill */
    _Alignas(64) uint64_t retired;
    _Alignas(64) uint64_t size; /* bytes, a power of two; constant */
    uint64_t data;              /* offset of the bytes in the device object; constant */
    uint64_t closed;            /* 1: the other end is gone */
    uint64_t pad[5];
};
_Static_assert(sizeof(struct twz_ring) == 320, "ring size");

struct twz_port {
    uint8_t name[32];
    uint64_t open;
    uint64_t lock;    /* user code's: {thread generation} of the writer, 0: free */
    uint64_t lock_in; /* the same for the reader */
    uint64_t state;   /* user code's: where its protocol stands (libtwix/src/file/console.c) */
    struct twz_ring to_host;
    struct twz_ring from_host;
};

#define TWZ_CONSOLE_MAGIC 0x316e6f632d7a7774ull
struct twz_console {
    uint64_t magic;
    uint64_t ports;
    uint64_t pad[6];
    struct twz_port port[TWZ_PORTS];
};

#define TWZ_DEV_NOTIFY 0u /* arg: port */

#endif
