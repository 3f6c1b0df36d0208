/* SPDX-License-Identifier: MIT */
/*
 * The kernel is the other side of each ring (kernel/dev/ports.c). It moves bytes between the ring
 * and the device, and wakes the position that it changed. Positions never wrap. Each side stores
 * its position with release order, after the bytes that the position covers. That pairs with the
 * other side's load of the position, with acquire order, before it accesses the bytes.
 *
 * Only this program has the control port. Every program writes to the words of OUT and ERR, so
 * nothing here believes them: offsets and sizes are constants, counters are validated against the
 * kernel's, and no wait is for a change that only such a word promises.
 */
#include <twz/call.h>
#include <twz/threads.h>
#include <twz/view.h>

#include "link.h"

/* A port in this program's view: the slot of its object, and the words of both sides. */
struct end {
    uint32_t port;
    uint8_t *start;
    objid_t device;
    const struct twz_port *kern;
    struct twz_port_user *user;
};

static const struct twz_view_entry *entry_of(uint32_t slot)
{
    uint64_t table = twz_thread_repr_base()->view + TWZ_VIEW_TABLE;

    return (const struct twz_view_entry *)(uintptr_t)table + slot;
}

static struct end end_of(uint32_t port)
{
    uint32_t slot = port == TWZ_PORT_CTL ? TWZ_SLOT_CONTROL : TWZ_SLOT_CONSOLE;
    uint8_t *start = (uint8_t *)(uintptr_t)TWZ_SLOT_ADDR(slot);
    const struct twz_console *kern = (const void *)(start + TWZ_OBJ_BASE);
    struct twz_console_user *user = (void *)(start + TWZ_CONSOLE_USER);

    return (struct end){ port, start, entry_of(slot)->id, &kern->port[port], &user->port[port] };
}

static void notify_kernel(const struct end *e)
{
    (void)twz_sys_dev_ctl(e->device, TWZ_DEV_NOTIFY, e->port);
}

static uint64_t load_word(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool has_ports(uint32_t slot, uint64_t ports)
{
    const struct twz_console *kern = (const void *)(uintptr_t)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE);

    return (entry_of(slot)->flags & TWZ_VE_VALID) && kern->magic == TWZ_CONSOLE_MAGIC &&
           (kern->ports & ports) == ports;
}

int link_open(void)
{
    if (!has_ports(TWZ_SLOT_CONTROL, 1u << TWZ_PORT_CTL) ||
        !has_ports(TWZ_SLOT_CONSOLE, 1u << TWZ_PORT_OUT | 1u << TWZ_PORT_ERR))
        return -TWZ_ENOOBJ;
    return 0;
}

/* The end of the bytes in the ring. Programs write to OUT and ERR too, and may have stored any
 * value; one that no writer can have stored counts as the end of what the device was given. */
static uint64_t valid_tail(const struct end *e)
{
    uint64_t tail = load_word(&e->user->out_tail);
    uint64_t taken = load_word(&e->kern->out_taken);
    uint64_t size = TWZ_RING_OUT_SIZE(e->port);

    return tail - load_word(&e->kern->out_head) <= size && tail - taken <= size ? tail : taken;
}

/* Sleep until the device has read more bytes. False: it has none to read, so none will come. */
static bool wait_read(const struct end *e)
{
    uint64_t head = load_word(&e->kern->out_head);

    if (load_word(&e->kern->out_taken) == head)
        return false;
    (void)twz_sync_wait(&e->kern->out_head, head, TWZ_FOREVER);
    return true;
}

void link_write(uint32_t port, const void *bytes, uint64_t len)
{
    const struct end e = end_of(port);
    const uint64_t size = TWZ_RING_OUT_SIZE(port);
    const uint8_t *from = bytes;

    while (len > 0) {
        uint64_t tail = valid_tail(&e);
        uint64_t room = size - (tail - load_word(&e.kern->out_head));
        uint64_t n = room < len ? room : len;

        for (uint64_t i = 0; i < n; i++)
            e.start[TWZ_RING_OUT(port) + (tail + i) % size] = from[i];
        from += n;
        len -= n;
        __atomic_store_n(&e.user->out_tail, tail + n, __ATOMIC_RELEASE);
        notify_kernel(&e);
        if (n == 0 && !wait_read(&e))
            return; /* the host never opened the port, or the port's words change all the time */
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
    const struct end e = end_of(port);
    uint64_t end = valid_tail(&e);

    notify_kernel(&e);
    while ((int64_t)(end - load_word(&e.kern->out_head)) > 0 && wait_read(&e))
        notify_kernel(&e);
}

void link_set_error(uint32_t port, uint32_t error)
{
    __atomic_store_n(&end_of(port).user->state, error, __ATOMIC_RELEASE);
}

void link_send(uint16_t type, const void *payload, uint32_t len)
{
    struct twz_host_frame frame = { .magic = TWZ_HOST_MAGIC, .type = type, .len = len };

    link_write(TWZ_PORT_CTL, &frame, sizeof(frame));
    link_write(TWZ_PORT_CTL, payload, len);
}

/* Block until the ring has bytes (true), or until the process has ended (false). */
static bool wait_bytes(const struct end *e, const struct twz_process *process,
                       struct twz_program_end *end)
{
    struct twz_sync ops[3];

    if (process)
        twz_program_sleeps(process, &ops[1], &ops[2]);
    for (;;) {
        uint64_t tail = load_word(&e->kern->in_tail);

        if (tail != e->user->in_head)
            return true;
        if (process && twz_program_poll(process, end))
            return false;
        ops[0] = (struct twz_sync){ .addr = (uint64_t)(uintptr_t)&e->kern->in_tail,
                                    .value = tail,
                                    .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
        (void)twz_sys_thread_sync(ops, process ? 2 : 1, TWZ_FOREVER);
    }
}

/* Read exactly len bytes, at least one, of which the first `size` go to `to`. */
static void read_bytes(void *to, uint64_t size, uint64_t len)
{
    const struct end e = end_of(TWZ_PORT_CTL);
    const uint64_t ring = TWZ_RING_IN_SIZE(TWZ_PORT_CTL);
    uint8_t *out = to;

    for (uint64_t got = 0; got < len; got++) {
        uint64_t head = e.user->in_head;

        (void)wait_bytes(&e, NULL, NULL);
        if (got < size)
            out[got] = e.start[TWZ_RING_IN(TWZ_PORT_CTL) + head % ring];
        __atomic_store_n(&e.user->in_head, head + 1, __ATOMIC_RELEASE);
        if ((got + 1) % (ring / 2) == 0 || got + 1 == len)
            notify_kernel(&e);
    }
}

bool link_receive(struct twz_host_frame *frame, void *payload, uint32_t size,
                  const struct twz_process *process, struct twz_program_end *end)
{
    const struct end e = end_of(TWZ_PORT_CTL);

    if (!wait_bytes(&e, process, end))
        return false;
    read_bytes(frame, sizeof(*frame), sizeof(*frame));
    if (frame->len > TWZ_HOST_LEN_MAX || frame->magic != TWZ_HOST_MAGIC)
        frame->len = 0;
    if (frame->len)
        read_bytes(payload, size, frame->len);
    return true;
}
