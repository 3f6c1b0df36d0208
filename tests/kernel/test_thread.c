/* SPDX-License-Identifier: MIT */
/* Threads: start, end, many at once, another view, signals, long calls, errors of spawn. */
#include "user.h"

#define MANY 12u

static void child_exit(uint64_t arg)
{
    CALL(thread_exit, arg);
}

static void test_exit_code_is_reported(void)
{
    objid_t id = user_thread(0, child_exit, 42);
    struct twz_thread *t = user_thread_page(0);

    CHECK_IS(user_join(0), 42);
    CHECK_IS(t->spawned, 1);
    CHECK_IS(t->exit_fault, 0);
    CHECK(t->generation > 1);
    CHECK_IS(t->id.lo, id.lo);
    /* The object can hold a second thread. */
    CHECK_IS(user_spawn(0, id, user_view(), child_exit, 43), 0);
    while (__atomic_load_n(&t->exit_code, __ATOMIC_ACQUIRE) != 43)
        user_yield();
    CHECK_IS(user_join(0), 43);
}

/* Checks that its vector register keeps its value while threads share cores. */
static void child_count(uint64_t arg)
{
    uint64_t i, x = 0;

    __asm__ volatile("movq %0, %%xmm7" : : "r"(arg) : "xmm7");
    for (i = 0; i < 300; i++) {
        __atomic_fetch_add(&SHARED->word[0], 1, __ATOMIC_RELAXED);
        user_yield();
    }
    __asm__ volatile("movq %%xmm7, %0" : "=r"(x));
    CALL(thread_exit, x);
}

static void test_registers_of_many_threads_stay_apart(void)
{
    unsigned i;

    SHARED->word[0] = 0;
    for (i = 0; i < MANY; i++)
        user_thread(i, child_count, 1000 + i);
    for (i = 0; i < MANY; i++)
        CHECK_IS(user_join(i), 1000 + i);
    CHECK_IS(SHARED->word[0], MANY * 300);
}

/* Makes no call until it is stopped. */
static void child_spin(uint64_t arg)
{
    volatile uint64_t *stop = (volatile uint64_t *)arg;

    while (*stop == 0)
        __asm__ volatile("pause");
}

static void test_spinning_thread_is_preempted(void)
{
    SHARED->word[1] = 0;
    user_thread(0, child_spin, (uint64_t)(uintptr_t)&SHARED->word[1]);
    CALL(thread_ctl, IDARG(user_thread_page(0)->id), TWZ_THREAD_CORES, 1);
    CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1);
    user_thread(1, child_exit, 7);
    CHECK_IS(user_join(1), 7);
    SHARED->word[1] = 1;
    CHECK_IS(user_join(0), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 0), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 32), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_ctl, 0, 0, 77, 0), -TWZ_EINVAL);
}

static void child_mark(uint64_t arg)
{
    *(volatile uint64_t *)arg = 1;
}

/* The thread waits on the queue of a core that stays busy, then may run on another core only. */
static void test_queued_thread_moves_to_its_new_core(void)
{
    SHARED->word[1] = 0;
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 20), 0);
    user_thread(0, child_mark, (uint64_t)(uintptr_t)&SHARED->word[1]);
    CALL(thread_ctl, IDARG(user_thread_page(0)->id), TWZ_THREAD_PRIORITY, 5);
    if (CALL(thread_ctl, IDARG(user_thread_page(0)->id), TWZ_THREAD_CORES, 2) == 0) {
        while (*(volatile uint64_t *)&SHARED->word[1] == 0)
            __asm__ volatile("pause"); /* this core stays busy */
    }
    user_join(0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 16), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull), 0);
}

/* --- another view ----------------------------------------------------------------------------- */

static void child_other(uint64_t arg)
{
    SHARED->word[2] = *BASE(SLOT_TEST) + arg;
}

