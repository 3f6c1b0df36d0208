/* SPDX-License-Identifier: MIT */
/*
 * The host console: a device KSO with up to TWZ_PORTS byte channels to the host. Each channel has
 * two rings in the device object. User code and kernel share only their counters, which are 64-bit,
 * never wrap and have a cache line each. The bytes [head, tail) are valid; the byte at position p
 * is data[p % size]. The producer must write the bytes before it raises tail.
 *
 * The kernel validates every counter that it reads. All counters are sync words; the kernel wakes
 * the one that it raises. After raising a counter, user code must call
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
    _Alignas(64) uint64_t head;     /* raised by the consumer: next byte to read */
    _Alignas(64) uint64_t released; /* reserved; equals head */
    _Alignas(64) uint64_t tail;     /* raised by the producer: next byte to write */
    _Alignas(64) uint64_t retired;  /* reserved; equals tail */
    _Alignas(64) uint64_t size;     /* bytes, a power of two; constant */
    uint64_t data;                  /* offset of the bytes in the device object; constant */
    uint64_t closed;                /* 1: the other end is gone */
    uint64_t pad[5];                /* 0 */
};
_Static_assert(sizeof(struct twz_ring) == 320, "ring size");

struct twz_port {
    uint8_t name[32]; /* the host's name of the channel; ends with a zero byte */
    uint64_t open;    /* 1: the host has it open */
    uint64_t lock;    /* a twz_mutex of user code, for writers */
    uint64_t lock_in; /* a twz_mutex of user code, for readers */
    uint64_t state;   /* of user code's protocol (libtwix/src/file/console.c) */
    struct twz_ring to_host;
    struct twz_ring from_host;
};

#define TWZ_CONSOLE_MAGIC 0x316e6f632d7a7774ull
struct twz_console {
    uint64_t magic;  /* TWZ_CONSOLE_MAGIC */
    uint64_t ports;  /* valid ports, from port[0] on */
    uint64_t pad[6]; /* 0 */
    struct twz_port port[TWZ_PORTS];
};

#define TWZ_DEV_NOTIFY 0u /* dev_ctl: user code has raised a counter of port arg */

#endif
