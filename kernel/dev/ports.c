/* SPDX-License-Identifier: MIT */
/*
 * Moves bytes between the console's rings and its virtio queues. console.c states what may be
 * trusted: c->done and c->sent are the kernel's own; of the shared words only c->theirs may be
 * read, once each time.
 *
 * A queue interrupts only when nothing else would look at it again: the output queue while the
 * device has unread bytes, the input queue while it is empty. Else PUMP_AGAIN requests a batch, or
 * the reader of a full ring notifies.
 */
#include "ports.h"

#include <lib/string.h>
#include <stdatomic.h>

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Stores the kernel's counter of the ring for user code. */
static void publish_counter(const struct channel *c)
{
    __atomic_store_n(c->mine_twin, c->done, __ATOMIC_RELAXED);
    __atomic_store_n(c->mine, c->done, __ATOMIC_RELEASE);
}

/* ---- to the host --------------------------------------------------------------------------- */

/* Frees the bytes that the device has read. True: there were some. */
static bool free_sent(struct port *p)
{
    struct channel *c = &p->out;
    uint64_t before = c->done;
    uint32_t written;
    unsigned id;

    while (virtq_get(&p->outq, &id, &written))
        c->done += p->sent_len[id];
    if (c->done == before)
        return false;
    publish_counter(c);
    return true;
}

/* Passes the device the bytes that user code has added since. True: there were some. */
static bool send_new(struct port *p)
{
    struct channel *c = &p->out;
    uint64_t tail = __atomic_load_n(c->theirs, __ATOMIC_ACQUIRE);
    bool some = false;

    if (tail - c->done > c->size || tail - c->done < c->sent - c->done)
        return false;
    while (c->sent != tail) {
        uint64_t at = c->sent & (c->size - 1);
        uint32_t len = (uint32_t)min64(min64(tail - c->sent, c->size - at), c->size / 4);
        unsigned id;

        if (!virtq_put(&p->outq, (phys_t){ c->phys.addr + at }, len, false, &id))
            break;
        p->sent_len[id] = len;
        c->sent += len;
        some = true;
    }
    if (some) {
        __atomic_store_n(&p->shared->out_taken, c->sent, __ATOMIC_RELEASE);
        virtq_notify(&p->outq);
    }
    return some;
}

#define OUT_ROUNDS 4u  /* of one pump; a fast device and other writers could go on for ever */
#define IN_BUFFERS 8u  /* that one pump copies */
#define MESSAGES   32u /* that one pump handles */

/* Enables the queue's interrupts only while the device has unread bytes. */
unsigned port_out_pump(unsigned i)
{
    struct port *p = &console.port[i];
    bool moved = false, more = true;

    if (!p->opened || !p->out.size)
        return 0;
    virtq_interrupts(&p->outq, false);
    for (unsigned round = 0; more && round < OUT_ROUNDS; round++) {
        moved |= free_sent(p);
        more = send_new(p);
    }
    moved |= free_sent(p);
    if (p->out.sent != p->out.done) {
        virtq_interrupts(&p->outq, true);
        moved |= free_sent(p);
    }
    return (moved ? WAKE(i, WORD_HEAD) : 0) | (more ? PUMP_AGAIN : 0);
}

/* ---- from the host ------------------------------------------------------------------------- */

void inbox_add_buffer(struct inbox *in, uint8_t buffer)
{
    phys_t at = { in->base.addr + (uint64_t)buffer * in->each };
    unsigned id;

    if (virtq_put(&in->q, at, in->each, true, &id))
        in->buffer[id] = buffer;
}

/* Makes the next filled bounce buffer the current one. False: there is none. */
static bool get_filled_buffer(struct port *p)
{
    unsigned id;

    if (!virtq_get(&p->inbox.q, &id, &p->unread_len))
        return false;
    p->unread_buffer = p->inbox.buffer[id];
    p->unread =
        (const uint8_t *)arch_virt(p->inbox.base) + (uint32_t)p->unread_buffer * BOUNCE_BYTES;
    return true;
}

/* Accepts the user's counter, if readers can have moved it there. */
static void accept_head(struct port *p)
{
    struct channel *c = &p->in;
    uint64_t head = __atomic_load_n(c->theirs, __ATOMIC_ACQUIRE);

    if (head - c->sent > c->done - c->sent)
        return;
    c->sent = head;
    __atomic_store_n(&p->shared->in_read, head, __ATOMIC_RELEASE);
}

/* Copies from the current bounce buffer as much as fits in the ring. False: nothing. */
static bool copy_to_ring(struct port *p)
{
    struct channel *c = &p->in;
    uint64_t at = c->done & (c->size - 1);
    uint64_t len = min64(c->size - (c->done - c->sent), c->size - at);

    len = min64(len, p->unread_len);
    memcpy(c->data + at, p->unread, len);
    p->unread += len;
    p->unread_len -= (uint32_t)len;
    c->done += len;
    return len != 0;
}

