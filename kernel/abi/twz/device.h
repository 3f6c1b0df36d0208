/* SPDX-License-Identifier: MIT */
/*
 * The link to the host: up to TWZ_PORTS byte channels, in two DEVICE objects of one layout. The
 * console object has the ports IN, OUT and ERR; its ID stands in the system information page. The
 * control object has the port CTL. The kernel maps it in the first program's view
 * (TWZ_SLOT_CONTROL) and publishes its ID nowhere.
 *
 *   offset                  for user code  content
 *   TWZ_OBJ_BASE            read-only      struct twz_console: the words of the kernel
 *   TWZ_CONSOLE_USER        read-write     struct twz_console_user: those of user code
 *   TWZ_RING_OUT(port)      read-write     bytes to the host
 *   TWZ_RING_IN(port)       read-only      bytes from the host
 *
 * Offsets and sizes of the rings are constants. The byte at position p of a ring of n bytes is
 * byte p % n. Positions are 64-bit and never wrap. To the host, the bytes [out_head, out_tail) are
 * valid; from the host, the bytes [in_head, in_tail). The producer must write the bytes before it
 * raises the tail.
 *
 * Any program that maps the object may store any value in a word of user code. So a reader must
 * check each counter of user code against those of the kernel:
 *
 *   out_head <= out_taken <= out_tail <= out_head + size     else out_tail counts as out_taken
 *   in_read <= in_head <= in_tail                            else in_head counts as in_read
 *
 * The kernel ignores a counter that breaks this. Its own counters out_head and in_tail are sync
 * words; the kernel wakes the one that it raises, and `open`. After a change of a counter, user
 * code must call dev_ctl(device, TWZ_DEV_NOTIFY, port).
 */
#ifndef TWZ_DEVICE_H
#define TWZ_DEVICE_H

#include <twz/object.h>

#define TWZ_PORTS    4u
#define TWZ_PORT_CTL 0u
#define TWZ_PORT_IN  1u
#define TWZ_PORT_OUT 2u
#define TWZ_PORT_ERR 3u

/* The rings: offset in the object, and bytes, a power of two; 0: there is none. */
#define TWZ_RING_MAX            0x40000u
#define TWZ_RING_MIN            0x4000u
#define TWZ_RING_OUT(port)      ((1ull << 20) + (port) * (uint64_t)TWZ_RING_MAX)
#define TWZ_RING_IN(port)       ((2ull << 20) + (port) * (uint64_t)TWZ_RING_MAX)
#define TWZ_RING_OUT_SIZE(port) ((port) == TWZ_PORT_OUT ? TWZ_RING_MAX : TWZ_RING_MIN)
#define TWZ_RING_IN_SIZE(port) \
    ((port) == TWZ_PORT_IN ? TWZ_RING_MAX : (port) == TWZ_PORT_CTL ? TWZ_RING_MIN : 0u)

struct twz_port {
    uint8_t name[32];                   /* the host's name of the channel; ends with a zero byte */
    uint64_t open;                      /* 1: the host has it open */
    uint64_t closed;                    /* 1: the host has closed it */
    uint64_t out_taken;                 /* end of the bytes that the device was given */
    uint64_t in_read;                   /* the last in_head that the kernel accepted */
    _Alignas(64) uint64_t out_head;     /* to the host: the next byte that will be read */
    _Alignas(64) uint64_t out_released; /* reserved; equals out_head */
    _Alignas(64) uint64_t in_tail;      /* from the host: the next byte that will be written */
    _Alignas(64) uint64_t in_retired;   /* reserved; equals in_tail */
};
_Static_assert(sizeof(struct twz_port) == 320, "port size");

/* At the base. */
#define TWZ_CONSOLE_MAGIC 0x326e6f632d7a7774ull
struct twz_console {
    uint64_t magic;  /* TWZ_CONSOLE_MAGIC */
    uint64_t ports;  /* bit set of the ports that the object has */
    uint64_t pad[6]; /* 0 */
    struct twz_port port[TWZ_PORTS];
};
_Static_assert(sizeof(struct twz_console) <= TWZ_PAGE_SIZE, "console fits a page");

struct twz_port_user {
    uint64_t lock;                     /* a twz_mutex, for writers */
    uint64_t lock_in;                  /* a twz_mutex, for readers */
    uint64_t state;                    /* of a protocol (libtwix/src/file/console.c) */
    uint64_t pad[5];                   /* 0 */
    _Alignas(64) uint64_t out_tail;    /* to the host: the next byte to write */
    _Alignas(64) uint64_t out_retired; /* reserved; equals out_tail */
    _Alignas(64) uint64_t in_head;     /* from the host: the next byte to read */
    _Alignas(64) uint64_t in_released; /* reserved; equals in_head */
};
_Static_assert(sizeof(struct twz_port_user) == 320, "user port size");

#define TWZ_CONSOLE_USER (TWZ_OBJ_BASE + TWZ_PAGE_SIZE)
struct twz_console_user {
    struct twz_port_user port[TWZ_PORTS];
};
_Static_assert(sizeof(struct twz_console_user) <= TWZ_PAGE_SIZE, "console counters fit a page");

#define TWZ_DEV_NOTIFY 0u /* dev_ctl: user code has changed a counter of port arg */

#endif
