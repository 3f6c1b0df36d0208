/* SPDX-License-Identifier: MIT */
/*
 * Inside the console: its ports, and the functions that move bytes. All of it is under
 * console.lock; the functions return whom to wake (WAKE_*) once the lock is free.
 */
#ifndef DEV_PORTS_H
#define DEV_PORTS_H

#include <kernel/lock.h>
#include <kernel/object.h>
#include <twz/device.h>

#include "virtio.h"

/* Events of control messages. */
#define EVENT_DEVICE_READY 0u
#define EVENT_PORT_ADD     1u
#define EVENT_PORT_REMOVE  2u
#define EVENT_PORT_READY   3u
#define EVENT_PORT_OPEN    6u
#define EVENT_PORT_NAME    7u
#define MESSAGE_BYTES      96u /* longer ones are cut: only names can be */

struct message {
    uint32_t id;
    uint16_t event;
    uint16_t value;
};
_Static_assert(sizeof(struct message) == 8, "control message size");
_Static_assert(MESSAGE_BYTES *VIRTQ_SIZE <= VIRTQ_ROOM, "control messages fit");

#define BOUNCE_BYTES 4096u

/* One ring, as the kernel knows it. */
struct channel {
    struct twz_ring *ring; /* in the object's first page */
    uint64_t ring_off;     /* and where it lies in the object */
    uint8_t *data;
    phys_t phys;
    uint64_t size; /* 0: there is none */
    uint64_t done; /* to host: head; from host: tail */
    uint64_t sent; /* to host: given to the device */
};

/* A queue whose buffers the device writes. */
struct inbox {
    struct virtq q;
    phys_t base;
    uint32_t each;              /* bytes of a buffer */
    uint8_t buffer[VIRTQ_SIZE]; /* descriptor -> buffer */
};

struct port {
    struct twz_port *shared;
    struct channel out;
    struct channel in;
    struct virtq outq;
    uint32_t piece[VIRTQ_SIZE]; /* descriptor of outq -> bytes of the ring it covers */
    struct inbox inbox;
    const uint8_t *got; /* rest of the bounce buffer being copied */
    uint32_t got_len;
    uint8_t got_buffer;
    uint32_t nr; /* the virtio port */
    bool opened; /* the host has been there at least once */
};

struct console {
    struct spinlock lock;
    struct object *object;
    struct virtio virtio;
    bool present;
    struct inbox control_in;
    struct virtq control_out;
    unsigned control_slot;
    struct port port[TWZ_PORTS];
};
extern struct console console;

/* Whom to wake once the lock is free: bit 2 * port for its head, the next one for its tail, bit
 * 16 + port for its open word. */
#define WAKE_HEAD(port) (1u << 2 * (port))
#define WAKE_TAIL(port) (2u << 2 * (port))
#define WAKE_OPEN(port) (1u << (16 + (port)))

/* What user code put into the ring goes to the device; what the device has read is given back. */
unsigned port_out_pump(unsigned port);
/* What the device has written goes into the ring. */
unsigned port_in_pump(unsigned port);
/* All of them, and the control messages. */
unsigned port_pump_all(void);

/* Gives the device a buffer to write into. */
void inbox_give(struct inbox *in, uint8_t buffer);
/* Sends a control message; a full queue drops it. */
void control_send(uint32_t id, unsigned event, unsigned value);

#endif
