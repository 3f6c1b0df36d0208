/* SPDX-License-Identifier: MIT */
/*
 * How bytes move between the console's rings and its virtio queues. The file top of console.c says
 * what is trusted: c->done and c->sent are ours; of a ring header the user's counter alone is read,
 * once for each look.
 */
#include "ports.h"

#include <lib/string.h>
#include <stdatomic.h>

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void publish(uint64_t *counter, uint64_t *twin, uint64_t value)
{
    __atomic_store_n(twin, value, __ATOMIC_RELAXED);
    __atomic_store_n(counter, value, __ATOMIC_RELEASE);
}

/* ---- to the host --------------------------------------------------------------------------- */

/* Takes back what the device has read. */
static bool out_done(struct port *p)
{
    struct channel *c = &p->out;
    uint64_t before = c->done;
    uint32_t written;
    unsigned id;

    while (virtq_take(&p->outq, &id, &written))
        c->done += p->piece[id];
    if (c->done == before)
        return false;
    publish(&c->ring->head, &c->ring->released, c->done);
    return true;
}

/* Gives the device what user code has put into the ring since. */
static bool out_send(struct port *p)
{
    struct channel *c = &p->out;
    uint64_t tail = __atomic_load_n(&c->ring->tail, __ATOMIC_ACQUIRE);
    bool some = false;

    if (tail - c->done > c->size || tail - c->done < c->sent - c->done)
        return false;
    while (c->sent != tail) {
        uint64_t at = c->sent & (c->size - 1);
        uint32_t len = (uint32_t)min64(min64(tail - c->sent, c->size - at), c->size / 4);
        unsigned id;

        if (!virtq_put(&p->outq, (phys_t){ c->phys.addr + at }, len, false, &id))
            break;
        p->piece[id] = len;
        c->sent += len;
        some = true;
    }
    if (some)
        virtq_notify(&p->outq);
    return some;
}

/* Interrupts are asked for only while the device is behind. */
unsigned port_out_pump(unsigned i)
{
    struct port *p = &console.port[i];
    bool moved = false;

    if (!p->opened || !p->out.size)
        return 0;
    virtq_interrupts(&p->outq, false);
    do {
        moved |= out_done(p);
    } while (out_send(p));
    moved |= out_done(p);
    if (p->out.sent != p->out.done) {
        virtq_interrupts(&p->outq, true);
        moved |= out_done(p);
    }
    return moved ? WAKE_HEAD(i) : 0;
}

/* ---- from the host ------------------------------------------------------------------------- */

void inbox_give(struct inbox *in, uint8_t buffer)
{
    phys_t at = { in->base.addr + (uint64_t)buffer * in->each };
    unsigned id;

    if (virtq_put(&in->q, at, in->each, true, &id))
        in->buffer[id] = buffer;
}

static bool in_next(struct port *p)
{
    unsigned id;

    if (!virtq_take(&p->inbox.q, &id, &p->got_len))
        return false;
    p->got_buffer = p->inbox.buffer[id];
    p->got = (const uint8_t *)arch_virt(p->inbox.base) + (uint32_t)p->got_buffer * BOUNCE_BYTES;
    return true;
}

/* Copies from the current bounce buffer what the ring has room for. */
static bool in_copy(struct port *p)
{
    struct channel *c = &p->in;
    uint64_t head = __atomic_load_n(&c->ring->head, __ATOMIC_ACQUIRE);
    uint64_t at = c->done & (c->size - 1);

    if (c->done - head > c->size)
        return false;
    uint64_t room = min64(c->size - (c->done - head), c->size - at);
    uint64_t len = min64(room, p->got_len);
    memcpy(c->data + at, p->got, len);
    p->got += len;
    p->got_len -= (uint32_t)len;
    c->done += len;
    return len != 0;
}

unsigned port_in_pump(unsigned i)
{
    struct port *p = &console.port[i];
    uint64_t before = p->in.done;
    bool given = false;

    if (!p->in.size)
        return 0;
    while (p->got_len || in_next(p)) {
        if (p->got_len && !in_copy(p))
            break;
        if (!p->got_len) {
            inbox_give(&p->inbox, p->got_buffer);
            given = true;
        }
    }
    if (given)
        virtq_notify(&p->inbox.q);
    if (p->in.done == before)
        return 0;
    publish(&p->in.ring->tail, &p->in.ring->retired, p->in.done);
    return WAKE_TAIL(i);
}

/* ---- control messages ---------------------------------------------------------------------- */

void control_send(uint32_t id, unsigned event, unsigned value)
{
    struct virtq *q = &console.control_out;
    unsigned slot = console.control_slot++ % VIRTQ_SIZE;
    uint32_t off = VIRTQ_BUFFERS + slot * (uint32_t)sizeof(struct message);
    struct message *m = (struct message *)(void *)(q->frame + off);
    uint32_t written;
    unsigned n;

    while (virtq_take(q, &n, &written))
        ;
    *m = (struct message){ .id = id, .event = (uint16_t)event, .value = (uint16_t)value };
    if (virtq_put(q, (phys_t){ q->phys.addr + off }, sizeof(*m), false, &n))
        virtq_notify(q);
}

static unsigned port_open(unsigned i, bool open)
{
    struct port *p = &console.port[i];

    p->opened |= open;
    __atomic_store_n(&p->shared->to_host.closed, !open, __ATOMIC_RELEASE);
    __atomic_store_n(&p->shared->from_host.closed, !open, __ATOMIC_RELEASE);
    __atomic_store_n(&p->shared->open, open, __ATOMIC_RELEASE);
    return WAKE_OPEN(i) | WAKE_HEAD(i) | WAKE_TAIL(i);
}

static void port_name(unsigned i, const uint8_t *name, uint32_t len)
{
    struct twz_port *shared = console.port[i].shared;

    memcpy(shared->name, name, min64(len, sizeof(shared->name) - 1));
}

static unsigned control_message(const uint8_t *text, uint32_t len)
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
        port_name(i, text + sizeof(m), len - (uint32_t)sizeof(m));
    } else if (m.event == EVENT_PORT_OPEN) {
        return port_open(i, m.value != 0);
    } else if (m.event == EVENT_PORT_REMOVE) {
        return port_open(i, false);
    }
    return 0;
}

static unsigned control_pump(void)
{
    struct inbox *in = &console.control_in;
    bool given = false;
    unsigned who = 0;
    uint32_t len;
    unsigned id;

    while (virtq_take(&in->q, &id, &len)) {
        uint8_t buffer = in->buffer[id];

        who |= control_message(in->q.frame + VIRTQ_BUFFERS + buffer * MESSAGE_BYTES, len);
        inbox_give(in, buffer);
        given = true;
    }
    if (given)
        virtq_notify(&in->q);
    return who;
}

/* ---- all --------------------------------------------------------------------------------- */

unsigned port_pump_all(void)
{
    unsigned who = control_pump();

    for (unsigned i = 0; i < TWZ_PORTS; i++)
        who |= port_out_pump(i) | port_in_pump(i);
    return who;
}
