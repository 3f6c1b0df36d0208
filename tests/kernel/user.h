/* SPDX-License-Identifier: MIT */
/*
 * The runtime of kernel tests: calls, objects, threads, faults. A test is the machine's first
 * program and has no other runtime, so that it meets the call interface directly. It must have no
 * writable data but its stack and struct shared, which lies at the base of a volatile object.
 */
#ifndef TESTS_USER_H
#define TESTS_USER_H

#include <twz/device.h>
#include <twz/kso.h>
#include <twz/syscall.h>
#include <twz/view.h>

long user_call(long number, long a, long b, long c, long d, long e, long f);

/* CALL(name, arguments...): an object ID is IDARG(id). */
#define CALL(name, ...) CALL_PAD(TWZ_SYS_##name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_PAD(...)   CALL_ALL(__VA_ARGS__)
#define CALL_ALL(number, a, b, c, d, e, f, ...) \
    user_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define IDARG(id) (id).lo, (id).hi
#define SIZED(p)  (p), sizeof(*(p)) /* a struct that may grow: its address and size */

/* Slots of a test. Those of its text and stack are found through addresses. */
#define SLOT_TEXT       SLOT_OF(user_call)
#define SLOT_OF(addr)   ((uint32_t)((uint64_t)(uintptr_t)(addr) >> TWZ_OBJ_SHIFT))
#define SLOT_SHARED     64u
#define SLOT_TEST       100u /* and up: for the test */
#define SLOT_THREAD     200u /* thread objects, one each */
#define SLOT_STACK      300u
#define SLOT_CHILD_VIEW 99u

#define SHARED ((struct shared *)(TWZ_SLOT_ADDR(SLOT_SHARED) + TWZ_OBJ_BASE))

struct shared {
    uint64_t passed;
    uint64_t failed;
    uint64_t landing; /* address at which the thread continues after a fault; 0: at the fault */
    uint64_t faults;  /* number of faults that the handler got */
    struct twz_fault fault;
    struct twz_regs regs;
    uint64_t word[64]; /* for the tests */
    uint64_t clobber;  /* 1: the handler changes vector registers */
};

objid_t user_view(void);
uint64_t user_view_at(void); /* address of the start of the view object */
struct twz_thread *user_own_page(void);
objid_t user_self(void);
uint64_t user_now(void); /* ns */

/* Objects. */
objid_t user_object(uint32_t flags, uint32_t perms, uint32_t kind);
long user_create(const struct twz_create *spec, objid_t *id);
void user_map(uint32_t slot, objid_t id, uint64_t rights);
void user_map_in(objid_t view_object, uint64_t view_base, uint32_t slot, objid_t id,
                 uint64_t rights);
#define BASE(slot) ((volatile uint64_t *)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE))
long user_range(objid_t id, uint64_t op, uint64_t page, uint64_t pages);
const volatile struct twz_system *user_system(void);
uint64_t user_memory_free(void); /* bytes, as the kernel counts them now */

static inline volatile uint64_t *user_page(uint32_t slot, uint64_t page)
{
    return (volatile uint64_t *)(TWZ_SLOT_ADDR(slot) + page * TWZ_PAGE_SIZE);
}

/* Threads: number n, with a stack and an object of its own, runs fn(arg) in this view. */
objid_t user_thread(unsigned n, void (*fn)(uint64_t arg), uint64_t arg);
struct twz_thread *user_thread_page(unsigned n);
uint64_t user_join(unsigned n); /* exit code */
void user_yield(void);

/* user_pin keeps this thread on core 0 with a low priority. A thread of user_thread_first runs
 * there with the usual one, at once, until it sleeps or ends. So this thread continues after that,
 * however busy the machine is. user_unpin ends it. */
void user_pin(void);
objid_t user_thread_first(unsigned n, void (*fn)(uint64_t arg), uint64_t arg);
void user_unpin(void);
objid_t user_thread_in(unsigned n, objid_t context, void (*fn)(uint64_t arg), uint64_t arg);
long user_spawn_in(unsigned n, objid_t thread, objid_t view, objid_t context,
                   void (*fn)(uint64_t arg), uint64_t arg);
long user_spawn(unsigned n, objid_t thread, objid_t view, void (*fn)(uint64_t arg), uint64_t arg);

/* A view with text, shared words, the slots of thread n, and `what` at SLOT_TEST, read-only. It is
 * mapped in this view at SLOT_CHILD_VIEW. */
objid_t user_child_view(unsigned n, objid_t what);
objid_t user_child_view_in(objid_t account, unsigned n, objid_t what); /* the account pays */

/* Sleeping on words. */
long user_wait(volatile uint64_t *word, uint64_t value, uint64_t deadline);
long user_wake(volatile uint64_t *word, uint64_t count);

/* Faults. user_handlers sets a handler for each kind, which continues at the shared landing. The
 * three accesses return 1 if they faulted. */
void user_handlers(void);
void user_set_handler(unsigned kind, void (*entry)(struct twz_fault_frame *frame));
int user_load_faults(uint64_t addr);
int user_store_faults(uint64_t addr);
int user_jump_faults(uint64_t addr);

/* Results. */
void user_log(const char *text);
void user_log_value(const char *text, uint64_t value);
void user_log_count(const char *text, uint64_t value); /* in decimal */
void user_check(int good, const char *what, int line);
#define CHECK(what)           user_check((what) != 0, #what, __LINE__)
#define CHECK_IS(got, wanted) user_check_is((uint64_t)(got), (uint64_t)(wanted), #got, __LINE__)
void user_check_is(uint64_t got, uint64_t wanted, const char *what, int line);

/* The test. Afterwards the runtime prints the sum and powers off. */
void test_main(void);

#endif
