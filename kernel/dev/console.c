/* SPDX-License-Identifier: MIT */
/*
 * The link to the host: DEVICE objects whose rings user code fills and empties, over the ports of a
 * virtio-serial device (twz/device.h: the objects' layout; twz/hostlink.h: the use of each port).
 *
 * Two objects, because a program that has the control port can speak for init. Only a program that
 * knows the control object's ID can map it. The ID is random; the first program alone gets it.
 *
 * To the host: the device reads [sent, tail) straight from the ring's frames, in several buffers.
 * When the device has used a buffer, the kernel advances head. From the host: the device writes
 * into bounce buffers that user code cannot map, and the kernel copies them into the ring, because
 * a buffer that the device fills only in part would leave a gap there.
 *
 * User code cannot store to the page of the kernel's words, nor to the bytes from the host. It may
 * store anything in its own words, so the kernel
 *   - keeps its own counters and sizes (struct channel) and trusts no others;
 *   - reads one word for each direction, the user's counter, once each time, and treats an
 *     impossible value as "nothing new";
 *   - computes the addresses that the device gets from its own counters and from constant sizes.
 * Therefore the device reads only ring bytes, and writes only bounce buffers.
 *
 * The kernel does not store to a ring through page_write_begin: the ring's frames belong to the
 * device, and a device object is never rolled back.
 *
 * One stay in the kernel pumps a bounded number of buffers and wakes SYNC_WAKE_BATCH threads. The
 * rest is remembered in `owed`. No thread owes it (kernel/defer.h), because an interrupt hits a
 * thread that has nothing to do with it, or an idle core.
 *
 * Locks: console.lock guards everything here but the state of the batches. Waiters are woken after
 * it is released.
 */
#include <kernel/console.h>

#include <kernel/defer.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <kernel/sync.h>
#include <lib/string.h>
#include <twz/hostlink.h>

#include "ports.h"

#define ID_TRANSITIONAL   0x10031af4u
#define ID_MODERN         0x10431af4u
#define FEATURE_MULTIPORT (1ull << 1)

#define QUEUE_CONTROL_IN  2u
#define QUEUE_CONTROL_OUT 3u
#define QUEUE_IN(nr)      (uint16_t)(2 + 2 * (nr))
#define QUEUE_OUT(nr)     (uint16_t)(3 + 2 * (nr))

#define DRAIN_TIMEOUT 2000000000ull /* ns without progress */

/* Bytes of the bounce buffers of each port, and its number on the device. */
static const struct {
    uint32_t bounce;
    uint8_t nr;
} shape[TWZ_PORTS] = {
    [TWZ_PORT_CTL] = { 4 * BOUNCE_BYTES, TWZ_HOST_CTL },
    [TWZ_PORT_IN] = { 16 * BOUNCE_BYTES, TWZ_HOST_IN },
    [TWZ_PORT_OUT] = { 0, TWZ_HOST_OUT },
    [TWZ_PORT_ERR] = { 0, TWZ_HOST_ERR },
};

struct console console;

/* ---- batches -------------------------------------------------------------------------------- */

static struct deferred batch;
static _Atomic uint32_t owed;   /* WAKE bits and PUMP_AGAIN */
static _Atomic uint32_t queued; /* `batch` is queued */
static _Atomic uint32_t first;  /* word that the next batch begins with, so that none starves */

static bool batch_step(struct deferred *work);

static void remember(unsigned left)
{
    atomic_fetch_or(&owed, left);
    if (atomic_exchange(&queued, 1) != 0)
        return;
    batch.step = batch_step;
    defer_unowned(&batch);
}

/* Wakes one batch of the waiters of a word, and takes their number off *budget. Returns true if
 * more are left. */
static bool wake_word(unsigned number, unsigned *budget)
{
    unsigned i = number / WORDS, woken = 0;
    const struct port *p = &console.port[i];
    uint64_t off = TWZ_OBJ_BASE + offsetof(struct twz_console, port[i].open);
    bool more;

    if (number % WORDS == WORD_HEAD)
        off = p->out.mine_off;
    if (number % WORDS == WORD_TAIL)
        off = p->in.mine_off;
    more = sync_wake(p->object, off, *budget, &woken);
    *budget -= woken;
    return more || *budget == 0;
}

/* Wakes the waiters of WAKE bits: one batch at once, the others later. The caller must not hold
 * console.lock. */
static void wake_waiters(unsigned wakes)
{
    unsigned budget = SYNC_WAKE_BATCH, at = atomic_load(&first);

    for (unsigned n = 0; wakes != 0 && budget > 0 && n < WORDS * TWZ_PORTS; n++) {
        if ((wakes >> at & 1) != 0 && !wake_word(at, &budget))
            wakes &= ~(1u << at);
        at = (at + 1) % (WORDS * TWZ_PORTS);
    }
    if (wakes == 0)
        return;
    atomic_store(&first, at);
    remember(wakes);
}

