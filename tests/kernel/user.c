/* SPDX-License-Identifier: MIT */
/* The runtime of kernel tests: see user.h. */
#include "user.h"

#define STACK_TOP(slot) (TWZ_SLOT_ADDR(slot) + TWZ_OBJ_DATA_TOP)

void *memcpy(void *dst, const void *src, size_t len);
void user_start(void);
void user_main(void);
void user_handler(struct twz_fault_frame *frame);
void user_handler_entry(struct twz_fault_frame *frame);
void user_land(void);

__asm__(".pushsection .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start: call user_main\n"
        "ud2\n"
        ".popsection\n");

/* The compiler may copy structs by a call of this. */
void *memcpy(void *dst, const void *src, size_t len)
{
    void *to = dst;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(len) : : "memory");
    return dst;
}

/* The handler may change registers: fault_return must restore them. */
__asm__(".text\n"
        ".globl user_handler_entry\n"
        "user_handler_entry:\n"
        "mov %rdi, %rbx\n"
        "call user_handler\n"
        "mov %rbx, %rdi\n"
        "mov $0x1013, %eax\n"
        "syscall\n"
        "ud2\n"
        ".globl user_land\n"
        "user_land: mov $1, %eax\n"
        "ret\n"
        ".globl user_load_faults\n"
        "user_load_faults: mov (%rdi), %rax\n"
        "xor %eax, %eax\n"
        "ret\n"
        ".globl user_store_faults\n"
        "user_store_faults: movq $1, (%rdi)\n"
        "xor %eax, %eax\n"
        "ret\n"
        ".globl user_jump_faults\n"
        "user_jump_faults: call *%rdi\n"
        "xor %eax, %eax\n"
        "ret\n");

long user_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* --- results ---------------------------------------------------------------------------------- */

static unsigned put_text(char *out, unsigned at, const char *text)
{
    while (*text != 0 && at < 150)
        out[at++] = *text++;
    return at;
}

static unsigned put_number(char *out, unsigned at, uint64_t value, unsigned base)
{
    char digits[24];
    unsigned n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (n > 0)
        out[at++] = digits[--n];
    return at;
}

static void put_line(char *out, unsigned len)
{
    out[len++] = '\n';
    CALL(log_write, out, len);
}

void user_log(const char *text)
{
    char line[200];

    put_line(line, put_text(line, 0, text));
}

void user_log_value(const char *text, uint64_t value)
{
    char line[200];
    unsigned n = put_text(line, 0, text);

    n = put_text(line, n, " 0x");
    put_line(line, put_number(line, n, value, 16));
}

void user_log_count(const char *text, uint64_t value)
{
    char line[200];
    unsigned n = put_text(line, 0, text);

    n = put_text(line, n, ": ");
    put_line(line, put_number(line, n, value, 10));
}

static void print_failure(const char *what, int line_number)
{
    char line[200];
    unsigned n = put_text(line, 0, "FAILED line ");

    n = put_number(line, n, (uint64_t)line_number, 10);
    n = put_text(line, n, ": ");
    put_line(line, put_text(line, n, what));
}

void user_check(int good, const char *what, int line)
{
    if (good) {
        __atomic_fetch_add(&SHARED->passed, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_fetch_add(&SHARED->failed, 1, __ATOMIC_RELAXED);
    print_failure(what, line);
}

void user_check_is(uint64_t got, uint64_t wanted, const char *what, int line)
{
    user_check(got == wanted, what, line);
    if (got != wanted) {
        user_log_value("  got   ", got);
        user_log_value("  wanted", wanted);
    }
}

static void end_test(void)
{
    char line[200];
    unsigned n = put_number(line, 0, SHARED->passed, 10);

    n = put_text(line, n, " passed, ");
    n = put_number(line, n, SHARED->failed, 10);
    put_line(line, put_text(line, n, " failed"));
    CALL(shutdown, TWZ_SHUTDOWN_OFF);
}

/* --- objects ---------------------------------------------------------------------------------- */

const volatile struct twz_system *user_system(void)
{
    return (const volatile struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
}

uint64_t user_now(void)
{
    const volatile struct twz_system *s = user_system();
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)s->clock_offset +
           (uint64_t)(((unsigned __int128)((uint64_t)hi << 32 | lo) * s->clock_mult) >>
                      s->clock_shift);
}

/* The compiler may call this in freestanding code. */
void *memset(void *dst, int byte, size_t len);

void *memset(void *dst, int byte, size_t len)
{
    void *to = dst;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(byte) : "memory");
    return dst;
}

struct twz_thread *user_own_page(void)
{
    struct twz_thread *t;

    __asm__("mov %%gs:0, %0" : "=r"(t));
    return t;
}

objid_t user_self(void)
{
    return user_own_page()->id;
}

uint64_t user_view_at(void)
{
    return user_own_page()->view;
}

objid_t user_view(void)
{
    const struct twz_record *r = (const struct twz_record *)(user_view_at() + TWZ_OBJ_RECORD);

    return r->id;
}

long user_create(const struct twz_create *spec, objid_t *id)
{
    return CALL(obj_create, SIZED(spec), id);
}

uint64_t user_memory_free(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_RECORD);
    struct twz_stat stat;

    CHECK_IS(CALL(obj_stat, IDARG(r->id), SIZED(&stat)), 0);
    return user_system()->memory_free;
}