/* Enables the queue's interrupts only while it is empty: a host that sends without end would else
 * interrupt without end, and delay every thread. */
unsigned port_in_pump(unsigned i)
{
    struct port *p = &console.port[i];
    uint64_t before = p->in.done;
    unsigned returned = 0;
    bool more;

    if (!p->in.size)
        return 0;
    accept_head(p);
    virtq_interrupts(&p->inbox.q, false);
    while (returned < IN_BUFFERS && (p->unread_len || get_filled_buffer(p))) {
        if (p->unread_len && !copy_to_ring(p))
            break;
        if (!p->unread_len) {
            inbox_add_buffer(&p->inbox, p->unread_buffer);
            returned++;
        }
    }
    if (returned > 0)
        virtq_notify(&p->inbox.q);
    more = returned > 0;
    if (!more && !p->unread_len) {
        virtq_interrupts(&p->inbox.q, true);
        more = get_filled_buffer(p);
    }
    if (p->in.done != before)
        publish_counter(&p->in);
    return (p->in.done != before ? WAKE(i, WORD_TAIL) : 0) | (more ? PUMP_AGAIN : 0);
}

/* ---- control messages ---------------------------------------------------------------------- */

void control_send(uint32_t id, unsigned event, unsigned value)
{
    struct virtq *q = &console.control_out;
    unsigned index = console.control_next++ % VIRTQ_SIZE;
    uint32_t off = VIRTQ_BUFFERS + index * (uint32_t)sizeof(struct message);
    struct message *m = (struct message *)(void *)(q->frame + off);
    uint32_t written;
    unsigned n;

    while (virtq_get(q, &n, &written))
        ;
    *m = (struct message){ .id = id, .event = (uint16_t)event, .value = (uint16_t)value };
    if (virtq_put(q, (phys_t){ q->phys.addr + off }, sizeof(*m), false, &n))
        virtq_notify(q);
}

static unsigned set_port_open(unsigned i, bool open)
{
    struct port *p = &console.port[i];

    p->opened |= open;
    __atomic_store_n(&p->shared->closed, !open, __ATOMIC_RELEASE);
    __atomic_store_n(&p->shared->open, open, __ATOMIC_RELEASE);
    return WAKE(i, WORD_OPEN) | WAKE(i, WORD_HEAD) | WAKE(i, WORD_TAIL);
}

static void set_port_name(unsigned i, const uint8_t *name, uint32_t len)
{
    struct twz_port *shared = console.port[i].shared;

    memcpy(shared->name, name, min64(len, sizeof(shared->name) - 1));
}

/* Handles a message from the device; one that names no port of ours has no effect. */
static unsigned handle_control_message(const uint8_t *text, uint32_t len)
{
    struct message m;
    unsigned i = 0;

    if (len < sizeof(m))
        return 0;
    memcpy(&m, text, sizeof(m));
    while (i < TWZ_PORTS && console.port[i].nr != m.id)
        i++;
    if (i == TWZ_PORTS)
        return 0;
    if (m.event == EVENT_PORT_ADD) {
        control_send(m.id, EVENT_PORT_READY, 1);
        control_send(m.id, EVENT_PORT_OPEN, 1);
    } else if (m.event == EVENT_PORT_NAME) {
        set_port_name(i, text + sizeof(m), len - (uint32_t)sizeof(m));
    } else if (m.event == EVENT_PORT_OPEN) {
        return set_port_open(i, m.value != 0);
    } else if (m.event == EVENT_PORT_REMOVE) {
        return set_port_open(i, false);
    }
    return 0;
}

static unsigned pump_control(void)
{
    struct inbox *in = &console.control_in;
    unsigned wakes = 0, returned = 0;
    uint32_t len;
    unsigned id;

    while (returned < MESSAGES && virtq_get(&in->q, &id, &len)) {
        uint8_t buffer = in->buffer[id];

        wakes |= handle_control_message(in->q.frame + VIRTQ_BUFFERS + buffer * MESSAGE_BYTES, len);
        inbox_add_buffer(in, buffer);
        returned++;
    }
    if (returned > 0)
        virtq_notify(&in->q);
    return wakes | (returned == MESSAGES ? PUMP_AGAIN : 0);
}

/* ---- all ports ------------------------------------------------------------------------------ */

unsigned port_pump_all(void)
{
    unsigned wakes = pump_control();

    for (unsigned i = 0; i < TWZ_PORTS; i++)
        wakes |= port_out_pump(i) | port_in_pump(i);
    return wakes;
}
