/* SPDX-License-Identifier: MIT */
/*
 * libtwz inside the system. The program boots in place of init, runs all tests, writes the results
 * to the kernel's log and powers off. On the second boot of the same pool it checks the objects of
 * the first. Its process tests start the same program with argc > 0.
 */
#include <twz/call.h>
#include <twz/faults.h>
#include <twz/mutex.h>
#include <twz/program.h>
#include <twz/threads.h>
#include <twz/typed.h>

#include "guest.h"

int main(int argc, char **argv, char **envp);

struct node {
    twz_ref(struct node) next;
    uint64_t value;
};

struct list {
    twz_ref(struct node) head;
    uint64_t length;
};

static uint32_t passed;
static uint32_t failed;

void say(const char *text)
{
    (void)twz_sys_log_write((const uint8_t *)text, __builtin_strlen(text));
    (void)twz_sys_log_write((const uint8_t *)"\n", 1);
}

static void number(char *out, uint64_t value)
{
    char digits[21];
    size_t at = sizeof(digits);

    digits[--at] = 0;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    __builtin_memcpy(out, digits + at, sizeof(digits) - at);
}

static void append(char *text, const char *more)
{
    __builtin_memcpy(text + __builtin_strlen(text), more, __builtin_strlen(more) + 1);
}