long user_range(objid_t id, uint64_t op, uint64_t page, uint64_t pages)
{
    return CALL(obj_range, IDARG(id), op, page * TWZ_PAGE_SIZE, pages * TWZ_PAGE_SIZE);
}

objid_t user_object(uint32_t flags, uint32_t perms, uint32_t kind)
{
    struct twz_create spec = { .flags = flags, .perms = perms, .kind = kind };
    objid_t id = TWZ_OBJID_NONE;

    CHECK_IS(user_create(&spec, &id), 0);
    return id;
}

void user_map_in(objid_t view_object, uint64_t view_base, uint32_t slot, objid_t id,
                 uint64_t rights)
{
    volatile struct twz_view_entry *entry =
        (volatile struct twz_view_entry *)(view_base + TWZ_VIEW_TABLE);
    int was = (entry[slot].flags & TWZ_VE_VALID) != 0;

    entry[slot].flags = 0;
    entry[slot].id.lo = id.lo;
    entry[slot].id.hi = id.hi;
    if (rights != 0)
        entry[slot].flags = TWZ_VE_VALID | rights;
    if (was)
        CALL(kso_invalidate, IDARG(view_object), slot, 1);
}

void user_map(uint32_t slot, objid_t id, uint64_t rights)
{
    user_map_in(user_view(), user_view_at(), slot, id, rights);
}

/* --- threads ---------------------------------------------------------------------------------- */

struct twz_thread *user_thread_page(unsigned n)
{
    return (struct twz_thread *)(TWZ_SLOT_ADDR(SLOT_THREAD + n) + TWZ_OBJ_BASE);
}

static void thread_body(void (*fn)(uint64_t arg), uint64_t arg)
{
    fn(arg);
    CALL(thread_exit, 0);
}

long user_spawn_in(unsigned n, objid_t thread, objid_t view, objid_t context,
                   void (*fn)(uint64_t arg), uint64_t arg)
{
    struct twz_spawn spawn = { .thread = thread,
                               .view = view,
                               .sctx = context,
                               .entry = (uint64_t)(uintptr_t)thread_body,
                               .stack = STACK_TOP(SLOT_STACK + n) - 8,
                               .arg = (uint64_t)(uintptr_t)fn,
                               .arg2 = arg };

    spawn.gsbase = (uint64_t)(uintptr_t)user_thread_page(n);
    return CALL(thread_spawn, &spawn, sizeof(spawn));
}

long user_spawn(unsigned n, objid_t thread, objid_t view, void (*fn)(uint64_t arg), uint64_t arg)
{
    return user_spawn_in(n, thread, view, TWZ_OBJID_NONE, fn, arg);
}

objid_t user_thread(unsigned n, void (*fn)(uint64_t arg), uint64_t arg)
{
    return user_thread_in(n, TWZ_OBJID_NONE, fn, arg);
}

objid_t user_thread_in(unsigned n, objid_t context, void (*fn)(uint64_t arg), uint64_t arg)
{
    objid_t thread = user_object(0, TWZ_PERMS, TWZ_KIND_THREAD);
    objid_t stack = user_object(0, TWZ_READ | TWZ_WRITE | TWZ_DEL, TWZ_KIND_DATA);

    user_map(SLOT_THREAD + n, thread, TWZ_READ | TWZ_WRITE);
    user_map(SLOT_STACK + n, stack, TWZ_READ | TWZ_WRITE);
    user_thread_page(n)->self = (uint64_t)(uintptr_t)user_thread_page(n);
    user_thread_page(n)->view = user_view_at();
    CHECK_IS(user_spawn_in(n, thread, user_view(), context, fn, arg), 0);
    return thread;
}

#define PRIORITY_LOW    5u
#define PRIORITY_NORMAL 16u

void user_pin(void)
{
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, PRIORITY_LOW), 0);
    user_yield();
}