static bool batch_step(struct deferred *work)
{
    unsigned left;

    (void)work;
    atomic_store(&queued, 0); /* before what is owed is read: later, `remember` queues it again */
    left = atomic_exchange(&owed, 0);
    if ((left & PUMP_AGAIN) != 0) {
        spin_lock(&console.lock);
        left = (left & ~PUMP_AGAIN) | port_pump_all();
        spin_unlock(&console.lock);
    }
    wake_waiters(left);
    return false;
}

/* ---- entry points --------------------------------------------------------------------------- */

static void handle_interrupt(void *arg)
{
    unsigned wakes;

    (void)arg;
    spin_lock(&console.lock);
    wakes = port_pump_all();
    spin_unlock(&console.lock);
    wake_waiters(wakes);
}

/* User code moved a counter of the port. */
static void notify_port(unsigned port)
{
    unsigned wakes;

    if (!console.present)
        return;
    spin_lock(&console.lock);
    wakes = port_out_pump(port) | port_in_pump(port);
    spin_unlock(&console.lock);
    wake_waiters(wakes);
}

/* The device has read all bytes of each ring that the host has ever opened. */
static bool is_drained(void)
{
    for (unsigned i = 0; i < TWZ_PORTS; i++) {
        const struct channel *c = &console.port[i].out;

        if (console.port[i].opened && c->size && c->sent != c->done)
            return false;
    }
    return true;
}

void console_drain(void)
{
    uint64_t last = arch_clock_ns();
    unsigned wakes = 0;

    if (!console.present)
        return;
    spin_lock(&console.lock);
    do {
        wakes = port_pump_all();
        if (wakes)
            last = arch_clock_ns();
        arch_pause();
    } while (!is_drained() && arch_clock_ns() - last < DRAIN_TIMEOUT);
    spin_unlock(&console.lock);
    wake_waiters(wakes);
}

objid_t console_id(void)
{
    return console.object->id;
}

objid_t console_control_id(void)
{
    return console.control->id;
}

static int64_t console_ctl(struct object *obj, uint64_t op, uint64_t arg)
{
    if (op != TWZ_DEV_NOTIFY || arg >= TWZ_PORTS || console.port[arg].object != obj)
        return -TWZ_EINVAL;
    notify_port((unsigned)arg);
    return 0;
}

/* ---- start ---------------------------------------------------------------------------------- */

static unsigned order_of_bytes(uint64_t bytes)
{
    unsigned order = 0;

    while ((uint64_t)TWZ_PAGE_SIZE << order < bytes)
        order++;
    return order;
}

/* Allocates zeroed, contiguous frames and maps them at offset `off` of the object. `access` is
 * ARCH_PT_WRITE, or ARCH_PT_PROTECT: read-only for user code. */
static int map_zeroed_pages(struct object *obj, uint64_t off, uint64_t bytes, unsigned access,
                            phys_t *start)
{
    *start = phys_alloc(order_of_bytes(bytes));
    if (phys_is_none(*start))
        return -TWZ_ENOMEM;
    memset(arch_virt(*start), 0, bytes);
    for (uint64_t at = 0; at < bytes; at += TWZ_PAGE_SIZE) {
        int err = obj_map_foreign(obj, (uint32_t)((off + at) >> TWZ_PAGE_SHIFT),
                                  (phys_t){ start->addr + at }, access);

        if (err < 0)
            return err;
    }
    return 0;
}

/* Makes a ring at offset `off` of the object. 0 bytes: none. */
static int init_ring(struct object *obj, struct channel *c, uint64_t off, uint64_t bytes,
                     unsigned access)
{
    int err;

    if (!bytes)
        return 0;
    err = map_zeroed_pages(obj, off, bytes, access, &c->phys);
    if (err < 0)
        return err;
    c->data = arch_virt(c->phys);
    c->size = bytes;
    return 0;
}

/* Connects port i with its words in the two pages of counters, and makes its rings. */
static int init_port(struct object *obj, unsigned i, struct twz_console *kern,
                     const struct twz_console_user *user)
{
    struct port *p = &console.port[i];
    int err;

    p->object = obj;
    p->shared = &kern->port[i];
    p->nr = shape[i].nr;
    p->out.mine = &p->shared->out_head;
    p->out.mine_twin = &p->shared->out_released;
    p->out.theirs = &user->port[i].out_tail;
    p->out.mine_off = TWZ_OBJ_BASE + offsetof(struct twz_console, port[i].out_head);
    p->in.mine = &p->shared->in_tail;
    p->in.mine_twin = &p->shared->in_retired;
    p->in.theirs = &user->port[i].in_head;
    p->in.mine_off = TWZ_OBJ_BASE + offsetof(struct twz_console, port[i].in_tail);
    err = init_ring(obj, &p->out, TWZ_RING_OUT(i), TWZ_RING_OUT_SIZE(i), ARCH_PT_WRITE);
    if (err == 0)
        err = init_ring(obj, &p->in, TWZ_RING_IN(i), TWZ_RING_IN_SIZE(i), ARCH_PT_PROTECT);
    return err;
}

