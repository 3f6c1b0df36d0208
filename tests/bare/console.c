/* SPDX-License-Identifier: MIT */
/*
 * The kernel's console driver on a bare machine, with stand-ins for the rest of the kernel, and a
 * user that executes commands from the control port (console.py sends them):
 *
 *   e N   copy N bytes (decimal, ends with a newline) from IN to OUT
 *   h N   the same, with impossible values in every word of user code meanwhile
 *   a     attack: impossible values in each word of user code, a notification, the word restored
 *   r     write to ERR the port names and open flags that the driver has stored
 *   q     drain and end the machine: 0x10 if no byte outside of the rings changed
 *
 * The answer to each command is one byte '.' on the control port. There is no interrupt table: the
 * test polls by calling the handler that the driver has registered.
 */
#include <kernel/console.h>
#include <kernel/defer.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <kernel/sync.h>
#include <lib/string.h>

#define PAGES      1024u
#define GUARD      0xa5
#define MEMORY     0x4000000ull /* start of the frames; a guard page precedes each run */
#define MEMORY_TOP 0x5000000ull
#define END_GOOD   0x10
#define END_BAD    0x11

int bare_main(void);

/* ---- the kernel around the driver ----------------------------------------------------------- */

static uint64_t memory_next = MEMORY;
static uint64_t guards[64];
static unsigned nguards;
static uint8_t *pages[2][PAGES]; /* of the console object, of the control object */
static struct object object[2];
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

__attribute__((no_caller_saved_registers)) void arch_wait_word(const _Atomic uint32_t *word,
                                                               uint32_t value)
{
    while (*word != value)
        arch_pause();
}

uint64_t arch_clock_ns(void)
{
    return ticks += 1000;
}

static void add_guard(uint64_t at)
{
    if (nguards == ARRAY_LEN(guards))
        panic("guards");
    guards[nguards++] = at;
}

/* Places a guard page before each run of frames. */
phys_t phys_alloc(unsigned order)
{
    uint64_t bytes = 4096ull << order;
    uint64_t start = memory_next + 4096;

    if (start + bytes + 4096 > MEMORY_TOP)
        return PHYS_NONE;
    add_guard(memory_next);
    memory_next = start + bytes;
    return (phys_t){ start };
}

phys_t phys_alloc_zeroed(void)
{
    phys_t p = phys_alloc(0);

    memset(arch_virt(p), 0, 4096);
    return p;
}

struct object *kso_create(const char *name, uint32_t kind, uint32_t perms)
{
    (void)name;
    (void)perms;
    object[0].kind = kind;
    object[0].id = (objid_t){ 1, 1 };
    return &object[0];
}

int obj_create(const struct obj_spec *spec, struct object **out)
{
    *out = &object[1];
    object[1].kind = spec->kind;
    object[1].id = (objid_t){ 1, 2 };
    return 0;
}

int obj_map_foreign(struct object *obj, uint32_t page, phys_t frame, unsigned flags)
{
    if (page >= PAGES || (flags != ARCH_PT_WRITE && flags != ARCH_PT_PROTECT))
        return -TWZ_EINVAL;
    pages[obj - object][page] = arch_virt(frame);
    return 0;
}

struct object *kso_root(void)
{
    return &object[0];
}

int kso_attach_fixed(struct object *child)
{
    (void)child;
    return 0;
}

void kso_set_console(struct object *console)
{
    (void)console;
}

bool sync_wake(const void *key, uint64_t off, uint64_t count, unsigned *woken)
{
    (void)count;
    *woken += key && off % 8 == 0;
    return false;
}

static struct deferred *deferred; /* queued by the driver; done at the next poll */

void defer_unowned(struct deferred *work)
{
    deferred = work;
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

static unsigned object_of(unsigned port)
{
    return port == TWZ_PORT_CTL;
}

static struct twz_console *kernel_page(unsigned port)
{
    return (struct twz_console *)(void *)pages[object_of(port)][TWZ_OBJ_BASE >> 12];
}

static struct twz_port *kernel_words(unsigned port)
{
    return &kernel_page(port)->port[port];
}

static struct twz_port_user *user_of(unsigned port)
{
    return &((struct twz_console_user *)(void *)pages[object_of(port)][TWZ_CONSOLE_USER >> 12])
                ->port[port];
}

static uint8_t *byte_out(unsigned port, uint64_t position)
{
    uint64_t at = TWZ_RING_OUT(port) + position % TWZ_RING_OUT_SIZE(port);

    return pages[object_of(port)][at >> 12] + (at & 4095);
}

static uint8_t *byte_in(unsigned port, uint64_t position)
{
    uint64_t at = TWZ_RING_IN(port) + position % TWZ_RING_IN_SIZE(port);

    return pages[object_of(port)][at >> 12] + (at & 4095);
}

static void poll_device(void)
{
    struct deferred *work = deferred;

    deferred = NULL;
    if (work && work->step(work))
        deferred = work;
    handler(handler_arg);
    arch_pause();
}

static void notify(unsigned port)
{
    struct object *obj = &object[object_of(port)];

    if (obj->device->ctl(obj, TWZ_DEV_NOTIFY, port) < 0)
        panic("notify");
}

static uint64_t readable_bytes(unsigned port)
{
    return __atomic_load_n(&kernel_words(port)->in_tail, __ATOMIC_ACQUIRE) - user_of(port)->in_head;
}

static uint8_t get_byte(unsigned port)
{
    struct twz_port_user *user = user_of(port);
    uint8_t byte;

    while (!readable_bytes(port))
        poll_device();
    byte = *byte_in(port, user->in_head);
    user->in_head++;
    notify(port);
    return byte;
}

static uint64_t space_out(unsigned port)
{
    return TWZ_RING_OUT_SIZE(port) -
           (user_of(port)->out_tail -
            __atomic_load_n(&kernel_words(port)->out_head, __ATOMIC_ACQUIRE));
}

static void put_byte(unsigned port, uint8_t byte)
{
    struct twz_port_user *user = user_of(port);

    while (!space_out(port))
        poll_device();
    *byte_out(port, user->out_tail) = byte;
    __atomic_store_n(&user->out_tail, user->out_tail + 1, __ATOMIC_RELEASE);
}

/* Stores values in one word that would mislead a driver which trusted them. */
static void attack_word(unsigned port, uint64_t *word)
{
    uint64_t good = *word;
    const uint64_t bad[] = { good - 1, good + (1 << 20), good - (1 << 20), good + ~0ull / 2,
                             ~0ull };

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        *word = bad[i];
        notify(port);
        poll_device();
        *word = good;
    }
}