static void test_spawn_in_another_view(void)
{
    objid_t a = user_object(0, TWZ_PERMS, TWZ_KIND_DATA),
            b = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t id = user_thread(0, child_exit, 0), view;

    user_join(0);
    user_map(SLOT_TEST, b, TWZ_READ | TWZ_WRITE);
    *BASE(SLOT_TEST) = 500;
    view = user_child_view(0, b);
    user_map(SLOT_TEST, a, TWZ_READ | TWZ_WRITE);
    *BASE(SLOT_TEST) = 1;
    user_thread_page(0)->exit_code = 99;
    CHECK_IS(user_spawn(0, id, view, child_other, 5), 0);
    CHECK_IS(user_join(0), 0);
    CHECK_IS(SHARED->word[2], 505);
    CHECK_IS(CALL(obj_delete, IDARG(view), TWZ_DELETE_NOW), 0);
}

static void run_after_become(uint64_t arg)
{
    SHARED->word[3] = *BASE(SLOT_TEST) + arg;
    CALL(thread_exit, 9);
}

static void child_become(uint64_t arg)
{
    struct twz_become next = { .view = { SHARED->word[4], SHARED->word[5] } };

    next.regs.rip = (uint64_t)(uintptr_t)run_after_become;
    next.regs.rsp = TWZ_SLOT_ADDR(SLOT_STACK) + TWZ_OBJ_DATA_TOP - 8;
    next.regs.rdi = arg;
    next.regs.rflags = ~(uint64_t)0x40500; /* all but trap, direction, alignment check */
    next.regs.gsbase = (uint64_t)(uintptr_t)user_thread_page(0);
    CALL(thread_become, &next, sizeof(next));
    CALL(thread_exit, 1);
}

/* The arguments that become rejects, then a change of view, registers and stack in one step. */
static void test_become_enters_another_view(void)
{
    struct twz_become next = { .view = { 1, 2 } };
    objid_t b = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), view, id;

    CHECK_IS(CALL(thread_become, &next, sizeof(next)), -TWZ_ENOOBJ);
    next.view = b;
    CHECK_IS(CALL(thread_become, &next, sizeof(next)), -TWZ_ETYPE);
    next.regs.rip = 1ull << 63;
    CHECK_IS(CALL(thread_become, &next, sizeof(next)), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_become, 1, sizeof(next)), -TWZ_EFAULT);

    id = user_thread(0, child_exit, 0);
    user_join(0);
    user_map(SLOT_TEST, b, TWZ_READ | TWZ_WRITE);
    *BASE(SLOT_TEST) = 600;
    view = user_child_view(0, b);
    SHARED->word[4] = view.lo;
    SHARED->word[5] = view.hi;
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(user_spawn(0, id, user_view(), child_become, 6), 0);
    CHECK_IS(user_join(0), 9);
    CHECK_IS(SHARED->word[3], 606);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void child_sleep(uint64_t arg)
{
    long r = user_wait(&SHARED->word[6], 0, TWZ_FOREVER);

    SHARED->word[7] = (uint64_t)r;
    CALL(thread_exit, arg);
}

static void on_signal(struct twz_fault_frame *frame)
{
    SHARED->word[8] = frame->fault.addr;
    SHARED->word[9] = frame->fault.code;
    __atomic_fetch_add(&SHARED->word[10], 1, __ATOMIC_RELAXED);
    CALL(fault_return, frame);
}

static void child_sleep_on(uint64_t arg)
{
    unsigned tries;

    for (tries = 0; tries < 50 && SHARED->word[10] < arg; tries++)
        user_wait(&SHARED->word[6], 0, TWZ_FOREVER);
    CALL(thread_exit, SHARED->word[10]);
}

/* Several signals arrive before the thread runs: it gets all of them. */
static void test_queued_signals_all_arrive(void)
{
    objid_t id;
    unsigned i;

    SHARED->word[6] = 0;
    SHARED->word[10] = 0;
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), 0);
    id = user_thread(0, child_sleep_on, 3);
    user_wait(&SHARED->word[6], 0, user_now() + 1000000); /* now it sleeps */
    for (i = 0; i < 3; i++)
        CHECK_IS(CALL(thread_signal, IDARG(id), 20 + i, i), 0);
    CHECK_IS(user_join(0), 3);
    CHECK_IS(SHARED->word[8], 22);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull), 0);
}

