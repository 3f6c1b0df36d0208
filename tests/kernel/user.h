/* SPDX-License-Identifier: MIT */
/*
 * What a kernel test needs of a runtime: calls, objects, threads, faults. A test is the machine's
 * first program, made of this alone, so that nothing stands between it and the call interface.
 * It has no writable data but its stack and struct shared, at the base of a volatile object.
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

/* Slots of a test. */
#define SLOT_SHARED 64u
#define SLOT_TEST   100u /* and up: a test's own */
#define SLOT_THREAD 200u /* thread objects, one each */
#define SLOT_STACK  300u

#define SHARED ((struct shared *)(TWZ_SLOT_ADDR(SLOT_SHARED) + TWZ_OBJ_BASE))

struct shared {
    uint64_t passed;
    uint64_t failed;
    uint64_t landing; /* where the fault handler sends the thread; 0: return to the fault */
    uint64_t faults;  /* seen by the handler */
    struct twz_fault fault;
    struct twz_regs regs;
    uint64_t word[64]; /* for the tests */
    uint64_t clobber;  /* the handler spoils vector registers */
};

objid_t user_view(void);
objid_t user_self(void);
uint64_t user_now(void); /* ns */

/* Objects. */
objid_t user_object(uint32_t flags, uint32_t perms, uint32_t kind);
long user_create(const struct twz_create *spec, objid_t *id);
void user_map(uint32_t slot, objid_t id, uint64_t rights);
void user_map_in(objid_t view_object, uint64_t view_base, uint32_t slot, objid_t id,
                 uint64_t rights);
#define BASE(slot) ((volatile uint64_t *)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE))

/* Threads: the n-th, with a stack and an object of its own, running fn(arg) in this view. */
#define FRESH UINT64_MAX
objid_t user_thread(unsigned n, void (*fn)(uint64_t arg), uint64_t arg);
struct twz_thread *user_thread_page(unsigned n);
uint64_t user_join(unsigned n); /* exit code */
long user_spawn(unsigned n, objid_t thread, objid_t view, void (*fn)(uint64_t arg), uint64_t arg);

/* Sleeping on words. */
long user_wait(volatile uint64_t *word, uint64_t value, uint64_t deadline);
long user_wake(volatile uint64_t *word, uint64_t count);

/* Faults: the handler takes the shared landing. Each returns 1 if the touch faulted. */
void user_handlers(void);
int user_load_faults(uint64_t addr);
int user_store_faults(uint64_t addr);
int user_jump_faults(uint64_t addr);

/* Results. */
void user_log(const char *text);
void user_log_value(const char *text, uint64_t value);
void user_check(int good, const char *what, int line);
#define CHECK(what)           user_check((what) != 0, #what, __LINE__)
#define CHECK_IS(got, wanted) user_check_is((uint64_t)(got), (uint64_t)(wanted), #got, __LINE__)
void user_check_is(uint64_t got, uint64_t wanted, const char *what, int line);

/* The test itself; the runtime prints the sum and powers off afterwards. */
void test_main(void);

#endif