/* Attacks the words of user code that the driver must not read, just after a counter has moved. */
static void attack_other_words(unsigned port)
{
    attack_word(port, &user_of(port)->lock);
    attack_word(port, &user_of(port)->state);
    attack_word(port, &user_of(port)->out_retired);
    attack_word(port, &user_of(port)->in_released);
}

/* Copies as many bytes at once as are there and fit, then notifies both ports. */
static void echo_bytes(uint64_t bytes, bool hostile)
{
    struct twz_port_user *from = user_of(TWZ_PORT_IN);
    struct twz_port_user *to = user_of(TWZ_PORT_OUT);

    while (bytes) {
        uint64_t n = readable_bytes(TWZ_PORT_IN);
        uint64_t space = space_out(TWZ_PORT_OUT);

        n = n < space ? n : space;
        for (uint64_t i = 0; i < n; i++)
            *byte_out(TWZ_PORT_OUT, to->out_tail + i) = *byte_in(TWZ_PORT_IN, from->in_head + i);
        if (hostile)
            attack_word(TWZ_PORT_IN, &from->in_head);
        __atomic_store_n(&from->in_head, from->in_head + n, __ATOMIC_RELEASE);
        __atomic_store_n(&to->out_tail, to->out_tail + n, __ATOMIC_RELEASE);
        bytes -= n;
        if (n && hostile) {
            attack_other_words(TWZ_PORT_OUT);
            attack_other_words(TWZ_PORT_IN);
            attack_word(TWZ_PORT_OUT, &to->out_tail);
        }
        if (n) {
            notify(TWZ_PORT_IN);
            notify(TWZ_PORT_OUT);
        }
        poll_device();
    }
}

/* Impossible values in each word of each idle port, then in all words at once. */
static void attack_all_rings(void)
{
    for (unsigned port = 0; port < TWZ_PORTS; port++) {
        struct twz_port_user *user = user_of(port);
        const struct twz_port_user good = *user;

        attack_word(port, &user->out_tail);
        attack_word(port, &user->in_head);
        memset(user, 0xff, sizeof(*user));
        notify(port);
        *user = good;
    }
    for (uint64_t op = 0; op < 3; op++) {
        for (unsigned i = 0; i < ARRAY_LEN(object); i++) {
            uint64_t port = op ? 0 : i ? TWZ_PORT_OUT : TWZ_PORT_CTL;

            if (object[i].device->ctl(&object[i], op, op ? 0 : TWZ_PORTS) != -TWZ_EINVAL ||
                object[i].device->ctl(&object[i], op, port) != -TWZ_EINVAL)
                panic("ctl");
        }
    }
}

static void write_report(void)
{
    for (unsigned port = 0; port < TWZ_PORTS; port++) {
        const struct twz_port *p = kernel_words(port);

        while (!__atomic_load_n(&p->open,
                                __ATOMIC_ACQUIRE)) /* the control message is still under way */
            poll_device();
        for (const uint8_t *c = p->name; *c; c++)
            put_byte(TWZ_PORT_ERR, *c);
        put_byte(TWZ_PORT_ERR, p->open ? '+' : '-');
    }
    notify(TWZ_PORT_ERR);
}

static uint64_t get_number(void)
{
    uint64_t n = 0;

    for (uint8_t c = get_byte(TWZ_PORT_CTL); c != '\n'; c = get_byte(TWZ_PORT_CTL))
        n = n * 10 + (c - '0');
    return n;
}

static bool run_command(void)
{
    switch (get_byte(TWZ_PORT_CTL)) {
    case 'e': echo_bytes(get_number(), false); break;
    case 'h': echo_bytes(get_number(), true); break;
    case 'a': attack_all_rings(); break;
    case 'r': write_report(); break;
    default: return false;
    }
    put_byte(TWZ_PORT_CTL, '.');
    notify(TWZ_PORT_CTL);
    return true;
}

static bool are_guards_whole(void)
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
    for (unsigned port = 0; port < TWZ_PORTS; port++) {
        if (kernel_page(port)->magic != TWZ_CONSOLE_MAGIC)
            return END_BAD;
        if (!(kernel_page(port)->ports >> port & 1))
            return END_BAD + 1;
    }
    while (run_command())
        ;
    put_byte(TWZ_PORT_OUT, '!');
    notify(TWZ_PORT_OUT);
    console_drain();
    return are_guards_whole() ? END_GOOD : END_BAD;
}
