/* SPDX-License-Identifier: MIT */
/*
 * Gates: how calls end otherwise than by their return, what a killed call leaves behind, and that
 * callers that stay inside leave frames to others.
 */
#include "gate.h"

#define FRAMES  8u
#define RESERVE 3u

/* An owner word as libtwz makes it, of the calling thread or call frame. */
static uint64_t owner(void)
{
    return user_own_page()->boot << 32 | (uint32_t)user_own_page()->generation;
}

static bool is_alive(uint64_t word)
{
    return CALL(thread_ctl, 0, 0, TWZ_THREAD_ALIVE, word) == 1;
}

static uint64_t tell_owner(uint64_t b, uint64_t c)
{
    (void)b;
    (void)c;
    return owner();
}

/* --- the callee's own end --------------------------------------------------------------------- */

static uint64_t fault_inside(uint64_t b, uint64_t c)
{
    (void)c;
    SHARED->word[0] = owner();
    *(volatile uint64_t *)b = 1;
    return 0;
}

static uint64_t exit_inside(uint64_t b, uint64_t c)
{
    (void)c;
    SHARED->word[0] = owner();
    CALL(thread_exit, b);
    return 0;
}

/* Sleeps with a base that the kernel does not load: the thread dies before its sleep ends. */
static uint64_t bad_base_inside(uint64_t b, uint64_t c)
{
    (void)b;
    (void)c;
    __asm__ volatile("wrgsbase %0" : : "r"(0xffff800000000000ull));
    for (;;)
        user_wait(&SHARED->word[1], 0, TWZ_FOREVER);
    return 0;
}

static void wake_until_told(uint64_t arg)
{
    (void)arg;
    while (__atomic_load_n(&SHARED->word[2], __ATOMIC_ACQUIRE) == 0) {
        user_wake(&SHARED->word[1], 1);
        user_yield();
    }
}

static void test_bad_base(const struct gate_service *s)
{
    SHARED->word[1] = 0;
    SHARED->word[2] = 0;
    user_thread(0, wake_until_told, 0);
    CHECK_IS(gate_run(s, bad_base_inside, 0, 0), -TWZ_EDIED);
    SHARED->word[2] = 1;
    user_join(0);
}

static void test_own_end(const struct gate_service *s)
{
    uint64_t mine = owner(), before, kept;

    CHECK(is_alive(mine));
    before = (uint64_t)gate_run(s, tell_owner, 0, 0);
    CHECK(before != mine);
    CHECK(is_alive(before));
    kept = (uint64_t)gate_run(s, tell_owner, 0, 0);
    CHECK_IS(kept, before);
    CHECK_IS(gate_run(s, fault_inside, 8, 0), -TWZ_EDIED);
    CHECK_IS(SHARED->word[0], before);
    CHECK(!is_alive(before));
    CHECK(is_alive(mine));
    CHECK_IS(gate_run(s, exit_inside, 8, 0), -TWZ_EDIED);
    CHECK(SHARED->word[0] != before);
    CHECK(!is_alive(SHARED->word[0]));
    test_bad_base(s);
    CHECK((uint64_t)gate_run(s, tell_owner, 0, 0) != before);
    CHECK(user_own_page()->exit == 0);
}

/* The second of two nested calls dies; the first one goes on. */
static uint64_t die_below(uint64_t lo, uint64_t hi)
{
    objid_t id = { lo, hi };
    uint64_t value;

    return (uint64_t)-gate_call(id, GATE_RUN * GATE_ALIGN, (uint64_t)(uintptr_t)exit_inside, 0, 0,
                                &value) +
           100;
}

static void test_nested_end(const struct gate_service *s)
{
    CHECK_IS(gate_run(s, die_below, s->id.lo, s->id.hi), TWZ_EDIED + 100);
}

/* --- callers that stay ------------------------------------------------------------------------ */