void check(int good, const char *what, const char *file, uint32_t line)
{
    char text[400] = "";

    if (good) {
        __atomic_fetch_add(&passed, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED);
    append(text, file);
    append(text, ":");
    number(text + __builtin_strlen(text), line);
    append(text, " failed: ");
    append(text, what);
    say(text);
}

/* --- objects and names ------------------------------------------------------------------------ */

static void test_objects(void)
{
    twzobj a, b, same;
    struct twz_stat stat;
    objid_t id;

    CHECK(twz_object_new(&a, NULL, NULL, 0) == 0);
    CHECK(twz_object_new(&b, NULL, NULL, TWZ_OC_PERSIST) == 0);
    *(uint64_t *)twz_object_base(&a) = 7;
    CHECK(*(uint64_t *)twz_object_base(&b) == 0);
    CHECK(twz_object_init_guid(&same, a.id, TWZ_READ | TWZ_WRITE) == 0 && same.start == a.start);
    CHECK(twz_object_init_guid(&same, a.id, TWZ_READ) == 0 && same.start != a.start);
    CHECK(*(uint64_t *)twz_object_base(&same) == 7);
    CHECK(twz_object_stat(b.id, &stat) == 0 && (stat.flags & TWZ_OBJ_PERSIST));
    CHECK(twz_object_init_guid(&same, (objid_t){ 1, 2 }, TWZ_READ) == -TWZ_ENOOBJ);
    CHECK(twz_object_addext(&a, 77, twz_object_base(&a)) == 0);
    CHECK(twz_object_getext(&a, 77) == twz_object_base(&a));
    CHECK(twz_object_delext(&a, 77) == 0 && !twz_object_getext(&a, 77));
    CHECK(twz_object_delete(&b, 0) == 0 && twz_object_stat(b.id, &stat) < 0);
    twz_object_release(&b);
    CHECK(twz_name_mkdir("/data/t") == 0);
    CHECK(twz_name_create("/data/t/x", 0, NULL, NULL, &b) == 0);
    CHECK(twz_name_rename("/data/t/x", "/data/y") == 0);
    CHECK(twz_name_resolve("/data/y", &id) == 0 && objid_equal(id, b.id));
    CHECK(twz_name_unassign("/data/y") == 0 && twz_name_unassign("/data/t") == 0);
    CHECK(twz_object_delete(&b, 0) == 0);
    twz_object_release(&b);
    twz_object_release(&a);
}

static void test_sealed(void)
{
    twzobj source, sealed;
    objid_t id, again = TWZ_OBJID_NONE, named;

    CHECK(twz_object_new(&source, NULL, NULL, 0) == 0);
    *(uint64_t *)twz_object_base(&source) = 41;
    CHECK(twz_object_seal(&source, &id) == 0 && twz_object_seal(&source, &again) == 0);
    CHECK(objid_equal(id, again) && !objid_equal(id, source.id));
    CHECK(twz_name_assign("/data/sealed", id) == 0);
    CHECK(twz_name_resolve("/data/sealed", &named) == 0 && objid_equal(named, id));
    CHECK(twz_name_unassign("/data/sealed") == 0);
    *(uint64_t *)twz_object_base(&source) = 42;
    CHECK(twz_object_init_guid(&sealed, id, TWZ_READ) == 0);
    CHECK(*(uint64_t *)twz_object_base(&sealed) == 41);
    CHECK(twz_object_delete(&sealed, 0) == 0);
    twz_object_release(&sealed);
    twz_object_release(&source);
}

static void test_slots(void)
{
    static objid_t ids[300];
    uint64_t sum = 0;
    twzobj obj;

    for (uint32_t i = 0; i < 300; i++) {
        CHECK(twz_object_new(&obj, NULL, NULL, 0) == 0);
        *(uint64_t *)twz_object_base(&obj) = i;
        ids[i] = obj.id;
        twz_object_release(&obj);
    }
    for (uint32_t i = 0; i < 300; i++) {
        CHECK(twz_object_init_guid(&obj, ids[i], TWZ_READ) == 0);
        sum += *(uint64_t *)twz_object_base(&obj);
        twz_object_release(&obj);
        CHECK(twz_object_delete_guid(ids[i], 0) == 0);
    }
    CHECK(sum == 300 * 299 / 2);
}

/* --- pointers --------------------------------------------------------------------------------- */

static void test_pointers(void)
{
    twzobj a, b;
    twz_pptr_t *pa, p;
    uint64_t *vb;
    void *d;

    CHECK(twz_object_new(&a, NULL, NULL, 0) == 0 && twz_object_new(&b, NULL, NULL, 0) == 0);
    pa = twz_object_base(&a);
    vb = twz_object_base(&b);
    vb[4] = 42;
    CHECK(twz_ptr_store_guid(&a, pa, b.id, TWZ_OBJ_BASE + 32, TWZ_READ | TWZ_WRITE) == 0);
    CHECK(TWZ_PPTR_FOT(pa->raw) == 1 && twz_ptr_lea(pa, *pa) == &vb[4]);
    CHECK(*(uint64_t *)twz_object_lea(&a, *pa) == 42);
    CHECK(twz_ptr_swizzle(&a, &vb[5], TWZ_READ | TWZ_WRITE, &p) == 0 && TWZ_PPTR_FOT(p.raw) == 1);
    CHECK(twz_object_meta(&a)->fot_count == 1);
    CHECK(twz_ptr_lea_try(pa, (twz_pptr_t){ 0 }, &d) == -TWZ_EINVAL);
    CHECK(twz_ptr_lea_try(pa, (twz_pptr_t){ 8 }, &d) == -TWZ_ERANGE);
    CHECK(twz_ptr_lea_try(pa, (twz_pptr_t){ TWZ_PPTR(9, TWZ_OBJ_BASE) }, &d) == -TWZ_EINVAL);
    CHECK(twz_object_set_size(&a, 64) == 0); /* twz_new gives space behind this */
    CHECK(twz_name_assign("/data/b", b.id) == 0);
    CHECK(twz_ptr_store_name(&a, pa, "/data/b", TWZ_OBJ_BASE, 0, TWZ_READ | TWZ_WRITE) == 0);
    CHECK(twz_ptr_lea(pa, *pa) == vb);
    CHECK(twz_name_unassign("/data/b") == 0);
    twz_object_delete(&a, 0);
    twz_object_delete(&b, 0);
    twz_object_release(&a);
    twz_object_release(&b);
}

/* --- faults ----------------------------------------------------------------------------------- */

static void touch(void *arg)
{
    *(volatile uint64_t *)arg = 1;
}

static void resolve(void *arg)
{
    twz_pptr_t *p = arg;

    (void)twz_ptr_lea(p, *p);
}

static void divide(void *arg)
{
    volatile int zero = 0;

    *(volatile int *)arg = 100 / zero;
}

static void nested(void *arg)
{
    struct twz_fault fault;

    CHECK(twz_try(touch, (void *)8, &fault) == 1 && fault.kind == TWZ_FAULT_NULL);
    touch(arg);
}

static uint64_t repaired_word = 5;

static int repair_address(struct twz_fault_frame *frame)
{
    frame->regs.rdi = (uint64_t)(uintptr_t)&repaired_word;
    return 1;
}

static uint64_t load(uint64_t addr)
{
    uint64_t value;

    __asm__ volatile("mov (%1), %0" : "=r"(value) : "D"(addr));
    return value;
}

static void test_faults(void)
{
    struct twz_fault fault;
    twzobj obj, readonly;
    twz_pptr_t *p;
    int there = 0;
    char text[256];

    CHECK(twz_try(touch, &there, &fault) == 0);
    CHECK(twz_object_new(&obj, NULL, NULL, 0) == 0);
    CHECK(twz_object_init_guid(&readonly, obj.id, TWZ_READ) == 0);
    CHECK(twz_try(nested, twz_object_base(&readonly), &fault) == 1);
    CHECK(fault.kind == TWZ_FAULT_PERM && fault.need == TWZ_WRITE && fault.have == TWZ_READ);
    CHECK(objid_equal(fault.object, obj.id));
    CHECK(twz_fault_print(&fault, text, sizeof(text)) < sizeof(text));
    say(text);
    CHECK(twz_try(touch, (void *)TWZ_SLOT_ADDR(5000), &fault) == 1);
    CHECK(twz_try(touch, (void *)(TWZ_SLOT_ADDR(5000) + TWZ_OBJ_BASE), &fault) == 1);
    CHECK(fault.kind == TWZ_FAULT_OBJECT);
    CHECK(twz_try(divide, &there, &fault) == 1 && fault.kind == TWZ_FAULT_EXCEPTION);
    CHECK(twz_fault_signal(&fault) == 8);
    p = twz_object_base(&obj);
    CHECK(twz_try(resolve, p, &fault) == 1 && fault.kind == TWZ_FAULT_POINTER);
    CHECK(fault.reason == TWZ_REASON_NULLPTR && objid_equal(fault.object, obj.id));
    p->raw = TWZ_PPTR(3, TWZ_OBJ_BASE);
    CHECK(twz_try(resolve, p, &fault) == 1 && fault.reason == TWZ_REASON_FOT);
    CHECK(twz_fault_set(TWZ_FAULT_NULL, repair_address) == 0 && load(16) == 5);
    CHECK(twz_fault_set(TWZ_FAULT_NULL, NULL) == 0);
    twz_object_delete(&obj, 0);
    twz_object_release(&readonly);
    twz_object_release(&obj);
}

/* --- threads ---------------------------------------------------------------------------------- */

static struct twz_mutex mutex;
static uint64_t shared;

static void count(void *arg)
{
    for (uint32_t i = 0; i < *(uint32_t *)arg; i++) {
        int died = twz_mutex_lock(&mutex);
        uint64_t value = shared;

        CHECK(died == 0);
        __asm__ volatile("pause");
        shared = value + 1;
        twz_mutex_unlock(&mutex);
    }
}

/* Another thread holds the mutex throughout. */
static void lock_in_vain(void *arg)
{
    CHECK(twz_mutex_lock_for(arg, 40000000) == -TWZ_EBUSY);
}

static void die_locked(void *arg)
{
    CHECK(twz_mutex_lock(arg) == 0);
    twz_thread_ready();
    twz_thread_exit(9);
}

static void test_threads(void)
{
    struct twz_thrd_spawn spawn = { .fn = count };
    struct twz_thrd threads[4];
    struct twz_fault fault;
    uint32_t rounds = 1000;
    uint64_t code;

    spawn.arg = &rounds;
    for (uint32_t i = 0; i < 4; i++)
        CHECK(twz_thread_spawn(&threads[i], &spawn) == 0);
    for (uint32_t i = 0; i < 4; i++)
        CHECK(twz_thread_wait(&threads[i], &code, &fault) == 0 && code == 0);
    CHECK(shared == 4000 && !twz_mutex_is_held(&mutex));
    spawn.fn = lock_in_vain;
    spawn.arg = &mutex;
    CHECK(twz_mutex_lock(&mutex) == 0);
    CHECK(twz_thread_spawn(&threads[0], &spawn) == 0);
    CHECK(twz_thread_wait(&threads[0], &code, &fault) == 0 && code == 0);
    twz_mutex_unlock(&mutex);
    spawn.fn = die_locked;
    CHECK(twz_thread_spawn(&threads[0], &spawn) == 0);
    CHECK(twz_thread_wait_ready(&threads[0]) == 0);
    CHECK(twz_thread_wait(&threads[0], &code, &fault) == 0 && code == 9);
    CHECK(twz_mutex_lock(&mutex) == TWZ_MUTEX_DIED && twz_mutex_is_mine(&mutex));
    twz_mutex_unlock(&mutex);
    spawn.fn = touch;
    spawn.arg = (void *)24;
    CHECK(twz_thread_spawn(&threads[0], &spawn) == 0);
    CHECK(twz_thread_wait(&threads[0], &code, &fault) == 1);
    CHECK(fault.kind == TWZ_FAULT_NULL && fault.addr == 24 &&
          code == TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_SEGV));
}