/* Signals without a handler, to a running and to a sleeping thread. */
static void test_signals_end_a_thread(void)
{
    objid_t id;

    /* Killed while it runs, on any core. */
    SHARED->word[1] = 0;
    id = user_thread(0, child_spin, (uint64_t)(uintptr_t)&SHARED->word[1]);
    CHECK_IS(CALL(thread_signal, IDARG(id), TWZ_SIGNAL_KILL, 0), 0);
    CHECK_IS(user_join(0), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
    /* Killed while it sleeps. */
    SHARED->word[6] = 0;
    id = user_thread(1, child_sleep, 0);
    user_yield();
    CHECK_IS(CALL(thread_signal, IDARG(id), TWZ_SIGNAL_KILL, 0), 0);
    CHECK_IS(user_join(1), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
    CHECK_IS(CALL(thread_signal, IDARG(id), 10, 0), -TWZ_ENOOBJ);
    /* No handler: it ends by the signal. */
    id = user_thread(2, child_sleep, 0);
    CHECK_IS(CALL(thread_signal, IDARG(id), 15, 0), 0);
    CHECK_IS(user_join(2), TWZ_EXIT_BY_SIGNAL(15));
}

/* A signal with a handler interrupts a sleep. */
static void test_handled_signals_interrupt(void)
{
    objid_t id;

    user_set_handler(TWZ_FAULT_SIGNAL, on_signal);
    SHARED->word[7] = 0;
    id = user_thread(3, child_sleep, 77);
    while (user_thread_page(3)->exit == 0) {
        /* A signal before the sleep interrupts nothing, so send another one. */
        CALL(thread_signal, IDARG(id), 12, 1234);
        user_wait(&user_thread_page(3)->exit, 0, user_now() + 2000000);
    }
    CHECK_IS(user_join(3), 77);
    CHECK_IS(SHARED->word[7], -TWZ_EINTR);
    CHECK_IS(SHARED->word[8], 12);
    CHECK_IS(SHARED->word[9], 1234);
    /* The thread itself. */
    CHECK_IS(CALL(thread_signal, 0, 0, 14, 4321), 0);
    CHECK_IS(SHARED->word[8], 14);
    CHECK_IS(SHARED->word[9], 4321);
    CHECK_IS(CALL(thread_signal, 0, 0, 0, 0), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_signal, 0, 0, 65, 0), -TWZ_EINVAL);
}

/* A handler that makes a long call itself. */
static void on_signal_copy(struct twz_fault_frame *frame)
{
    struct twz_copy c = { .src = { SHARED->word[16], SHARED->word[17] },
                          .dst = { SHARED->word[18], SHARED->word[19] },
                          .src_off = TWZ_PAGE_SIZE,
                          .dst_off = 900 * TWZ_PAGE_SIZE,
                          .len = 600 * TWZ_PAGE_SIZE };

    SHARED->word[20] += CALL(obj_copy, SIZED(&c), 1) == 0;
    SHARED->word[21]++;
    CALL(fault_return, frame);
}

static void child_copies(uint64_t arg)
{
    struct twz_copy c = { .src = { SHARED->word[12], SHARED->word[13] },
                          .dst = { SHARED->word[14], SHARED->word[15] },
                          .src_off = TWZ_PAGE_SIZE,
                          .dst_off = TWZ_PAGE_SIZE,
                          .len = arg * TWZ_PAGE_SIZE };
    long ret = 0;
    unsigned round;

    for (round = 0; round < 8 && ret == 0; round++)
        ret = CALL(obj_copy, SIZED(&c), 1);
    __atomic_store_n(&SHARED->word[22], 1, __ATOMIC_RELEASE);
    CALL(thread_exit, ret);
}

#define LONG_PAGES    6000u
#define NESTED        3u /* handlers at once */
#define INTERRUPTIONS 100u

/* Makes the objects of child_copies (0, 1) and of its handler (2, 3), and fills the sources. */
static void make_copied_objects(objid_t made[4])
{
    uint64_t i;

    for (i = 0; i < 4; i++) {
        made[i] = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
        SHARED->word[12 + 2 * i] = made[i].lo;
        SHARED->word[13 + 2 * i] = made[i].hi;
        user_map(SLOT_TEST + (uint32_t)i, made[i], TWZ_READ | TWZ_WRITE);
    }
    for (i = 1; i <= LONG_PAGES; i++)
        *user_page(SLOT_TEST, i) = i;
    for (i = 1; i <= 600; i++)
        *user_page(SLOT_TEST + 2, i) = 100000 + i;
    for (i = 20; i <= 22; i++)
        SHARED->word[i] = 0;
}

/* A long call continues where signals stopped it, although their handler makes long calls, too. */
static void test_long_call_continues_after_signals(void)
{
    objid_t made[4], id;
    uint64_t i, sent = 0;

    make_copied_objects(made);
    user_set_handler(TWZ_FAULT_SIGNAL, on_signal_copy);
    id = user_thread(0, child_copies, LONG_PAGES);
    /* So that the signals interrupt the copies. */
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 20), 0);
    while (__atomic_load_n(&SHARED->word[22], __ATOMIC_ACQUIRE) == 0) {
        /* Handlers may nest, but a slow machine must still come to the end of the call. */
        if (sent < INTERRUPTIONS &&
            sent - __atomic_load_n(&SHARED->word[21], __ATOMIC_ACQUIRE) < NESTED)
            sent += CALL(thread_signal, IDARG(id), 20, 0) == 0;
        user_wait(&SHARED->word[23], SHARED->word[23], user_now() + 300000);
    }
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 16), 0);
    CHECK_IS(user_join(0), 0);
    CHECK(sent > 4 && SHARED->word[21] > 4);
    CHECK_IS(SHARED->word[20], SHARED->word[21]);
    for (i = 1; i <= LONG_PAGES; i += 7)
        CHECK_IS(*user_page(SLOT_TEST + 1, i), i);
    CHECK_IS(*user_page(SLOT_TEST + 3, 900), 100001);
    CHECK_IS(*user_page(SLOT_TEST + 3, 1499), 100600);
    for (i = 0; i < 4; i++) {
        user_map(SLOT_TEST + (uint32_t)i, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_delete, IDARG(made[i]), 0), 0);
    }
    user_set_handler(TWZ_FAULT_SIGNAL, on_signal);
}

