/* SPDX-License-Identifier: MIT */
/*
 * The kernel's console driver on a bare machine, with stand-ins for the rest of the kernel, and a
 * user that obeys commands from the control port (console.py knows them too):
 *
 *   e N   bring N bytes (decimal, ends with a newline) from IN to OUT
 *   h N   the same, and lie about every word of both rings while bytes are on their way
 *   a     attack: store what cannot be into each word of each ring, kick, and put it back
 *   r     write to ERR what the driver should have said: names, open flags
 *   q     drain and end the machine: 0x10 if no byte outside of the rings changed
 *
 * Each is answered by one byte '.' on the control port. There is no interrupt table: messages are
 * polled, which is a call of the handler that the driver asked for.
 */
#include <kernel/console.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <kernel/sync.h>
#include <lib/string.h>

#define PAGES      512u
#define GUARD      0xa5
#define MEMORY     0x4000000ull /* frames come from here on, a guard page before each run */
#define MEMORY_TOP 0x5000000ull
#define END_GOOD   0x10
#define END_BAD    0x11

int bare_main(void);

/* ---- the kernel around the driver ----------------------------------------------------------- */

static uint64_t memory_next = MEMORY;
static uint64_t guards[64];
static unsigned nguards;
static uint8_t *pages[PAGES];
static struct object object;
static arch_irq_fn handler;
static void *handler_arg;
static uint64_t ticks;

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void pci_select(unsigned bus, unsigned dev, unsigned fn, unsigned off)
{
    out32(0xcf8, 0x80000000u | bus << 16 | dev << 11 | fn << 8 | (off & 0xfcu));
}

uint32_t arch_pci_read32(unsigned bus, unsigned dev, unsigned fn, unsigned off)
{
    pci_select(bus, dev, fn, off);
    return in32(0xcfc);
}

void arch_pci_write32(unsigned bus, unsigned dev, unsigned fn, unsigned off, uint32_t value)
{
    pci_select(bus, dev, fn, off);
    out32(0xcfc, value);
}

int arch_msi_alloc(arch_irq_fn fn, void *arg, uint64_t *address, uint32_t *data)
{
    handler = fn;
    handler_arg = arg;
    *address = 0xfee00000;
    *data = 0x40;
    return 0;
}

void *arch_map_mmio(phys_t start, uint64_t len)
{
    (void)len;
    return (void *)start.addr;
}

void *arch_virt(phys_t p)
{
    return (void *)p.addr;
}

void arch_pause(void)
{
    __asm__ volatile("pause");
}

uint64_t arch_clock_ns(void)
{
    return ticks += 1000;
}

static void remember(uint64_t at)
{
    if (nguards == ARRAY_LEN(guards))
        panic("guards");
    guards[nguards++] = at;
}

/* A guard page lies before each run of frames. */
phys_t phys_alloc(unsigned order)
{
    uint64_t bytes = 4096ull << order;
    uint64_t start = memory_next + 4096;

    if (start + bytes + 4096 > MEMORY_TOP)
        return PHYS_NONE;
    remember(memory_next);
    memory_next = start + bytes;
    return (phys_t){ start };
}

phys_t phys_alloc_zeroed(void)
{
    phys_t p = phys_alloc(0);

    memset(arch_virt(p), 0, 4096);
    return p;
}

int obj_create(const struct obj_spec *spec, struct object **out)
{
    object.kind = spec->kind;
    object.id = (objid_t){ 1, 2 };
    *out = &object;
    return 0;
}

int obj_map_foreign(struct object *obj, uint32_t page, phys_t frame, bool uncached)
{
    (void)obj;
    if (page >= PAGES || uncached)
        return -TWZ_EINVAL;
    pages[page] = arch_virt(frame);
    return 0;
}

struct object *kso_root(void)
{
    return &object;
}

int64_t kso_attach(struct object *parent, struct object *child, uint64_t index)
{
    (void)parent;
    (void)child;
    (void)index;
    return 0;
}

void kso_set_console(struct object *console)
{
    (void)console;
}

unsigned sync_wake(const void *key, uint64_t off, uint64_t count)
{
    (void)count;
    return key == &object && off % 8 == 0;
}

void log_printf(const char *fmt, ...)
{
    (void)fmt;
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
    (void)file;
    (void)line;
    (void)fmt;
    out32(0xf4, END_BAD);
    for (;;)
        arch_pause();
}

/* ---- the user -------------------------------------------------------------------------------- */

static struct twz_console *shared(void)
{
    return (struct twz_console *)(void *)pages[1];
}

static uint8_t *ring_byte(const struct twz_ring *ring, uint64_t position)
{
    uint64_t at = ring->data + position % ring->size;

    return pages[at >> 12] + (at & 4095);
}

static void poll(void)
{
    handler(handler_arg);
    arch_pause();
}

static void kick(unsigned port)
{
    if (object.device->ctl(&object, TWZ_DEV_NOTIFY, port) < 0)
        panic("kick");
}

static uint64_t in_bytes(unsigned port)
{
    const struct twz_ring *ring = &shared()->port[port].from_host;

    return __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) - ring->head;
}