#define STAY   (&SHARED->word[8])  /* callers sleep inside while it is 0 */
#define INSIDE (&SHARED->word[9])  /* callers inside */
#define RESULT (&SHARED->word[16]) /* of thread n */
#define OWNER  (&SHARED->word[32])

static uint64_t stay_inside(uint64_t n, uint64_t c)
{
    (void)c;
    OWNER[n] = owner();
    __atomic_fetch_add(INSIDE, 1, __ATOMIC_RELEASE);
    user_wake(INSIDE, 100);
    while (__atomic_load_n(STAY, __ATOMIC_ACQUIRE) == 0)
        user_wait(STAY, 0, TWZ_FOREVER);
    return 1000 + n;
}

static objid_t the_service(void)
{
    return (objid_t){ SHARED->word[60], SHARED->word[61] };
}

static void caller(uint64_t n)
{
    struct gate_service s = { .id = the_service() };

    RESULT[n] = (uint64_t)gate_run(&s, stay_inside, n, 0);
}

/* Sleeps until *word is not `value`, or *other is not 0. */
static void wait_for(volatile uint64_t *word, uint64_t value, volatile uint64_t *other)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value &&
           __atomic_load_n(other, __ATOMIC_ACQUIRE) == 0) {
        struct twz_sync ops[] = { { .addr = (uint64_t)(uintptr_t)word,
                                    .value = value,
                                    .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 },
                                  { .addr = (uint64_t)(uintptr_t)other,
                                    .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 } };

        CALL(thread_sync, ops, 2, TWZ_FOREVER);
    }
}

/* Starts thread n, of an account, as a caller; waits until it is inside or has failed. */
static objid_t start_caller(unsigned n, objid_t account)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = TWZ_KIND_THREAD, .account = account };
    objid_t thread = TWZ_OBJID_NONE, stack;
    uint64_t inside = *INSIDE;

    CHECK_IS(user_create(&spec, &thread), 0);
    stack = user_object(0, TWZ_READ | TWZ_WRITE | TWZ_DEL, TWZ_KIND_DATA);
    user_map(SLOT_THREAD + n, thread, TWZ_READ | TWZ_WRITE);
    user_map(SLOT_STACK + n, stack, TWZ_READ | TWZ_WRITE);
    user_thread_page(n)->self = (uint64_t)(uintptr_t)user_thread_page(n);
    user_thread_page(n)->view = user_view_at();
    RESULT[n] = 0;
    CHECK_IS(user_spawn(n, thread, user_view(), caller, n), 0);
    wait_for(INSIDE, inside, &user_thread_page(n)->exit);
    return thread;
}

static void open_stay(void)
{
    __atomic_store_n(STAY, 1, __ATOMIC_RELEASE);
    user_wake(STAY, 100);
}

static void close_stay(const struct gate_service *s)
{
    *STAY = 0;
    *INSIDE = 0;
    SHARED->word[60] = s->id.lo;
    SHARED->word[61] = s->id.hi;
}

/* One account takes all it can get, and tries 10,000 times more; RESERVE others still get in, one
 * each; all come out. */
static void test_shares(const struct gate_service *s)
{
    unsigned n, most = FRAMES - RESERVE, refused = 0;
    objid_t account;

    close_stay(s);
    for (n = 0; n < most; n++)
        start_caller(n, TWZ_OBJID_NONE);
    CHECK_IS(*INSIDE, most);
    for (n = 0; n < 10000; n++)
        refused += gate_run(s, tell_owner, 0, 0) == -TWZ_EAGAIN;
    CHECK_IS(refused, 10000);
    for (n = most; n < FRAMES; n++) {
        account = user_object(0, TWZ_PERMS, TWZ_KIND_ACCOUNT);
        start_caller(n, account);
    }
    CHECK_IS(*INSIDE, FRAMES);
    start_caller(FRAMES, account);
    CHECK_IS(RESULT[FRAMES], -TWZ_EAGAIN);
    open_stay();
    for (n = 0; n < FRAMES; n++) {
        user_join(n);
        CHECK_IS(RESULT[n], 1000 + n);
    }
    CHECK(gate_run(s, tell_owner, 0, 0) > 0);
    close_stay(s);
    for (n = 0; n < most; n++)
        start_caller(n, TWZ_OBJID_NONE);
    start_caller(most, account); /* it has no call in progress any more */
    CHECK_IS(*INSIDE, most + 1);
    open_stay();
    for (n = 0; n <= most; n++)
        user_join(n);
}