objid_t user_thread_first(unsigned n, void (*fn)(uint64_t arg), uint64_t arg)
{
    objid_t thread;

    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, PRIORITY_NORMAL), 0);
    thread = user_thread(n, fn, arg);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, PRIORITY_LOW), 0);
    user_yield();
    return thread;
}

void user_unpin(void)
{
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, PRIORITY_NORMAL), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, ~0ull), 0);
}

uint64_t user_join(unsigned n)
{
    struct twz_thread *t = user_thread_page(n);

    while (__atomic_load_n(&t->exit, __ATOMIC_ACQUIRE) == 0)
        user_wait(&t->exit, 0, TWZ_FOREVER);
    return t->exit_code;
}

void user_yield(void)
{
    CALL(thread_ctl, 0, 0, TWZ_THREAD_YIELD, 0);
}

long user_wait(volatile uint64_t *word, uint64_t value, uint64_t deadline)
{
    struct twz_sync op = { .addr = (uint64_t)(uintptr_t)word,
                           .value = value,
                           .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };

    return CALL(thread_sync, &op, 1, deadline);
}

long user_wake(volatile uint64_t *word, uint64_t count)
{
    struct twz_sync op = { .addr = (uint64_t)(uintptr_t)word,
                           .value = count,
                           .op = TWZ_SYNC_WAKE | TWZ_SYNC_64 };

    return CALL(thread_sync, &op, 1, 0);
}

objid_t user_child_view(unsigned n, objid_t what)
{
    return user_child_view_in(TWZ_OBJID_NONE, n, what);
}

objid_t user_child_view_in(objid_t account, unsigned n, objid_t what)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .kind = TWZ_KIND_VIEW, .account = account };
    const uint32_t same[] = { SLOT_TEXT, SLOT_SHARED };
    volatile struct twz_view_entry *mine =
        (volatile struct twz_view_entry *)(user_view_at() + TWZ_VIEW_TABLE);
    objid_t view = TWZ_OBJID_NONE;
    uint64_t base = TWZ_SLOT_ADDR(SLOT_CHILD_VIEW);
    unsigned i;

    CHECK_IS(user_create(&spec, &view), 0);
    user_map(SLOT_CHILD_VIEW, view, TWZ_READ | TWZ_WRITE);
    for (i = 0; i < 4; i++) {
        uint32_t slot = i < 2 ? same[i] : i == 2 ? SLOT_THREAD + n : SLOT_STACK + n;
        objid_t id = { mine[slot].id.lo, mine[slot].id.hi };

        user_map_in(view, base, slot, id, mine[slot].flags & TWZ_PERMS);
    }
    user_map_in(view, base, SLOT_TEST, what, TWZ_READ);
    user_map_in(view, base, SLOT_OF(user_view_at()), view, TWZ_READ | TWZ_WRITE);
    return view;
}

/* --- faults ----------------------------------------------------------------------------------- */

void user_handler(struct twz_fault_frame *frame)
{
    struct shared *s = SHARED;

    s->faults++;
    s->fault = frame->fault;
    s->regs = frame->regs;
    if (s->clobber != 0)
        __asm__ volatile("pcmpeqd %%xmm6, %%xmm6" : : : "xmm6");
    if (s->landing != 0 && frame->fault.kind != TWZ_FAULT_SIGNAL) {
        frame->regs.rip = s->landing;
        if (frame->fault.need == TWZ_EXEC)
            frame->regs.rsp += sizeof(uint64_t); /* the return address of the call */
    }
}

void user_set_handler(unsigned kind, void (*entry)(struct twz_fault_frame *frame))
{
    volatile struct twz_view *view = (volatile struct twz_view *)(user_view_at() + TWZ_OBJ_BASE);

    view->fault_entry[kind] = (uint64_t)(uintptr_t)entry;
}

void user_handlers(void)
{
    unsigned kind;

    for (kind = 0; kind < TWZ_FAULT_KINDS; kind++)
        user_set_handler(kind, user_handler_entry);
    SHARED->landing = (uint64_t)(uintptr_t)user_land;
}

/* Gives the stack its pages, wherever in a page it begins: a test may use up the memory later. */
static void touch_stack(void)
{
    volatile uint8_t below[16 * TWZ_PAGE_SIZE];

    for (uint64_t i = 0; i < sizeof(below); i += TWZ_PAGE_SIZE)
        below[i] = 0;
}

void user_main(void)
{
    objid_t shared;
    struct twz_create spec = { .perms = TWZ_READ | TWZ_WRITE };

    touch_stack();
    if (user_create(&spec, &shared) == 0)
        user_map(SLOT_SHARED, shared, TWZ_READ | TWZ_WRITE);
    test_main();
    end_test();
}
