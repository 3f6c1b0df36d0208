/* SPDX-License-Identifier: MIT */
/*
 * Private to the console: its ports, and the functions that move bytes. The caller must hold
 * console.lock. Where a function returns WAKE bits, the caller must wake these waiters after it has
 * released the lock.
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
#define MESSAGE_BYTES      96u /* longer messages, which only names can be, are cut */

struct message {
    uint32_t id;
    uint16_t event;
    uint16_t value;
};
_Static_assert(sizeof(struct message) == 8, "control message size");
_Static_assert(MESSAGE_BYTES *VIRTQ_SIZE <= VIRTQ_BUFFER_BYTES, "control messages fit");

#define BOUNCE_BYTES 4096u

/* The kernel's own state of a ring. */
struct channel {
    uint64_t *mine;         /* the counter that the kernel raises, in the page of the kernel */
    uint64_t *mine_twin;    /* its twin for later use (twz/device.h) */
    const uint64_t *theirs; /* the counter of user code */
    uint64_t mine_off;      /* offset of *mine in the object */
    uint8_t *data;
    phys_t phys;
    uint64_t size; /* 0: no ring */
    uint64_t done; /* to host: head; from host: tail */
    uint64_t sent; /* to host: end of the bytes that the device has; from host: in_read */
};

/* A queue with buffers that the device fills. */
struct inbox {
    struct virtq q;
    phys_t base;
    uint32_t each;              /* length of a buffer */
    uint8_t buffer[VIRTQ_SIZE]; /* descriptor -> buffer */
};

struct port {
    struct object *object; /* that has this port */
    struct twz_port *shared;
    struct channel out;
    struct channel in;
    struct virtq outq;
    uint32_t sent_len[VIRTQ_SIZE]; /* descriptor of outq -> length of its buffer */
    struct inbox inbox;
    const uint8_t *unread; /* rest of the bounce buffer that is being copied */
    uint32_t unread_len;
    uint8_t unread_buffer;
    uint32_t nr; /* the virtio port */
    bool opened; /* the host has opened the port at least once */
};

struct console {
    struct spinlock lock;
    struct object *object;  /* the console: ports IN, OUT and ERR */
    struct object *control; /* port CTL */
    struct virtio virtio;
    bool present;
    struct inbox control_in;
    struct virtq control_out;
    unsigned control_next;
    struct port port[TWZ_PORTS];
};
extern struct console console;

/* The words that have waiters, numbered port after port, and the bits to wake those of one. */
enum { WORD_HEAD, WORD_TAIL, WORD_OPEN, WORDS };
#define WAKE(port, word) (1u << (WORDS * (port) + (word)))
/* Bytes are left that the pump could move: it must be called again. */
#define PUMP_AGAIN (1u << WORDS * TWZ_PORTS)

/* Each pump moves a bounded number of buffers.
 *
 * Passes new bytes of the ring to the device, and frees the bytes that the device has read. */
unsigned port_out_pump(unsigned port);
/* Copies the bytes that the device has written to the ring, as far as they fit. */
unsigned port_in_pump(unsigned port);
/* Both for all ports, after the control messages. */
unsigned port_pump_all(void);

/* Gives the device an empty buffer. */
void inbox_add_buffer(struct inbox *in, uint8_t buffer);
/* Sends a control message. Drops it if the queue is full. */
void control_send(uint32_t id, unsigned event, unsigned value);

#endif