/* --- kill ------------------------------------------------------------------------------------- */

/* A kill ends the thread at once with all its calls; its frames are free again, its owners dead. */
static void test_kill(const struct gate_service *s)
{
    unsigned n, most = FRAMES - RESERVE, round;
    objid_t thread[FRAMES];

    for (round = 0; round < 3; round++) {
        close_stay(s);
        for (n = 0; n < most; n++)
            thread[n] = start_caller(n, TWZ_OBJID_NONE);
        CHECK_IS(*INSIDE, most);
        for (n = 0; n < most; n++) {
            CHECK(is_alive(OWNER[n]));
            CHECK_IS(CALL(thread_signal, IDARG(thread[n]), TWZ_SIGNAL_KILL, 0), 0);
            CHECK_IS(user_join(n), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
            CHECK(!is_alive(OWNER[n]));
        }
        CHECK_IS(*STAY, 0);
    }
    CHECK(gate_run(s, tell_owner, 0, 0) > 0);
}

static uint64_t spin_inside(uint64_t lo, uint64_t hi)
{
    objid_t id = { lo, hi };

    if (SHARED->word[50]++ < TWZ_GATE_DEPTH - 1)
        gate_call(id, GATE_RUN * GATE_ALIGN, (uint64_t)(uintptr_t)spin_inside, lo, hi, NULL);
    __atomic_store_n(INSIDE, 1, __ATOMIC_RELEASE);
    user_wake(INSIDE, 1);
    for (;;)
        __asm__ volatile("pause");
    return 0;
}

static void deep_caller(uint64_t arg)
{
    struct gate_service s = { .id = the_service() };

    (void)arg;
    gate_run(&s, spin_inside, s.id.lo, s.id.hi);
}

/* The same for a thread that runs, in its 16th call, of a service with as many frames. */
static void test_deep_kill(void)
{
    struct gate_service deep = gate_service(TWZ_GATE_DEPTH, TWZ_OBJID_NONE);
    objid_t thread;
    unsigned round;

    CHECK(gate_attach(deep.id) >= 0);
    for (round = 0; round < 3; round++) {
        close_stay(&deep);
        SHARED->word[50] = 0;
        thread = user_thread(0, deep_caller, 0);
        wait_for(INSIDE, 0, &user_thread_page(0)->exit);
        CHECK_IS(gate_run(&deep, tell_owner, 0, 0), -TWZ_EAGAIN);
        CHECK_IS(CALL(thread_signal, IDARG(thread), TWZ_SIGNAL_KILL, 0), 0);
        CHECK_IS(user_join(0), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
        CHECK(gate_run(&deep, tell_owner, 0, 0) > 0);
    }
    CHECK(gate_detach(deep.id) >= 0);
}

/* --- detach and delete while inside ----------------------------------------------------------- */

enum end { DETACH, DELETE_SERVICE, DELETE_VIEW, DELETE_CONTEXT };

static long end_service(const struct gate_service *s, enum end how)
{
    switch (how) {
    case DETACH: return gate_detach(s->id);
    case DELETE_SERVICE: return CALL(obj_delete, IDARG(s->id), 0);
    case DELETE_CONTEXT: return CALL(obj_delete, IDARG(s->words->sctx), 0);
    default: return CALL(obj_delete, IDARG(s->view), 0);
    }
}

static void test_end_while_inside(enum end how, long later)
{
    struct gate_service s = gate_service(FRAMES, TWZ_OBJID_NONE);
    bool dies = how == DELETE_CONTEXT; /* the callees lose their stacks */

    if (dies)
        s.words->sctx = user_object(0, TWZ_USE | TWZ_DEL, TWZ_KIND_SCTX);
    CHECK(gate_attach(s.id) >= 0);
    close_stay(&s);
    start_caller(0, TWZ_OBJID_NONE);
    start_caller(1, TWZ_OBJID_NONE);
    CHECK_IS(*INSIDE, 2);
    CHECK(end_service(&s, how) >= 0);
    CHECK_IS(gate_run(&s, tell_owner, 0, 0), later);
    open_stay();
    user_join(0);
    user_join(1);
    CHECK_IS(RESULT[0], dies ? -TWZ_EDIED : 1000);
    CHECK_IS(RESULT[1], dies ? -TWZ_EDIED : 1001);
    CHECK(!dies || !is_alive(OWNER[0]));
    CHECK_IS(gate_run(&s, tell_owner, 0, 0), later);
    if (how == DETACH) {
        CHECK(gate_attach(s.id) >= 0);
        CHECK(gate_run(&s, tell_owner, 0, 0) > 0);
        CHECK(gate_detach(s.id) >= 0);
    }
}

/* --- what remains ----------------------------------------------------------------------------- */

static uint64_t kernel_used(void)
{
    (void)user_memory_free(); /* brings the system page up to date */
    return user_system()->kernel_used;
}

/* A service's whole life leaves no kernel memory behind, whatever ends it. */
static void test_no_leak(void)
{
    struct gate_service s;
    uint64_t before = 0;
    unsigned round, call;

    for (round = 0; round < 12; round++) {
        if (round == 4)
            before = kernel_used();
        s = gate_service(64, TWZ_OBJID_NONE);
        CHECK(gate_attach(s.id) >= 0);
        for (call = 0; call < 10; call++) {
            CHECK(gate_run(&s, tell_owner, 0, 0) > 0);
            CHECK_IS(gate_run(&s, exit_inside, 0, 0), -TWZ_EDIED);
        }
        if (round % 2 == 0)
            CHECK(gate_detach(s.id) >= 0);
        gate_delete(&s);
    }
    CHECK_IS(kernel_used(), before);
}

/* --- a service that comes and goes ------------------------------------------------------------ */

static void call_until_told(uint64_t arg)
{
    struct gate_service s = { .id = the_service() };
    uint64_t good = 0, gone = 0, other = 0;

    (void)arg;
    while (__atomic_load_n(STAY, __ATOMIC_ACQUIRE) == 0) {
        long ret = gate_run(&s, tell_owner, 0, 0);

        good += ret > 0;
        gone += ret == -TWZ_ENOOBJ;
        other += ret <= 0 && ret != -TWZ_ENOOBJ;
    }
    RESULT[0] = good + gone;
    RESULT[1] = other;
}

/* One thread calls while another one detaches and attaches. */
static void test_coming_and_going(void)
{
    struct gate_service s = gate_service(FRAMES, TWZ_OBJID_NONE);
    unsigned i;

    close_stay(&s);
    CHECK(gate_attach(s.id) >= 0);
    user_thread(0, call_until_told, 0);
    for (i = 0; i < 300; i++) {
        CHECK(gate_detach(s.id) >= 0);
        CHECK(gate_attach(s.id) >= 0);
        if (i % 10 == 0)
            user_yield();
    }
    open_stay();
    user_join(0);
    CHECK(RESULT[0] > 0);
    CHECK_IS(RESULT[1], 0);
    CHECK(gate_detach(s.id) >= 0);
}

/* --- priority --------------------------------------------------------------------------------- */

#define HIGH   20u
#define MIDDLE 10u
#define LOW    2u
#define WAKEUP (&SHARED->word[51])
#define MARK   (&SHARED->word[52])

/* Waits on this core at MIDDLE. */
static void mark(uint64_t arg)
{
    (void)arg;
    while (__atomic_load_n(WAKEUP, __ATOMIC_ACQUIRE) == 0)
        user_wait(WAKEUP, 0, TWZ_FOREVER);
    *MARK = 1;
}

/* Wakes it: 1 if it has run at once. */
static uint64_t wake_mark(uint64_t lo, uint64_t hi)
{
    objid_t self = { lo, hi };

    if (lo != 0)
        CHECK_IS(CALL(thread_ctl, IDARG(self), TWZ_THREAD_PRIORITY, 1), 0);
    __atomic_store_n(WAKEUP, 1, __ATOMIC_RELEASE);
    user_wake(WAKEUP, 1);
    return *MARK;
}

static void set_priority(unsigned priority)
{
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, priority), 0);
}