/* --- an abandoned call ------------------------------------------------------------------------ */

#define ABANDONED_PAGES 6000u
#define ABANDON_ROUNDS  200u

/* Makes a call always at the same address and stack depth. A handler may continue at its end. */
long slow_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
extern const char slow_call_back[];

__asm__(".text\n"
        ".globl slow_call\n"
        ".globl slow_call_back\n"
        "slow_call: mov %rdi, %rax\n"
        "mov %rsi, %rdi\n"
        "mov %rdx, %rsi\n"
        "mov %rcx, %rdx\n"
        "mov %r8, %r10\n"
        "mov %r9, %r8\n"
        "xor %r9d, %r9d\n"
        "syscall\n"
        "ret\n"
        "slow_call_back: mov $1, %eax\n"
        "ret\n");

static void on_signal_leave(struct twz_fault_frame *frame)
{
    uint64_t back = (uint64_t)(uintptr_t)slow_call_back;

    if (frame->regs.rip < back && frame->regs.rip >= back - 3) /* parked on the SYSCALL */
        frame->regs.rip = back;
    CALL(fault_return, frame);
}

static void child_discards(uint64_t arg)
{
    unsigned i;

    (void)arg;
    for (i = 0; i < 2; i++) {
        *user_page(SLOT_TEST, 1) = 9;
        __atomic_store_n(&SHARED->word[22], i + 1, __ATOMIC_RELEASE);
        SHARED->word[20 + i] =
            (uint64_t)slow_call(TWZ_SYS_obj_range, SHARED->word[12], SHARED->word[13],
                                TWZ_RANGE_DISCARD, TWZ_PAGE_SIZE, ABANDONED_PAGES * TWZ_PAGE_SIZE);
    }
    CALL(thread_exit, *user_page(SLOT_TEST, 1));
}