/* A wait may return 0 early, so this one is repeated. */
void sleep_until(uint64_t deadline)
{
    uint64_t word = 0;
    int ret;

    do
        ret = twz_sync_wait(&word, 0, deadline);
    while (ret == 0);
    CHECK(ret == -TWZ_ETIMEDOUT);
}

static void test_clock(void)
{
    uint64_t before = twz_clock();

    sleep_until(before + 2000000);
    CHECK(twz_clock() >= before + 2000000);
    CHECK(twz_clock_wall() > 1600000000ull * 1000000000ull);
}

/* --- processes -------------------------------------------------------------------------------- */

static void *volatile nowhere = (void *)40;

static int child(int argc, char **argv, char **envp)
{
    if (argc == 3 && argv[2][0] == 'h')
        hier_child();
    if (argc == 3 && argv[2][0] == 'g')
        gate_child();
    if (argc == 3 && argv[2][0] == 'n')
        touch(nowhere);
    if (argc == 3 && argv[2][0] == 'p')
        resolve(&(twz_pptr_t){ 0 });
    return argc + (envp[0] && envp[0][0] == 'E') + (argv[1][0] == 'a') * 10;
}

void run_child(const char *word, int envs, struct twz_process *process)
{
    static const char *const env[] = { "E=1", NULL };
    const char *argv[] = { "child", "a", word, NULL };
    struct twz_program_spec spec = { .argv = argv, .envp = env + !envs };
    char path[TWZ_PATH_MAX];

    spec.path = path;
    CHECK(twz_program_find("/bin/init", "", path, &spec.program) == 0);
    CHECK(twz_program_spawn(&spec, process) == 0);
}

