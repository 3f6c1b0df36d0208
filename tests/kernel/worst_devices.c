/* SPDX-License-Identifier: MIT */
/* The console, which worst.py reads, and a machine check, which it raises (worst.h). */
#include "worst.h"

#define PATTERN 0x6c6f73742d70616full /* media.py searches the pool for a page full of it */

#define CONSOLE ((volatile struct twz_console *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_OBJ_BASE))
#define USER \
    ((volatile struct twz_console_user *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_CONSOLE_USER))
#define OUT TWZ_PORT_OUT

static void notify(unsigned port)
{
    objid_t console = { user_system()->console.lo, user_system()->console.hi };

    CHECK_IS(CALL(dev_ctl, IDARG(console), TWZ_DEV_NOTIFY, port), 0);
}

/* Lets the host have `count` bytes of the ring, whatever they are. */
static void send(uint64_t count)
{
    __atomic_store_n(&USER->port[OUT].out_tail, USER->port[OUT].out_tail + count, __ATOMIC_RELEASE);
    notify(OUT);
}

static void await_sent(void)
{
    volatile uint64_t *head = &CONSOLE->port[OUT].out_head;
    uint64_t at;

    while ((at = __atomic_load_n(head, __ATOMIC_ACQUIRE)) != USER->port[OUT].out_tail)
        user_wait(head, at, TWZ_FOREVER);
}

static void worst_console(void)
{
    uint32_t count = worst_size(3000, 8000), i;

    while (__atomic_load_n(&CONSOLE->port[OUT].open, __ATOMIC_ACQUIRE) == 0)
        user_wait(&CONSOLE->port[OUT].open, 0, TWZ_FOREVER);
    worst_threads_begin();
    worst_sleepers(count, &CONSOLE->port[OUT].out_head, 0, TWZ_FOREVER, 0);
    REPORT(thread_spawn, "many threads that sleep");
    send(1);
    await_sent();
    worst_threads_gone();
    REPORT(dev_ctl, "NOTIFY, many sleep on the word");
    for (i = 0; i < count; i++)
        worst_drop(worst_id(i));
    REPORT(obj_delete, "many thread objects");
    send(TWZ_RING_OUT_SIZE(OUT));
    await_sent();
    REPORT(dev_ctl, "NOTIFY, a full ring");
    for (i = 0; i < 200; i++)
        send(1);
    await_sent();
    REPORT(dev_ctl, "NOTIFY, bytes one by one");
}

/* worst.py sends INPUT bytes. */
#define INPUT (1u << 20)

static void worst_input(void)
{
    volatile struct twz_port *in = &CONSOLE->port[TWZ_PORT_IN];
    uint64_t read = 0, tail;

    user_log("ready for input");
    while (read < INPUT) {
        tail = __atomic_load_n(&in->in_tail, __ATOMIC_ACQUIRE);
        if (tail == read)
            user_wait(&in->in_tail, tail, TWZ_FOREVER);
        read = tail;
        __atomic_store_n(&USER->port[TWZ_PORT_IN].in_head, read, __ATOMIC_RELEASE);
        notify(TWZ_PORT_IN);
    }
    REPORT(dev_ctl, "NOTIFY, and interrupts, for input");
}

/* A page is lost that one object maps, among many that are mapped with many pages. */
static void worst_machine_check(void)
{
    uint32_t count = worst_size(40, 400), i;
    objid_t parent = worst_object(TWZ_OBJ_PERSIST);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .tie = parent };
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST) + 5 * PAGE;

    for (i = 0; i < count; i++) {
        objid_t id;
        uint64_t page;

        CHECK_IS(user_create(&spec, &id), 0);
        user_map(MANY + i, id, RW);
        for (page = 1; page < 40; page++)
            *user_page(MANY + i, page) = page;
        *user_page(MANY + i, TWZ_PAGE_META - 1) = 1;
    }
    user_map(SLOT_TEST, parent, RW);
    for (i = 0; i < PAGE / 8; i++)
        user_page(SLOT_TEST, 5)[i] = PATTERN;
    REPORT_EVENT("faults in many objects");
    user_log("ready for a media error");
    while (user_load_faults(at) == 0)
        continue;
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_POISON);
    REPORT_EVENT("a machine check");
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    worst_unmap_many(count);
    CHECK_IS(CALL(kso_invalidate, IDARG(user_view()), MANY, count), 0);
    worst_drop(parent);
}

void worst_devices(void)
{
    worst_console();
    worst_input();
    worst_machine_check();
}