/* A runtime may copy the frame, continue elsewhere, and return by the copy later. The call must
 * continue where it was, however often that happens. */
#define DEFERRED ((struct twz_fault_frame *)&SHARED->word[24])

static void deferred(void)
{
    __atomic_fetch_add(&SHARED->word[21], 1, __ATOMIC_RELEASE);
    CALL(fault_return, DEFERRED);
}

static void on_signal_defer(struct twz_fault_frame *frame)
{
    uint64_t back = (uint64_t)(uintptr_t)slow_call_back;

    if (frame->regs.rip < back && frame->regs.rip >= back - 3) {
        *DEFERRED = *frame;
        DEFERRED->xsave = 0;
        frame->regs.rip = (uint64_t)(uintptr_t)deferred;
        frame->regs.rsp = (frame->regs.rsp - 1024) & ~15ull;
    } else {
        __atomic_fetch_add(&SHARED->word[21], 1, __ATOMIC_RELEASE);
    }
    CALL(fault_return, frame);
}

#define COPIES 60u

static void child_copies_on(uint64_t arg)
{
    struct twz_copy c[COPIES];
    long ret;
    unsigned i;

    for (i = 0; i < COPIES; i++)
        c[i] = (struct twz_copy){ .src = { SHARED->word[12], SHARED->word[13] },
                                  .dst = { SHARED->word[14], SHARED->word[15] },
                                  .src_off = TWZ_PAGE_SIZE,
                                  .dst_off = TWZ_PAGE_SIZE,
                                  .len = arg * TWZ_PAGE_SIZE };
    ret = slow_call(TWZ_SYS_obj_copy, (uint64_t)(uintptr_t)c, sizeof(c[0]), COPIES, 0, 0);
    __atomic_store_n(&SHARED->word[22], 1, __ATOMIC_RELEASE);
    CALL(thread_exit, ret);
}

/* As many signals as possible during one call, each of which returns by a copy of its frame. */
static void test_long_call_continues_from_a_copied_frame(void)
{
    objid_t made = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), id;
    objid_t copy = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t sent = 0;

    SHARED->word[12] = made.lo;
    SHARED->word[13] = made.hi;
    SHARED->word[14] = copy.lo;
    SHARED->word[15] = copy.hi;
    SHARED->word[21] = 0;
    SHARED->word[22] = 0;
    CHECK_IS(CALL(obj_range, IDARG(made), TWZ_RANGE_POPULATE, TWZ_PAGE_SIZE,
                  ABANDONED_PAGES * TWZ_PAGE_SIZE),
             0);
    user_set_handler(TWZ_FAULT_SIGNAL, on_signal_defer);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 20), 0); /* a signal after each batch */
    id = user_thread(0, child_copies_on, ABANDONED_PAGES);
    while (__atomic_load_n(&SHARED->word[22], __ATOMIC_ACQUIRE) == 0 && sent < 5000) {
        if (sent == __atomic_load_n(&SHARED->word[21], __ATOMIC_ACQUIRE))
            sent += CALL(thread_signal, IDARG(id), 20, 0) == 0;
        user_wait(&SHARED->word[23], SHARED->word[23], user_now() + 50000);
    }
    CHECK(sent > 0 && sent < 5000);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 16), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull), 0);
    CHECK_IS(user_join(0), 0);
    user_set_handler(TWZ_FAULT_SIGNAL, on_signal);
    user_log_value("signals during one call", sent);
    CHECK_IS(CALL(obj_delete, IDARG(made), 0), 0);
    CHECK_IS(CALL(obj_delete, IDARG(copy), 0), 0);
}

/* True: the first call was abandoned before its end. The second one, which looks the same, must be
 * complete. */