static void run(const char *word, int envs, struct twz_program_end *end)
{
    struct twz_process process;

    run_child(word, envs, &process);
    CHECK(twz_program_wait(&process, TWZ_FOREVER, end) == 0);
}

static void test_processes(void)
{
    struct twz_program_end end;
    struct twz_process process;
    struct twz_program_spec spec = { .path = "/x" };
    char path[TWZ_PATH_MAX];
    twzobj obj;

    run(NULL, 1, &end);
    CHECK(!end.by_fault && end.code == 13);
    run("x", 0, &end);
    CHECK(!end.by_fault && end.code == 13);
    run("n", 0, &end);
    CHECK(end.by_fault && end.code == TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_SEGV) &&
          end.fault.kind == TWZ_FAULT_NULL);
    run("p", 0, &end);
    CHECK(end.by_fault && end.code == TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_SEGV) &&
          end.fault.kind == TWZ_FAULT_POINTER);
    CHECK(twz_program_find("none", "/bin:/host", path, &spec.program) == -TWZ_ENONAME);
    CHECK(twz_object_new(&obj, NULL, NULL, 0) == 0);
    spec.program = obj.id;
    CHECK(twz_program_spawn(&spec, &process) == -TWZ_ESHORT);
    CHECK(twz_object_set_size(&obj, 1000) == 0);
    CHECK(twz_program_spawn(&spec, &process) == -TWZ_ETYPE);
    twz_object_delete(&obj, 0);
    twz_object_release(&obj);
}

/* --- persistence over two boots --------------------------------------------------------------- */

static void build_list(void)
{
    const struct list *l = twz_open("/data/list", struct list, TWZ_CREATE);
    const struct list *other = twz_open("/data/other", struct list, TWZ_CREATE);

    CHECK(l && other);
    CHECK(!twz_open("/data/list", struct node, 0) && twz_error_last() == -TWZ_ETYPE);
    for (uint64_t i = 0; i < 100; i++) {
        struct node *n = twz_new(i % 2 ? l : other, struct node);

        n->value = i;
        CHECK(twz_init(n->next, twz_at_or_null(l->head)) == 0);
        twz_persist(n, sizeof(*n));
        CHECK(twz_set(l->head, n) == 0);
        twz_put(l->length, i + 1);
    }
}

static void walk_list(void)
{
    const struct list *l = twz_open("/data/list", struct list, 0);
    const struct node *n = twz_at_or_null(l->head);
    uint64_t want = 100;

    CHECK(l->length == 100);
    for (; n; n = twz_at_or_null(n->next))
        CHECK(n->value == --want);
    CHECK(want == 0);
}

static void boot(void)
{
    objid_t id;

    if (twz_name_resolve("/data/list", &id) == 0) {
        say("second boot");
        walk_list();
        return;
    }
    test_objects();
    test_sealed();
    test_slots();
    test_pointers();
    test_faults();
    test_threads();
    test_clock();
    test_processes();
    say("gates");
    test_gates();
    say("threads in directories");
    test_hier_threads();
    say("killed processes in directories");
    test_hier_kills();
    build_list();
    walk_list();
}

int main(int argc, char **argv, char **envp)
{
    char text[100] = "checks ";

    if (argc > 0)
        return child(argc, argv, envp);
    boot();
    number(text + __builtin_strlen(text), passed);
    append(text, " good, ");
    number(text + __builtin_strlen(text), failed);
    append(text, " bad");
    say(text);
    return (int)twz_sys_shutdown(TWZ_SHUTDOWN_OFF);
}