static void begin_mark(void)
{
    *WAKEUP = 0;
    *MARK = 0;
    set_priority(MIDDLE);
    user_thread(0, mark, 0);
    set_priority(LOW); /* it runs, and sleeps */
    user_yield();
}

static void test_priority(void)
{
    struct gate_service s = gate_service(FRAMES, TWZ_OBJID_NONE);
    objid_t self = user_self();

    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), 0);
    set_priority(HIGH);
    s.words->priority = HIGH + 1;
    CHECK_IS(gate_attach(s.id), -TWZ_EINVAL);
    s.words->priority = HIGH;
    CHECK(gate_attach(s.id) >= 0);
    begin_mark();
    CHECK_IS(wake_mark(0, 0), 1);
    user_join(0);
    begin_mark();
    CHECK_IS(gate_run(&s, wake_mark, 0, 0), 0);
    CHECK_IS(*MARK, 1);
    user_join(0);
    begin_mark();
    CHECK_IS(gate_run(&s, wake_mark, self.lo, self.hi), 0);
    CHECK_IS(*MARK, 1);
    user_join(0);
    set_priority(16);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull), 0);
    CHECK(gate_detach(s.id) >= 0);
}

/* --- two cores -------------------------------------------------------------------------------- */

#define CALLS 1000u

