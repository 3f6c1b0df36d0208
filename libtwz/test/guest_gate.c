/* SPDX-License-Identifier: MIT */
/* Gates: a process of this program is the service, and this one calls it. */
#include <twz/call.h>
#include <twz/faults.h>
#include <twz/gate.h>
#include <twz/mutex.h>
#include <twz/name.h>
#include <twz/threads.h>

#include "guest.h"

#define NAME   "/counter"
#define FRAMES 4u
#define SECRET 0x5ec7e75ec7e7ull

TWZ_GATE(0, counter_add, uint64_t)
TWZ_GATE(1, counter_get)
TWZ_GATE(2, counter_mix, uint64_t, int64_t, uint64_t)
TWZ_GATE(3, counter_fault, uint64_t)
TWZ_GATE(4, counter_exit)
TWZ_GATE(5, counter_catch)
TWZ_GATE(6, counter_recurse, uint64_t)
TWZ_GATE(7, counter_lock, uint64_t)
TWZ_GATE(8, counter_sum, uint64_t, uint64_t)
TWZ_GATE(9, counter_error)
TWZ_GATE(10, counter_stack)

/* --- the service ------------------------------------------------------------------------------ */

static uint64_t count;
static struct twz_mutex lock;
static void *volatile nowhere = (void *)40;

int64_t counter_add_gate(uint64_t n)
{
    return (int64_t)__atomic_add_fetch(&count, n, __ATOMIC_RELAXED);
}

int64_t counter_get_gate(void)
{
    return (int64_t)count;
}

int64_t counter_mix_gate(uint64_t a, int64_t b, uint64_t c)
{
    return (int64_t)(a * 10000) - b * 100 + (int64_t)c;
}

/* With 1, it leaves a catch behind, which the next call on the frame must not use. */
int64_t counter_fault_gate(uint64_t leave_catch)
{
    static struct twz_catch c;

    if (leave_catch == 1 && twz_catch(&c))
        return 1;
    if (leave_catch == 1)
        twz_thread_exit(0);
    *(volatile char *)nowhere = 1;
    return 2;
}

int64_t counter_exit_gate(void)
{
    twz_thread_exit(3);
}

static void touch_nowhere(void *arg)
{
    (void)arg;
    *(volatile char *)nowhere = 1;
}

int64_t counter_catch_gate(void)
{
    struct twz_fault fault;

    return twz_try(touch_nowhere, NULL, &fault) * 100 + (int64_t)fault.kind;
}

/* A kilobyte of stack for each step. */
int64_t counter_recurse_gate(uint64_t steps)
{
    char fill[1000];

    __asm__ volatile("" : : "r"(fill) : "memory");
    steps = steps == 0 ? 0 : (uint64_t)counter_recurse_gate(steps - 1) + 1;
    __asm__ volatile("" : : "r"(fill) : "memory");
    return (int64_t)steps;
}

/* 0: locks and unlocks; 1: dies with the lock; 2: stays with it. */
int64_t counter_lock_gate(uint64_t what)
{
    int died = twz_mutex_lock(&lock);

    if (what == 1)
        twz_thread_exit(0);
    __atomic_store_n(&count, 777, __ATOMIC_RELEASE);
    while (what == 2)
        (void)twz_sync_wait(&count, 777, TWZ_FOREVER);
    twz_mutex_unlock(&lock);
    return died;
}

/* The sum of the words of an object: its first word tells their number. */
int64_t counter_sum_gate(uint64_t lo, uint64_t hi)
{
    twzobj obj;
    const uint64_t *words;
    uint64_t n, sum = 0;
    int err = twz_object_init_guid(&obj, (objid_t){ lo, hi }, TWZ_READ);

    if (err < 0)
        return err;
    words = twz_object_base(&obj);
    n = words[0] < 100 ? words[0] : 0;
    for (uint64_t i = 1; i <= n; i++)
        sum += words[i];
    twz_object_release(&obj);
    return (int64_t)sum;
}

int64_t counter_error_gate(void)
{
    return -TWZ_EAGAIN;
}

/* The address of a secret that it leaves on its stack. */
int64_t counter_stack_gate(void)
{
    volatile uint64_t secret = SECRET;
    int64_t at;

    __asm__ volatile("mov %1, %0" : "=r"(at) : "r"(&secret) : "memory");
    return at;
}

_Noreturn void gate_child(void)
{
    static const twz_gate_fn gates[] = {
        TWZ_GATE_ENTRY(counter_add),   TWZ_GATE_ENTRY(counter_get),
        TWZ_GATE_ENTRY(counter_mix),   TWZ_GATE_ENTRY(counter_fault),
        TWZ_GATE_ENTRY(counter_exit),  TWZ_GATE_ENTRY(counter_catch),
        TWZ_GATE_ENTRY(counter_sum),   TWZ_GATE_ENTRY(counter_recurse),
        TWZ_GATE_ENTRY(counter_lock),  TWZ_GATE_ENTRY(counter_error),
        TWZ_GATE_ENTRY(counter_stack),
    };
    struct twz_service_spec spec = {
        .gates = gates, .ngates = sizeof(gates) / sizeof(gates[0]), .name = NAME, .frames = FRAMES
    };
    uint64_t never = 0;
    objid_t id;

    if (twz_service_start(&spec, &id) < 0)
        twz_thread_exit(9);
    twz_thread_ready();
    for (;;)
        (void)twz_sync_wait(&never, 0, TWZ_FOREVER);
}

/* --- its callers ------------------------------------------------------------------------------ */

