/* SPDX-License-Identifier: MIT */
/*
 * The kernel is the other side of each ring (kernel/dev/ports.c). It moves bytes between the ring
 * and the device, and wakes the position that it changed. Positions never wrap. Each side stores
 * its position with release order, after the bytes that the position covers. That pairs with the
 * other side's load of the position, with acquire order, before it accesses the bytes.
 */
#include <twz/call.h>
#include <twz/threads.h>
#include <twz/view.h>

#include "link.h"

static uint8_t *console_bytes(void)
{
    return (uint8_t *)(uintptr_t)TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE);
}

static struct twz_console *console_header(void)
{
    return (struct twz_console *)(void *)(console_bytes() + TWZ_OBJ_BASE);
}

static const struct twz_view_entry *console_entry(void)
{
    uint64_t table = twz_thread_repr_base()->view + TWZ_VIEW_TABLE;

    return (const struct twz_view_entry *)(uintptr_t)table + TWZ_SLOT_CONSOLE;
}

static void notify_kernel(uint32_t port)
{
    (void)twz_sys_dev_ctl(console_entry()->id, TWZ_DEV_NOTIFY, port);
}

int link_open(void)
{
    if (!(console_entry()->flags & TWZ_VE_VALID) || console_header()->magic != TWZ_CONSOLE_MAGIC ||
        console_header()->ports != TWZ_PORTS)
        return -TWZ_ENOOBJ;
    return 0;
}

void link_write(uint32_t port, const void *bytes, uint64_t len)
{
    struct twz_ring *ring = &console_header()->port[port].to_host;
    const uint8_t *from = bytes;
    uint64_t tail = ring->tail;

    while (len > 0) {
        uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        uint64_t room = ring->size - (tail - head);
        uint64_t n = room < len ? room : len;

        for (uint64_t i = 0; i < n; i++)
            console_bytes()[ring->data + (tail + i) % ring->size] = from[i];
        tail += n;
        from += n;
        len -= n;
        __atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
        notify_kernel(port);
        if (len > 0 && n == 0)
            (void)twz_sync_wait(&ring->head, head, TWZ_FOREVER);
    }
}

void link_text(const char *text)
{
    uint64_t len = 0;

    while (text[len])
        len++;
    link_write(TWZ_PORT_ERR, text, len);
}

void link_drain(uint32_t port)
{
    struct twz_ring *ring = &console_header()->port[port].to_host;

    for (;;) {
        uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

        if (head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE))
            return;
        (void)twz_sync_wait(&ring->head, head, TWZ_FOREVER);
    }
}

void link_set_error(uint32_t port, uint32_t error)
{
    __atomic_store_n(&console_header()->port[port].state, error, __ATOMIC_RELEASE);
}

void link_send(uint16_t type, const void *payload, uint32_t len)
{
    struct twz_host_frame frame = { .magic = TWZ_HOST_MAGIC, .type = type, .len = len };

    link_write(TWZ_PORT_CTL, &frame, sizeof(frame));
    link_write(TWZ_PORT_CTL, payload, len);
}

/* Block until the ring has bytes (true), or until the word `until` is not 0 (false). */
static bool wait_bytes(struct twz_ring *ring, const uint64_t *until)
{
    struct twz_sync ops[] = {
        { .addr = (uint64_t)(uintptr_t)&ring->tail, .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 },
        { .addr = (uint64_t)(uintptr_t)until, .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 },
    };

    for (;;) {
        uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

        if (tail != ring->head)
            return true;
        if (until && __atomic_load_n(until, __ATOMIC_ACQUIRE))
            return false;
        ops[0].value = tail;
        (void)twz_sys_thread_sync(ops, until ? 2 : 1, TWZ_FOREVER);
    }
}

/* Read exactly len bytes; the first `size` of them go to `to`. False: as wait_bytes, before the
 * first byte. */
static bool read_bytes(void *to, uint64_t size, uint64_t len, const uint64_t *until)
{
    struct twz_ring *ring = &console_header()->port[TWZ_PORT_CTL].from_host;
    uint8_t *out = to;

    for (uint64_t got = 0; got < len; got++) {
        uint64_t head = ring->head;

        if (!wait_bytes(ring, got ? NULL : until))
            return false;
        if (got < size)
            out[got] = console_bytes()[ring->data + head % ring->size];
        __atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
        if ((got + 1) % (ring->size / 2) == 0 || got + 1 == len)
            notify_kernel(TWZ_PORT_CTL);
    }
    return true;
}

bool link_receive(struct twz_host_frame *frame, void *payload, uint32_t size, const uint64_t *until)
{
    if (!read_bytes(frame, sizeof(*frame), sizeof(*frame), until))
        return false;
    if (frame->len > TWZ_HOST_LEN_MAX || frame->magic != TWZ_HOST_MAGIC)
        frame->len = 0;
    if (frame->len)
        (void)read_bytes(payload, size, frame->len, NULL);
    return true;
}