static uint64_t add_number(uint64_t n, uint64_t c)
{
    (void)c;
    __atomic_fetch_add(&SHARED->word[53], n, __ATOMIC_RELAXED);
    return n + 1;
}

static void many_calls(uint64_t n)
{
    struct gate_service s = { .id = the_service() };
    unsigned i, good = 0;

    for (i = 0; i < CALLS; i++)
        good += gate_run(&s, add_number, n, 0) == (long)n + 1;
    RESULT[n] = good;
}

static void test_cores(const struct gate_service *s)
{
    unsigned n;

    close_stay(s);
    SHARED->word[53] = 0;
    for (n = 0; n < 4; n++)
        user_thread(n, many_calls, n);
    for (n = 0; n < 4; n++) {
        user_join(n);
        CHECK_IS(RESULT[n], CALLS);
    }
    CHECK_IS(SHARED->word[53], 6 * CALLS);
}

void test_main(void)
{
    struct gate_service s = gate_service(FRAMES, TWZ_OBJID_NONE);

    user_handlers();
    s.words->reserve = RESERVE;
    CHECK(gate_attach(s.id) >= 0);
    test_own_end(&s);
    test_nested_end(&s);
    test_shares(&s);
    test_kill(&s);
    test_cores(&s);
    CHECK(gate_detach(s.id) >= 0);
    test_deep_kill();
    test_end_while_inside(DETACH, -TWZ_ENOOBJ);
    test_end_while_inside(DELETE_SERVICE, -TWZ_EDELETED);
    test_end_while_inside(DELETE_VIEW, -TWZ_EDELETED);
    test_end_while_inside(DELETE_CONTEXT, -TWZ_EDELETED);
    test_priority();
    test_no_leak();
    test_coming_and_going();
}
