/* SPDX-License-Identifier: MIT */
/*
 * Calls with partly valid arguments: threads on all cores make every call of syscall.def with IDs,
 * pointers and numbers from a list of interesting ones. The kernel must not panic, the test's own
 * memory must keep its contents, and the pool must be undamaged (boot.py checks it).
 */
#include "user.h"

#define WORKERS 3u
#define ROUNDS  5000u
#define IDS     24u
#define BLOCK   512u /* words; no call writes more than this at its pointer */
#define GUARD   0x5a5a5a5a5a5a5a5aull

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The IDs lie in shared words 0 .. 2 * IDS; any thread may replace one. */
static objid_t pick_id(uint64_t *r)
{
    uint64_t n = next_random(r) % (IDS + 6);

    switch (n) {
    case 0: return user_system()->kso_root;
    case 1: return user_system()->console;
    case 2: return user_system()->names_root;
    case 3: return user_system()->init;
    case 4: return (objid_t){ next_random(r), next_random(r) };
    case 5: return TWZ_OBJID_NONE;
    default: n -= 6; return (objid_t){ SHARED->word[2 * n], SHARED->word[2 * n + 1] };
    }
}

/* A random number of any length, or a limit of the call interface or one near it. */
static uint64_t pick_number(uint64_t *r)
{
    static const uint64_t odd[] = { 0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    5,
                                    7,
                                    8,
                                    9,
                                    31,
                                    32,
                                    64,
                                    4095,
                                    4096,
                                    8192,
                                    1 << 20,
                                    TWZ_SLOTS,
                                    TWZ_OBJ_SIZE,
                                    TWZ_OBJ_RECORD,
                                    TWZ_OBJ_META,
                                    TWZ_OBJ_DATA_TOP,
                                    1ull << 31,
                                    1ull << 32,
                                    1ull << 47,
                                    1ull << 63,
                                    ~0ull,
                                    ~0ull - 4095 };
    uint64_t n = next_random(r);

    if (n % 4 == 0)
        return n >> (n & 63);
    return odd[(n >> 8) % (sizeof(odd) / sizeof(odd[0]))];
}

/* Mostly the size of the struct; sometimes another one. */
static uint64_t pick_size(uint64_t *r, uint64_t size)
{
    uint64_t n = next_random(r);

    if (n % 4 != 0)
        return size;
    return n % 8 == 0 ? pick_number(r) : size + 8 * (n >> 8 & 31);
}

/* Fills a buffer with likely contents of an argument block. */
static uint64_t fill_block(uint64_t *r, uint64_t *block)
{
    unsigned i;

    for (i = 0; i < 40; i++) {
        uint64_t n = next_random(r);

        if (n % 3 == 0) {
            objid_t id = pick_id(r);

            block[i++] = id.lo;
            block[i] = id.hi;
        } else {
            block[i] = n % 3 == 1 ? pick_number(r) : (uint64_t)(uintptr_t)block;
        }
    }
    return (uint64_t)(uintptr_t)block;
}

static uint64_t pick_pointer(uint64_t *r, uint64_t *block)
{
    uint64_t n = next_random(r);

    switch (n % 12) {
    case 0: return 0xffff800000001000ull + n % 4096;
    case 1: return TWZ_SLOT_ADDR(5000) + n % TWZ_OBJ_SIZE;
    case 2: return TWZ_SLOT_ADDR(SLOT_TEXT) + TWZ_OBJ_BASE + n % 4096;
    case 3: return (1ull << 47) - n % 64;
    case 4: return (uint64_t)(uintptr_t)user_thread_page(0) + 8000;
    default: return fill_block(r, block) + (n % 5 == 0 ? n % 8 : 0);
    }
}

static void replace_id(uint64_t *r)
{
    static const uint8_t kinds[] = {
        0, 0, 0, TWZ_KIND_VIEW, TWZ_KIND_THREAD, TWZ_KIND_DIR, TWZ_KIND_SCTX
    };
    uint64_t n = next_random(r), at = n % IDS;
    struct twz_create spec = { .perms = n % 3 != 0 ? TWZ_PERMS : (uint32_t)(n >> 20) & TWZ_PERMS,
                               .flags = n % 5 < 2 ? TWZ_OBJ_PERSIST : 0,
                               .kind = kinds[(n >> 8) % sizeof(kinds)] };
    objid_t old = { SHARED->word[2 * at], SHARED->word[2 * at + 1] }, id;

    CALL(obj_delete, IDARG(old), n >> 16 & 1);
    if (user_create(&spec, &id) != 0)
        return;
    SHARED->word[2 * at] = id.lo;
    SHARED->word[2 * at + 1] = id.hi;
}

/* Maps one of the objects in a slot of the worker, and reads or writes it. */
static void map_and_access(uint64_t *r, unsigned worker)
{
    uint64_t n = next_random(r);
    uint32_t slot = SLOT_TEST + worker * 4 + (uint32_t)(n & 3);
    uint64_t at = TWZ_SLOT_ADDR(slot) + (n >> 8) % (n & 16 ? 1u << 20 : TWZ_OBJ_SIZE);

    if (n & 32)
        user_map(slot, pick_id(r), n >> 60 & (TWZ_READ | TWZ_WRITE | TWZ_EXEC));
    if (n & 64)
        user_store_faults(at & ~7ull);
    else
        user_load_faults(at & ~7ull);
}

