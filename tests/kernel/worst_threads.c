/* SPDX-License-Identifier: MIT */
/* The worst arguments of the calls on threads, and of those that belong to no object (worst.h). */
#include <stddef.h>

#include "worst.h"

#define SLOT_IDS (SLOT_TEST + 40) /* the IDs of the sleepers */

static uint64_t count_threads(void)
{
    (void)user_memory_free(); /* brings the system page up to date */
    return user_system()->threads;
}

void worst_threads_begin(void)
{
    SHARED->word[BEFORE] = count_threads();
}

void worst_threads_gone(void)
{
    while (count_threads() > SHARED->word[BEFORE])
        user_wait(&SHARED->word[NOTHING], 0, user_now() + 100000);
}

/* --- threads without a stack ------------------------------------------------------------------ */

/* arg: a word, arg2: a deadline, the stack pointer: the word's value. */
void sleeper(void);
__asm__(".text\n"
        ".globl sleeper\n"
        "sleeper: mov %rsi, %rdx\n"
        "mov %rsp, %rsi\n"
        "mov $2, %r10d\n"
        "mov $0x1017, %eax\n"
        "syscall\n"
        "xor %edi, %edi\n"
        "mov $0x100e, %eax\n"
        "syscall\n"
        "ud2\n");

objid_t *worst_id_at(uint32_t n)
{
    return (objid_t *)(TWZ_SLOT_ADDR(SLOT_IDS) + TWZ_OBJ_BASE) + n;
}

objid_t worst_id(uint32_t n)
{
    volatile objid_t *id = worst_id_at(n);

    return (objid_t){ id->lo, id->hi };
}

static void keep_id(uint32_t n, objid_t id)
{
    volatile objid_t *ids = (volatile objid_t *)BASE(SLOT_IDS);

    if (n == 0)
        user_map(SLOT_IDS, worst_object(0), RW);
    ids[n].lo = id.lo;
    ids[n].hi = id.hi;
}

void worst_sleepers(uint32_t count, volatile uint64_t *addr, uint64_t value, uint64_t deadline,
                    uint64_t step)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = TWZ_KIND_THREAD };
    struct twz_spawn spawn = { .view = user_view(),
                               .entry = (uint64_t)(uintptr_t)sleeper,
                               .stack = value,
                               .arg = (uint64_t)(uintptr_t)addr,
                               .arg2 = deadline };
    uint32_t i;

    for (i = 0; i < count; i++, spawn.arg2 += step) {
        CHECK_IS(user_create(&spec, &spawn.thread), 0);
        CHECK_IS(CALL(thread_spawn, SIZED(&spawn)), 0);
        keep_id(i, spawn.thread);
    }
    for (i = 0; i < 4;
         i++) /* one turn is enough, unless a thread is interrupted before it sleeps */
        user_yield();
}

/* --- views ------------------------------------------------------------------------------------ */

static void do_nothing(uint64_t arg)
{
    (void)arg;
}

static void touch_slots(uint64_t count)
{
    uint64_t i;

    for (i = 0; i < count; i++)
        (void)*(volatile uint64_t *)(TWZ_SLOT_ADDR(MANY + i) + TWZ_OBJ_BASE);
}

static void touch_and_wait(uint64_t count)
{
    touch_slots(count);
    SHARED->word[SCRATCH] = 1;
    user_wake(&SHARED->word[SCRATCH], 1);
    user_wait(&SHARED->word[DONE], 0, TWZ_FOREVER);
}

static void touch_and_become(uint64_t count)
{
    struct twz_become next = { .view = { SHARED->word[SCRATCH + 1], SHARED->word[SCRATCH + 2] } };

    touch_slots(count);
    next.regs.rip = (uint64_t)(uintptr_t)sleeper; /* its word has another value already */
    next.regs.rdi = (uint64_t)(uintptr_t)&SHARED->word[DONE];
    next.regs.rsp = 77;
    CALL(thread_exit, CALL(thread_become, SIZED(&next)));
}

/* Thread 1 on its object, in a view of its own with `count` slots of object b. */
static void start_in_big_view(objid_t thread, objid_t b, uint32_t count, void (*fn)(uint64_t arg))
{
    objid_t view = user_child_view(1, b);

    worst_fill_view(view, TWZ_SLOT_ADDR(SLOT_CHILD_VIEW), b, count);
    SHARED->word[DONE] = 0;
    SHARED->word[SCRATCH] = 0;
    REPORT_EVENT("faults in a new view");
    CHECK_IS(user_spawn(1, thread, view, fn, count), 0);
    REPORT(thread_spawn, "first thread of a view");
    worst_drop(view);
}

static void worst_views(objid_t thread)
{
    uint32_t count = worst_size(10000, 120000);
    objid_t b = worst_object(0);

    start_in_big_view(thread, b, count, touch_slots);
    worst_threads_gone();
    REPORT(thread_exit, "last thread of a view with many mappings");
    SHARED->word[SCRATCH + 1] = user_view().lo;
    SHARED->word[SCRATCH + 2] = user_view().hi;
    start_in_big_view(thread, b, count, touch_and_become);
    worst_threads_gone();
    REPORT(thread_become, "last thread of a view with many mappings");
    worst_drop(b);
}