/* Sets up a queue and gives the device all its buffers of `each` bytes. Small ones lie in the
 * queue's own frame. */
static int init_inbox(struct inbox *in, uint16_t queue, uint32_t each, uint32_t bytes)
{
    int err = virtq_init(&console.virtio, &in->q, queue);

    if (err < 0)
        return err;
    in->each = each;
    in->base = (phys_t){ in->q.phys.addr + VIRTQ_BUFFERS };
    if (each == BOUNCE_BYTES)
        in->base = phys_alloc(order_of_bytes(bytes));
    if (phys_is_none(in->base))
        return -TWZ_ENOMEM;
    for (uint32_t i = 0; i < bytes / each; i++)
        inbox_add_buffer(in, (uint8_t)i);
    return 0;
}

static int init_queues(void)
{
    int err = init_inbox(&console.control_in, QUEUE_CONTROL_IN, MESSAGE_BYTES, VIRTQ_BUFFER_BYTES);

    if (err == 0)
        err = virtq_init(&console.virtio, &console.control_out, QUEUE_CONTROL_OUT);
    for (unsigned i = 0; i < TWZ_PORTS && err == 0; i++) {
        struct port *p = &console.port[i];

        err = virtq_init(&console.virtio, &p->outq, QUEUE_OUT(shape[i].nr));
        if (err == 0 && shape[i].bounce)
            err = init_inbox(&p->inbox, QUEUE_IN(shape[i].nr), BOUNCE_BYTES, shape[i].bounce);
    }
    return err;
}

/* Lets the device work, and announces the driver to it. */
static void enable_device(void)
{
    virtq_interrupts(&console.control_out, false);
    virtio_ready(&console.virtio);
    virtq_notify(&console.control_in.q);
    for (unsigned i = 0; i < TWZ_PORTS; i++) {
        if (shape[i].bounce)
            virtq_notify(&console.port[i].inbox.q);
    }
    control_send(UINT32_MAX, EVENT_DEVICE_READY, 1);
}

/* Finds and starts the device. On an error it is left without bus master. */
static int start_device(void)
{
    static const uint32_t ids[] = { ID_TRANSITIONAL, ID_MODERN };
    struct pci_fn at;
    int err;

    if (!pci_find(ids, ARRAY_LEN(ids), &at))
        return -TWZ_ENOOBJ;
    err = virtio_start(&console.virtio, at, FEATURE_MULTIPORT);
    if (err == 0)
        err = pci_message(at, handle_interrupt, NULL);
    if (err == 0)
        err = init_queues();
    if (err < 0) {
        pci_master(at, false);
        return err;
    }
    console.present = true;
    enable_device();
    return 0;
}

/* Makes a device object's pages, for the ports of a bit set. Returns the page of the kernel. */
static struct twz_console *fill_device_object(struct object *obj, unsigned ports)
{
    static const struct device device = { .ctl = console_ctl };
    struct twz_console *kern;
    phys_t page, user;

    if (map_zeroed_pages(obj, TWZ_OBJ_BASE, TWZ_PAGE_SIZE, ARCH_PT_PROTECT, &page) < 0 ||
        map_zeroed_pages(obj, TWZ_CONSOLE_USER, TWZ_PAGE_SIZE, ARCH_PT_WRITE, &user) < 0)
        panic("console: no memory for its objects");
    obj->device = &device;
    kern = arch_virt(page);
    kern->magic = TWZ_CONSOLE_MAGIC;
    for (unsigned i = 0; i < TWZ_PORTS; i++)
        if ((ports >> i & 1) != 0 && init_port(obj, i, kern, arch_virt(user)) < 0)
            panic("console: no memory for its rings");
    return kern;
}

/* The control object has a random ID, unlike the objects that programs find by theirs. */
static struct object *create_control_object(void)
{
    struct obj_spec spec = { .perms = TWZ_READ | TWZ_WRITE | TWZ_USE, .kind = TWZ_KIND_DEVICE };
    struct object *obj;

    if (obj_create(&spec, &obj) < 0)
        panic("console: no memory for its objects");
    return obj;
}

void console_init(void)
{
    const unsigned control = 1u << TWZ_PORT_CTL;
    const unsigned others = 1u << TWZ_PORT_IN | 1u << TWZ_PORT_OUT | 1u << TWZ_PORT_ERR;
    struct twz_console *console_page, *control_page;
    int err;

    console.object = kso_create("console", TWZ_KIND_DEVICE, TWZ_READ | TWZ_WRITE | TWZ_USE);
    console.control = create_control_object();
    console_page = fill_device_object(console.object, others);
    control_page = fill_device_object(console.control, control);
    err = start_device();
    console_page->ports = err == 0 ? others : 0;
    control_page->ports = err == 0 ? control : 0;
    if (err < 0)
        log_printf("console: no link to the host (%d)", -err);
    if (kso_attach_fixed(console.object) < 0)
        panic("console: the root KSO is full");
    kso_set_console(console.object);
}