/* Any call but those that would end the test, with arguments of random kinds. */
static void call_at_random(uint64_t *r)
{
    static const uint8_t never[] = { 14, 15, 19, 21, 22 }; /* exit, become, return, shutdown, log */
    uint64_t block[BLOCK];
    long arg[6];
    uint64_t number = next_random(r) % 23;
    unsigned i;

    for (i = 0; i < sizeof(never); i++)
        if (number == never[i])
            return;
    for (i = 0; i < 6; i++) {
        uint64_t n = next_random(r) % 3;
        objid_t id;

        if (n == 0 && i < 5) {
            id = pick_id(r);
            arg[i++] = (long)id.lo;
            arg[i] = (long)id.hi;
        } else {
            arg[i] = (long)(n == 1 ? pick_pointer(r, block) : pick_number(r));
        }
    }
    if ((number == 18 || number == 23) && (uint64_t)arg[2] > 1000)
        arg[2] = 1; /* no endless sleep */
    if (number == 25 && (uint64_t)arg[3] > 1000)
        arg[3] = 1;
    user_call((long)(TWZ_SYSCALL_BASE + number), arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* Calls whose first arguments are of the right kind. */
static void call_with_right_kinds(uint64_t *r)
{
    uint64_t n = next_random(r), block[BLOCK];
    objid_t a = pick_id(r), b = pick_id(r);
    uint64_t page = (n >> 8) % 2000 * TWZ_PAGE_SIZE, len = (n >> 24) % 300 * TWZ_PAGE_SIZE;
    struct twz_copy c = { .src = a, .dst = b, .src_off = page, .dst_off = len, .len = len };

    switch (n % 11) {
    case 0: CALL(obj_copy, SIZED(&c), 1); break;
    case 1: CALL(obj_range, IDARG(a), n >> 40 & 7, page, len); break;
    case 2: CALL(obj_tie, IDARG(a), IDARG(b), n >> 40 & 1); break;
    case 3: CALL(obj_stat, IDARG(a), block, pick_size(r, sizeof(struct twz_stat))); break;
    case 4: CALL(obj_ctl, IDARG(a), n >> 40 & 3, pick_number(r)); break;
    case 5: CALL(kso_invalidate, IDARG(a), pick_number(r), pick_number(r)); break;
    case 6: CALL(kso_attach, IDARG(a), IDARG(b), n >> 50 & 3); break;
    case 7: CALL(kso_detach, IDARG(a), IDARG(b), n >> 50 & 3); break;
    case 8: CALL(obj_pin, IDARG(a), n >> 40 & 1); break;
    case 9:
        a = user_thread_page((unsigned)(n >> 50) % WORKERS)->id;
        CALL(thread_signal, IDARG(a), 10 + (n >> 40 & 3), n);
        break;
    default:
        fill_block(r, block);
        CALL(thread_spawn, block, sizeof(struct twz_spawn));
        break;
    }
}

/* Makes ROUNDS random calls and accesses; ends with 1 if its stack was changed. */
static void worker(uint64_t arg)
{
    uint64_t r = 0x9e3779b97f4a7c15ull * (arg + 1) + SHARED->word[62];
    uint64_t guard = GUARD, i;

    for (i = 0; i < ROUNDS; i++) {
        uint64_t n = next_random(&r) % 16;

        __atomic_store_n(&SHARED->word[50 + arg], i, __ATOMIC_RELAXED);
        if (n < 2)
            replace_id(&r);
        else if (n < 6)
            map_and_access(&r, (unsigned)arg);
        else if (n < 11)
            call_with_right_kinds(&r);
        else
            call_at_random(&r);
        if (*(volatile uint64_t *)&guard != GUARD)
            CALL(thread_exit, 1);
    }
    __atomic_store_n(&SHARED->word[50 + arg], ROUNDS, __ATOMIC_RELEASE);
}

/* Starts worker n. Another worker's signal may end it, so this may be called again. */
static void start_worker(unsigned n)
{
    user_thread(n, worker, n);
}

void test_main(void)
{
    unsigned n, restarts = 0;

    user_handlers();
    CALL(random, &SHARED->word[62], 8);
    user_log_value("seed", SHARED->word[62]);
    user_log_value("self", user_self().hi);
    for (n = 0; n < WORKERS; n++)
        start_worker(n);
    for (n = 0; n < WORKERS;) {
        uint64_t code = user_join(n);

        if (SHARED->word[50 + n] < ROUNDS && restarts++ < 1000) {
            CHECK(code != 1);
            SHARED->word[62]++;
            start_worker(n);
            continue;
        }
        n++;
    }
    user_log_value("restarts", restarts);
    CHECK_IS(SHARED->word[50], ROUNDS);
    CHECK_IS(SHARED->word[52], ROUNDS);
}