static void test_values(const struct twz_gates *gates)
{
    int64_t value = 0;

    CHECK(counter_get(gates) == 0);
    CHECK(counter_add(gates, 5) == 5);
    CHECK(counter_add(gates, 1000) == 1005);
    CHECK(counter_get(gates) == 1005);
    CHECK(counter_mix(gates, 1, -2, 3) == 10203);
    CHECK(counter_error(gates) == -TWZ_EAGAIN);
    CHECK(twz_gate_call_value(gates, counter_error_index, 0, 0, 0, &value) == 0);
    CHECK(value == -TWZ_EAGAIN);
    CHECK(twz_gate_call(gates, 11, 0, 0, 0) == -TWZ_ERANGE);
    CHECK(twz_gate_call(gates, UINT64_MAX / 16 + 2, 0, 0, 0) == -TWZ_ERANGE);
}

/* A call leaves the registers that the compiler keeps, and the modes of the floating point. */
static void test_state(const struct twz_gates *gates)
{
    volatile double third = 3.0;
    uint32_t mode = 0x3f80, after;
    uint16_t control = 0x27f, control_after;
    double before = 1.0 / third;

    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mode), "m"(control));
    CHECK(counter_mix(gates, 0, 0, 42) == 42);
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(after), "=m"(control_after));
    mode = 0x1f80;
    control = 0x37f;
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mode), "m"(control));
    CHECK(after == 0x3f80);
    CHECK(control_after == 0x27f);
    CHECK(before == 1.0 / third);
}

static void test_ends(const struct twz_gates *gates)
{
    for (uint32_t i = 0; i < 2 * FRAMES; i++) {
        CHECK(counter_exit(gates) == -TWZ_EDIED);
        CHECK(counter_fault(gates, 1) == -TWZ_EDIED);
        CHECK(counter_fault(gates, 0) == -TWZ_EDIED);
    }
    CHECK(counter_catch(gates) == 100 + TWZ_FAULT_NULL);
    CHECK(counter_recurse(gates, 40) == 40);
    CHECK(counter_recurse(gates, 1000) == -TWZ_EDIED);
    CHECK(counter_recurse(gates, 40) == 40);
}

static void load_word(void *arg)
{
    const volatile uint64_t **at = arg;

    if (**at == SECRET)
        *at = NULL;
}

/* No later caller finds on a stack what the function has left there. */
static void test_stack(const struct twz_gates *gates)
{
    int64_t at = counter_stack(gates);
    const volatile uint64_t *word = (const volatile uint64_t *)(uintptr_t)at;
    struct twz_fault fault;

    CHECK(at > 0);
    CHECK(counter_stack(gates) == at); /* the same frame */
    (void)twz_try(load_word, &word, &fault);
    CHECK(word);
}

static void test_object(const struct twz_gates *gates)
{
    uint64_t *words;
    twzobj obj;

    CHECK(twz_object_new(&obj, NULL, NULL, 0) == 0);
    words = twz_object_base(&obj);
    words[0] = 3;
    words[1] = 10;
    words[2] = 20;
    words[3] = 30;
    CHECK(counter_sum(gates, obj.id.lo, obj.id.hi) == 60);
    CHECK(twz_object_delete(&obj, TWZ_DELETE_NOW) == 0);
    CHECK(counter_sum(gates, obj.id.lo, obj.id.hi) < 0);
    twz_object_release(&obj);
}

static void stay(void *arg)
{
    (void)counter_lock(arg, 2);
}

static void test_locks(struct twz_gates *gates)
{
    struct twz_thrd_spawn spawn = { .fn = stay, .arg = gates };
    struct twz_thrd thread;
    uint64_t code;

    CHECK(counter_lock(gates, 0) == 0);
    CHECK(counter_lock(gates, 1) == -TWZ_EDIED);
    CHECK(counter_lock(gates, 0) == TWZ_MUTEX_DIED);
    CHECK(counter_lock(gates, 0) == 0);
    CHECK(counter_add(gates, (uint64_t)-777) == 0);
    CHECK(twz_thread_spawn(&thread, &spawn) == 0);
    while (counter_get(gates) != 777)
        sleep_until(twz_clock() + 100000);
    CHECK(twz_sys_thread_signal(thread.repr.id, TWZ_SIGNAL_KILL, 0) == 0);
    CHECK(twz_thread_wait(&thread, &code, NULL) == 0);
    CHECK(code == TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
    CHECK(counter_lock(gates, 0) == TWZ_MUTEX_DIED);
}

/* The second time, with the object of the first. */
static void run_service(void)
{
    struct twz_process service, second;
    struct twz_program_end end;
    struct twz_gates gates;

    CHECK(twz_service_open("/bin", &gates) == -TWZ_ETYPE);
    run_child("g", 1, &service);
    while (!twz_program_ready(&service))
        sleep_until(twz_clock() + 100000);
    CHECK(twz_service_open(NAME, &gates) == 0);
    run_child("g", 1, &second);
    CHECK(twz_program_wait(&second, TWZ_FOREVER, &end) == 0);
    CHECK(end.code == 9); /* it runs already */
    test_values(&gates);
    test_state(&gates);
    test_ends(&gates);
    test_stack(&gates);
    test_object(&gates);
    test_locks(&gates);
    CHECK(twz_program_signal(&service, TWZ_SIGNAL_KILL, 0) == 0);
    CHECK(twz_program_wait(&service, TWZ_FOREVER, &end) == 0);
    CHECK(counter_get(&gates) == -TWZ_EDELETED);
}

void test_gates(void)
{
    struct twz_service_spec none = { .frames = 1 };
    objid_t id;

    CHECK(twz_service_start(&none, &id) == -TWZ_EINVAL);
    run_service();
    run_service();
}