static bool abandon_call(objid_t made, unsigned pauses)
{
    objid_t id;

    CHECK_IS(CALL(obj_range, IDARG(made), TWZ_RANGE_POPULATE, TWZ_PAGE_SIZE,
                  ABANDONED_PAGES * TWZ_PAGE_SIZE),
             0);
    SHARED->word[22] = 0;
    id = user_thread(0, child_discards, 0);
    while (__atomic_load_n(&SHARED->word[22], __ATOMIC_ACQUIRE) == 0)
        user_yield();
    while (pauses-- > 0)
        __asm__ volatile("pause");
    CALL(thread_signal, IDARG(id), 20, 0);
    CHECK_IS(user_join(0), 0);
    CHECK_IS(SHARED->word[21] <= 1, 1);
    return SHARED->word[20] == 1;
}

static void test_abandoned_call_is_not_resumed(void)
{
    objid_t made = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    unsigned i;

    SHARED->word[12] = made.lo;
    SHARED->word[13] = made.hi;
    user_map(SLOT_TEST, made, TWZ_READ | TWZ_WRITE);
    user_set_handler(TWZ_FAULT_SIGNAL, on_signal_leave);
    for (i = 0; i < ABANDON_ROUNDS; i++)
        if (abandon_call(made, i * 50))
            break;
    user_log_value("rounds until a call was abandoned", i);
    user_set_handler(TWZ_FAULT_SIGNAL, on_signal);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(made), 0), 0);
}

/* --- errors ----------------------------------------------------------------------------------- */

/* Each argument is wrong in turn; the last calls are correct. */
static void test_spawn_rejects_bad_arguments(void)
{
    objid_t data = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t thread = user_object(0, TWZ_PERMS, TWZ_KIND_THREAD);
    objid_t weak = user_object(0, TWZ_READ | TWZ_WRITE, TWZ_KIND_THREAD);
    struct twz_spawn spawn = { .thread = thread, .view = user_view(), .entry = 1ull << 47 };

    CHECK_IS(CALL(thread_spawn, 0, sizeof(spawn)), -TWZ_EFAULT);
    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), -TWZ_EINVAL);
    spawn.entry = (uint64_t)(uintptr_t)child_exit;
    spawn.fsbase = 1ull << 50;
    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), -TWZ_EINVAL);
    spawn.fsbase = 0;
    spawn.thread = data;
    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), -TWZ_ETYPE);
    spawn.thread = weak;
    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), -TWZ_EDENIED);
    spawn.thread = thread;
    spawn.view = data;
    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), -TWZ_ETYPE);
    spawn.view = TWZ_OBJID_NONE;
    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), -TWZ_ENOOBJ);
    spawn.thread = user_self();
    spawn.view = user_view();
    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), -TWZ_EBUSY);
    spawn.flags = 1;
    CHECK_IS(CALL(thread_spawn, &spawn, sizeof(spawn)), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_ALIVE, 1ull << 40), 0);
    CHECK_IS(CALL(obj_delete, IDARG(thread), 0), 0);
    CHECK_IS(CALL(obj_delete, IDARG(weak), 0), -TWZ_EDENIED);
}

/* The number of cores in the system page is that of the cores that a thread may use. */
static void test_system_page_has_the_core_count(void)
{
    uint64_t n = 0;

    while (n < 64 && CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1ull << n) == 0)
        n++;
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull), 0);
    CHECK_IS(user_system()->cores, n);
}

void test_main(void)
{
    test_system_page_has_the_core_count();
    test_exit_code_is_reported();
    test_registers_of_many_threads_stay_apart();
    test_spinning_thread_is_preempted();
    test_queued_thread_moves_to_its_new_core();
    test_spawn_in_another_view();
    test_become_enters_another_view();
    test_signals_end_a_thread();
    test_handled_signals_interrupt();
    test_queued_signals_all_arrive();
    test_long_call_continues_after_signals();
    test_abandoned_call_is_not_resumed();
    test_long_call_continues_from_a_copied_frame();
    test_spawn_rejects_bad_arguments();
}