/* The last thread of a view drops the last references of many objects. */
static void worst_view_of_many_objects(objid_t thread)
{
    uint32_t count = worst_size(200, 2000), i;
    objid_t parent = worst_object(0), view = user_child_view(1, parent);
    struct twz_create spec = { .perms = TWZ_PERMS, .tie = parent };

    for (i = 0; i < count; i++) {
        objid_t id;

        CHECK_IS(user_create(&spec, &id), 0);
        worst_write(id, 8, 512);
        user_map_in(view, TWZ_SLOT_ADDR(SLOT_CHILD_VIEW), MANY + i, id, TWZ_READ);
    }
    SHARED->word[DONE] = 0;
    SHARED->word[SCRATCH] = 0;
    CHECK_IS(user_spawn(1, thread, view, touch_and_wait, count), 0);
    while (SHARED->word[SCRATCH] == 0)
        user_wait(&SHARED->word[SCRATCH], 0, TWZ_FOREVER);
    REPORT_EVENT("faults that map many objects");
    worst_drop(view);
    WORST_OF(obj_delete, "many mapped children", CALL(obj_delete, IDARG(parent), 0), 0);
    SHARED->word[DONE] = 1;
    user_wake(&SHARED->word[DONE], 1);
    worst_threads_gone();
    REPORT(thread_exit, "last use of many deleted objects");
}

/* --- one thread ------------------------------------------------------------------------------- */

static void end_by_fault(uint64_t arg)
{
    struct twz_fault fault = { .kind = TWZ_FAULT_PAGE, .addr = arg };

    CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT, &fault);
}

static void worst_ctl(objid_t thread)
{
    uint64_t before;

    WORST_OF(thread_ctl, "ALIVE", CALL(thread_ctl, 0, 0, TWZ_THREAD_ALIVE, 7), 0);
    WORST_OF(thread_ctl, "YIELD", CALL(thread_ctl, 0, 0, TWZ_THREAD_YIELD, 0), 0);
    WORST_OF(thread_ctl, "CORES", CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), 0);
    WORST_OF(thread_ctl, "MASK", CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, ~0ull, &before), 0);
    WORST_OF(thread_ctl, "FAULT_STACK", CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT_STACK, 0, 0), 0);
    CHECK_IS(user_spawn(1, thread, user_view(), end_by_fault, 1), 0);
    worst_threads_gone();
    REPORT(thread_ctl, "FAULT");
    CHECK_IS(user_thread_page(1)->exit_fault, 1);
}

/* All signals are masked here since worst_ctl. */
static void worst_signals(void)
{
    unsigned i;

    for (i = 0; i < TWZ_SIGNALS_QUEUED; i++)
        CHECK_IS(CALL(thread_signal, 0, 0, 1 + i, i), 0);
    CHECK_IS(CALL(thread_signal, 0, 0, 60, 0), -TWZ_EAGAIN);
    REPORT(thread_signal, "full queue");
    WORST_OF(thread_ctl, "MASK, 8 signals come", CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, 0, 0), 0);
}

/* A thread on a persistent object, whose page and record the kernel writes durably. */
static void worst_persistent_thread(void)
{
    objid_t id = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_THREAD);

    CHECK_IS(user_spawn(1, id, user_view(), do_nothing, 0), 0);
    REPORT(thread_spawn, "persistent thread");
    worst_threads_gone();
    REPORT(thread_exit, "persistent thread");
    worst_drop(id);
}

/* The frame of a fault just taken, and one that ends on a page that has to be added first. Its
 * registers are not valid, so the call returns. */
static void worst_fault_return(void)
{
    objid_t id = worst_object(TWZ_OBJ_PERSIST);
    struct twz_fault_frame *frame =
        (struct twz_fault_frame *)(TWZ_SLOT_ADDR(SLOT_TEST) + 9 * PAGE -
                                   offsetof(struct twz_fault_frame, xsave));

    SHARED->clobber = 1;
    CHECK_IS(user_load_faults(TWZ_SLOT_ADDR(SLOT_TEST + 9)), 1);
    SHARED->clobber = 0;
    REPORT(fault_return, "with vector state");
    user_map(SLOT_TEST, id, RW);
    frame->regs.gsbase = 1ull << 63;
    WORST_OF(fault_return, "frame on an absent page", CALL(fault_return, frame), -TWZ_EINVAL);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    worst_drop(id);
}

#define LOG_BYTES 512u

static void worst_calls_of_no_object(void)
{
    uint8_t bytes[LOG_BYTES];
    unsigned i;

    REPORT(null, "which worst_report calls");
    WORST_OF(random, "256 bytes", CALL(random, bytes, 256), 256);
    for (i = 0; i < LOG_BYTES; i++)
        bytes[i] = 'x';
    WORST_OF(log_write, "one line", CALL(log_write, bytes, LOG_BYTES), LOG_BYTES);
    for (i = 1; i < LOG_BYTES; i += 2)
        bytes[i] = '\n';
    WORST_OF(log_write, "256 lines", CALL(log_write, bytes, LOG_BYTES), LOG_BYTES);
    WORST_OF(shutdown, "unknown mode", CALL(shutdown, 99), -TWZ_EINVAL);
}

void worst_threads(void)
{
    objid_t thread;

    worst_threads_begin();
    thread = user_thread(1, do_nothing, 0);
    worst_threads_gone();
    REPORT(thread_exit, "one thread");
    worst_ctl(thread);
    worst_signals();
    worst_persistent_thread();
    worst_fault_return();
    worst_calls_of_no_object();
    worst_views(thread);
    worst_view_of_many_objects(thread);
}
