/* SPDX-License-Identifier: MIT */
/* The runtime of raw programs: see raw.h. Bytes go through the console's rings. */
#include "raw.h"

__asm__(".text\n"
        ".globl _start\n"
        "_start:\n"
        "    xorl %ebp, %ebp\n"
        "    andq $-16, %rsp\n"
        "    call raw_start\n"
        "    ud2\n");

__attribute__((noreturn, used)) void raw_start(void);

int64_t raw_call(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                 uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    int64_t result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((uint64_t)number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static uint64_t text_len(const char *text)
{
    uint64_t len = 0;

    while (text[len])
        len++;
    return len;
}

const char *raw_arg(const struct raw *raw, uint32_t n)
{
    const char *at = raw->text;

    if (n >= raw->argc)
        return "";
    while (n--)
        at += text_len(at) + 1;
    return at;
}

uint64_t raw_number(const char *text)
{
    uint64_t n = 0;

    while (*text >= '0' && *text <= '9')
        n = n * 10 + (uint64_t)(*text++ - '0');
    return n;
}

objid_t raw_id(const char *text)
{
    uint64_t half[2] = { 0, 0 };

    for (unsigned i = 0; i < 32 && text[i]; i++) {
        uint64_t digit = (uint64_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);

        half[i / 16] = half[i / 16] << 4 | digit;
    }
    return (objid_t){ .hi = half[0], .lo = half[1] };
}

static void sleep_on_word(const uint64_t *word, uint64_t value)
{
    struct twz_sync op = { .addr = (uint64_t)word,
                           .value = value,
                           .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };

    (void)raw_call(TWZ_SYS_thread_sync, (uint64_t)&op, 1, TWZ_FOREVER, 0, 0, 0);
}

static uint32_t slot_of(unsigned port)
{
    return port == TWZ_PORT_CTL ? TWZ_SLOT_CONTROL : TWZ_SLOT_CONSOLE;
}

const struct twz_port *raw_port(unsigned port)
{
    uint64_t at = TWZ_SLOT_ADDR(slot_of(port)) + TWZ_OBJ_BASE;

    return &((const struct twz_console *)at)->port[port];
}

struct twz_port_user *raw_port_user(unsigned port)
{
    uint64_t at = TWZ_SLOT_ADDR(slot_of(port)) + TWZ_CONSOLE_USER;

    return &((struct twz_console_user *)at)->port[port];
}

objid_t raw_device(unsigned port)
{
    return ((const struct twz_view_entry *)(RAW_VIEW + TWZ_VIEW_TABLE) + slot_of(port))->id;
}

static void notify_port(unsigned port)
{
    objid_t id = raw_device(port);

    (void)raw_call(TWZ_SYS_dev_ctl, id.lo, id.hi, TWZ_DEV_NOTIFY, port, 0, 0);
}

static void send_bytes(unsigned port, const void *data, uint64_t len)
{
    const struct twz_port *kern = raw_port(port);
    struct twz_port_user *user = raw_port_user(port);
    char *ring = (char *)(TWZ_SLOT_ADDR(slot_of(port)) + TWZ_RING_OUT(port));
    uint64_t size = TWZ_RING_OUT_SIZE(port);
    const char *from = data;

    while (len) {
        uint64_t head = __atomic_load_n(&kern->out_head, __ATOMIC_ACQUIRE);

        if (user->out_tail - head == size) {
            sleep_on_word(&kern->out_head, head);
            continue;
        }
        ring[user->out_tail % size] = *from++;
        __atomic_store_n(&user->out_tail, user->out_tail + 1, __ATOMIC_RELEASE);
        if (!--len || user->out_tail - head == size)
            notify_port(port);
    }
}

static void await_sent(unsigned port)
{
    const struct twz_port *kern = raw_port(port);
    uint64_t head = __atomic_load_n(&kern->out_head, __ATOMIC_ACQUIRE);

    while (head != raw_port_user(port)->out_tail) {
        sleep_on_word(&kern->out_head, head);
        head = __atomic_load_n(&kern->out_head, __ATOMIC_ACQUIRE);
    }
}

static void receive_bytes(unsigned port, void *data, uint64_t len)
{
    const struct twz_port *kern = raw_port(port);
    struct twz_port_user *user = raw_port_user(port);
    const char *ring = (const char *)(TWZ_SLOT_ADDR(slot_of(port)) + TWZ_RING_IN(port));
    char *to = data;

    while (len) {
        uint64_t tail = __atomic_load_n(&kern->in_tail, __ATOMIC_ACQUIRE);

        if (tail == user->in_head) {
            sleep_on_word(&kern->in_tail, tail);
            continue;
        }
        *to++ = ring[user->in_head % TWZ_RING_IN_SIZE(port)];
        __atomic_store_n(&user->in_head, user->in_head + 1, __ATOMIC_RELEASE);
        len--;
    }
    notify_port(port);
}

void raw_say(const char *text)
{
    send_bytes(TWZ_PORT_OUT, text, text_len(text));
}

void raw_say_number(uint64_t n)
{
    char digits[24];
    unsigned at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    raw_say(digits + at);
}

void raw_map(uint32_t slot, objid_t id, unsigned rights)
{
    struct twz_view_entry *entry = (struct twz_view_entry *)(RAW_VIEW + TWZ_VIEW_TABLE) + slot;
    uint64_t old = entry->flags;

    __atomic_store_n(&entry->flags, 0, __ATOMIC_RELEASE);
    entry->id = id;
    __atomic_store_n(&entry->flags, TWZ_VE_VALID | rights, __ATOMIC_RELEASE);
    if (old & TWZ_VE_VALID) {
        const struct twz_record *view = (const struct twz_record *)(RAW_VIEW + TWZ_OBJ_RECORD);

        (void)raw_must(raw_call(TWZ_SYS_kso_invalidate, view->id.lo, view->id.hi, slot, 1, 0, 0),
                       "kso_invalidate");
    }
}

void raw_persist(const void *at, uint64_t len)
{
    uint64_t line = (uint64_t)at & ~63ull;
    uint64_t end = (uint64_t)at + len;

    for (; line < end; line += 64) {
        (void)*(const volatile uint8_t *)line;
        if (RAW_SYSTEM->persist_kind == 2)
            __asm__ volatile("clwb (%0)" : : "r"(line) : "memory");
        else
            __asm__ volatile("clflush (%0)" : : "r"(line) : "memory");
    }
    __asm__ volatile("sfence" : : : "memory");
}

int64_t raw_must(int64_t result, const char *what)
{
    if (result < 0) {
        raw_say(what);
        raw_say(" failed: ");
        raw_say_number((uint64_t)-result);
        raw_say("\n");
        raw_exit(99);
    }
    return result;
}

void raw_exit(int status)
{
    struct {
        struct twz_host_frame frame;
        struct twz_host_exit exit;
    } end = { .frame = { .magic = TWZ_HOST_MAGIC, .type = TWZ_HOST_EXIT, .len = sizeof(end.exit) },
              .exit = { .status = status } };

    await_sent(TWZ_PORT_OUT);
    send_bytes(TWZ_PORT_CTL, &end, sizeof(end.frame) + sizeof(end.exit));
    (void)raw_call(TWZ_SYS_shutdown, TWZ_SHUTDOWN_OFF, 0, 0, 0, 0, 0);
    for (;;)
        sleep_on_word(&raw_port(TWZ_PORT_CTL)->open, 1);
}

static void read_command(struct raw *raw)
{
    struct twz_host_frame frame;
    struct twz_host_run run;

    receive_bytes(TWZ_PORT_CTL, &frame, sizeof(frame));
    if (frame.type != TWZ_HOST_RUN || frame.len < sizeof(run) ||
        frame.len - sizeof(run) >= RAW_TEXT_MAX)
        raw_exit(98);
    receive_bytes(TWZ_PORT_CTL, &run, sizeof(run));
    receive_bytes(TWZ_PORT_CTL, raw->text, frame.len - sizeof(run));
    raw->text[frame.len - sizeof(run)] = '\0';
    raw->argc = run.argc;
}

void raw_start(void)
{
    struct twz_host_frame ready = { .magic = TWZ_HOST_MAGIC, .type = TWZ_HOST_READY };
    struct raw raw;

    send_bytes(TWZ_PORT_CTL, &ready, sizeof(ready));
    read_command(&raw);
    raw_exit(raw_main(&raw));
}