static uint8_t get(unsigned port)
{
    struct twz_ring *ring = &shared()->port[port].from_host;

    while (!in_bytes(port))
        poll();
    uint8_t byte = *ring_byte(ring, ring->head);
    ring->head++;
    kick(port);
    return byte;
}

static void put(unsigned port, uint8_t byte)
{
    struct twz_ring *ring = &shared()->port[port].to_host;

    while (ring->tail - __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == ring->size)
        poll();
    *ring_byte(ring, ring->tail) = byte;
    __atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
}

/* One word, with values that a driver which believed it would trip over. */
static void attack_word(unsigned port, uint64_t *word)
{
    uint64_t good = *word;
    const uint64_t bad[] = { good - 1, good + (1 << 20), good - (1 << 20), good + ~0ull / 2,
                             ~0ull };

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        *word = bad[i];
        kick(port);
        poll();
        *word = good;
    }
}

/* Everything but the counter that the user has just moved, while it is being looked at. */
static void attack_moving(unsigned port, struct twz_ring *ring)
{
    attack_word(port, &ring->size);
    attack_word(port, &ring->data);
    attack_word(port, &ring->released);
    attack_word(port, &ring->retired);
}

/* All that is there and fits, at once; then a kick on either side. */
static void echo(uint64_t bytes, bool hostile)
{
    struct twz_ring *from = &shared()->port[TWZ_PORT_IN].from_host;
    struct twz_ring *to = &shared()->port[TWZ_PORT_OUT].to_host;

    while (bytes) {
        uint64_t n = in_bytes(TWZ_PORT_IN);
        uint64_t room = to->size - (to->tail - __atomic_load_n(&to->head, __ATOMIC_ACQUIRE));

        n = n < room ? n : room;
        for (uint64_t i = 0; i < n; i++)
            *ring_byte(to, to->tail + i) = *ring_byte(from, from->head + i);
        if (hostile)
            attack_word(TWZ_PORT_IN, &from->head);
        __atomic_store_n(&from->head, from->head + n, __ATOMIC_RELEASE);
        __atomic_store_n(&to->tail, to->tail + n, __ATOMIC_RELEASE);
        bytes -= n;
        if (n && hostile) {
            attack_moving(TWZ_PORT_OUT, to);
            attack_moving(TWZ_PORT_IN, from);
            attack_word(TWZ_PORT_OUT, &to->tail);
        }
        if (n) {
            kick(TWZ_PORT_IN);
            kick(TWZ_PORT_OUT);
        }
        poll();
    }
}

static void attack(void)
{
    for (unsigned port = 0; port < TWZ_PORTS; port++) {
        struct twz_port *p = &shared()->port[port];

        attack_word(port, &p->to_host.tail);
        attack_word(port, &p->from_host.head);
        for (unsigned i = 0; i < 2; i++) {
            struct twz_ring *ring = i ? &p->from_host : &p->to_host;
            const struct twz_ring good = *ring;

            attack_word(port, &ring->size);
            attack_word(port, &ring->data);
            ring->head = ring->tail = ring->released = ring->retired = ring->closed = ~0ull;
            kick(port);
            *ring = good;
        }
    }
    for (uint64_t op = 0; op < 3; op++) {
        int64_t ret = object.device->ctl(&object, op, op ? 0 : TWZ_PORTS);

        if (ret != -TWZ_EINVAL)
            panic("ctl");
    }
}

static void report(void)
{
    for (unsigned port = 0; port < TWZ_PORTS; port++) {
        const struct twz_port *p = &shared()->port[port];

        while (!__atomic_load_n(&p->open, __ATOMIC_ACQUIRE)) /* news still on its way */
            poll();
        for (const uint8_t *c = p->name; *c; c++)
            put(TWZ_PORT_ERR, *c);
        put(TWZ_PORT_ERR, p->open ? '+' : '-');
    }
    kick(TWZ_PORT_ERR);
}

static uint64_t get_number(void)
{
    uint64_t n = 0;

    for (uint8_t c = get(TWZ_PORT_CTL); c != '\n'; c = get(TWZ_PORT_CTL))
        n = n * 10 + (c - '0');
    return n;
}

static bool command(void)
{
    switch (get(TWZ_PORT_CTL)) {
    case 'e': echo(get_number(), false); break;
    case 'h': echo(get_number(), true); break;
    case 'a': attack(); break;
    case 'r': report(); break;
    default: return false;
    }
    put(TWZ_PORT_CTL, '.');
    kick(TWZ_PORT_CTL);
    return true;
}

static bool guards_whole(void)
{
    for (unsigned i = 0; i < nguards; i++) {
        for (uint64_t at = guards[i]; at < guards[i] + 4096; at++) {
            if (*(const uint8_t *)at != GUARD)
                return false;
        }
    }
    return true;
}

int bare_main(void)
{
    memset((void *)MEMORY, GUARD, MEMORY_TOP - MEMORY);
    console_init();
    if (shared()->magic != TWZ_CONSOLE_MAGIC)
        return END_BAD;
    if (!shared()->ports)
        return END_BAD + 1;
    while (command())
        ;
    put(TWZ_PORT_OUT, '!');
    kick(TWZ_PORT_OUT);
    console_drain();
    return guards_whole() ? END_GOOD : END_BAD;
}
