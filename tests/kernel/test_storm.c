/* SPDX-License-Identifier: MIT */
/*
 * A storm: workers on all cores mix the calls at random, on objects of their own, whose contents
 * they know, and on objects that they share, where any call may lose a race. storm.py gives the
 * seed and the number of operations. Afterwards everything is deleted, and the free memory and the
 * free pool are what they were after the storm before, which had another seed.
 */
#include "user.h"

#define WORKERS 3u
#define OWN     8u
#define PAGES   6u
#define COMMON  12u
#define RW      (TWZ_READ | TWZ_WRITE)
#define SLACK   (24u * TWZ_PAGE_SIZE) /* caches of the kernel */

#define SLOT_OWN(w, i) (SLOT_TEST + (w)*16u + (i))
#define SLOT_COMMON(w) (SLOT_TEST + (w)*16u + OWN)
#define CHILD(w)       (WORKERS + (w))

#define STORM_SEED (SHARED->word[50])
#define STORM_OPS  (SHARED->word[51])
#define BROKEN     (SHARED->word[52]) /* pages with other contents than their owner knows */

struct worker {
    uint64_t random;
    unsigned number;
    objid_t id[OWN];
    uint64_t page[OWN][PAGES]; /* the first word of pages 1 .. PAGES */
};

static uint64_t next(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random * 0x2545f4914f6cdd1dull >> 16;
}

static objid_t common_id(uint64_t n)
{
    return (objid_t){ SHARED->word[2 * (n % COMMON)], SHARED->word[2 * (n % COMMON) + 1] };
}

/* --- own objects ------------------------------------------------------------------------------ */

static void drop_own(struct worker *w, unsigned i)
{
    user_map(SLOT_OWN(w->number, i), TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(w->id[i]), next(w) & 1), 0);
}

static void make_own(struct worker *w, unsigned i)
{
    unsigned p;

    w->id[i] = user_object(next(w) & 1 ? TWZ_OBJ_PERSIST : 0, TWZ_PERMS, TWZ_KIND_DATA);
    user_map(SLOT_OWN(w->number, i), w->id[i], RW);
    for (p = 0; p < PAGES; p++)
        w->page[i][p] = 0;
}

static void check_own(struct worker *w, unsigned i)
{
    unsigned p;

    for (p = 0; p < PAGES; p++)
        if (*user_page(SLOT_OWN(w->number, i), 1 + p) != w->page[i][p])
            __atomic_fetch_add(&BROKEN, 1, __ATOMIC_RELAXED);
}

static void copy_own(struct worker *w, unsigned from, unsigned to)
{
    uint64_t a = next(w) % PAGES, b = next(w) % PAGES;
    struct twz_copy c = { .src = w->id[from],
                          .dst = w->id[to],
                          .src_off = (1 + a) * TWZ_PAGE_SIZE,
                          .dst_off = (1 + b) * TWZ_PAGE_SIZE,
                          .len = TWZ_PAGE_SIZE };

    if (from != to && CALL(obj_copy, SIZED(&c), 1) == 0)
        w->page[to][b] = w->page[from][a];
}

static void change_own(struct worker *w, unsigned i)
{
    uint64_t n = next(w), p = n % PAGES;

    switch (n >> 8 & 7) {
    case 0:
        if (user_range(w->id[i], TWZ_RANGE_DISCARD, 1 + p, 1) == 0)
            w->page[i][p] = 0;
        break;
    case 1: user_range(w->id[i], TWZ_RANGE_POPULATE, 1, PAGES); break;
    case 2: user_range(w->id[i], TWZ_RANGE_PERSIST, 1, PAGES); break;
    case 3: CALL(obj_ctl, IDARG(w->id[i]), TWZ_CTL_PERSIST, n >> 20 & 1); break;
    case 4: copy_own(w, i, (unsigned)(n >> 20) % OWN); break;
    default:
        *user_page(SLOT_OWN(w->number, i), 1 + p) = n;
        w->page[i][p] = n;
        break;
    }
}

/* --- common objects --------------------------------------------------------------------------- */

static void replace_common(struct worker *w)
{
    static const uint8_t kinds[] = { TWZ_KIND_DATA, TWZ_KIND_DATA, TWZ_KIND_VIEW, TWZ_KIND_DIR };
    uint64_t n = next(w), at = n % COMMON;
    objid_t old = common_id(at);
    objid_t id = user_object(n & 64 ? TWZ_OBJ_PERSIST : 0, TWZ_PERMS, kinds[n >> 8 & 3]);
    uint64_t was = old.lo;

    /* The one that takes the old ID out deletes it. */
    if (__atomic_compare_exchange_n(&SHARED->word[2 * at], &was, id.lo, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED)) {
        SHARED->word[2 * at + 1] = id.hi;
        CALL(obj_delete, IDARG(old), n >> 16 & 1);
    } else {
        CALL(obj_delete, IDARG(id), 0);
    }
}

static void use_common(struct worker *w)
{
    uint64_t n = next(w), page = n >> 8 & 15;
    objid_t a = common_id(n), b = common_id(n >> 32);
    uint64_t at = (uint64_t)(uintptr_t)user_page(SLOT_COMMON(w->number), 1 + page);
    struct twz_copy c = { .src = a,
                          .dst = b,
                          .src_off = TWZ_PAGE_SIZE,
                          .dst_off = TWZ_PAGE_SIZE * (1 + page),
                          .len = TWZ_PAGE_SIZE * 4 };

    switch (n >> 16 & 15) {
    case 0:
    case 1: user_map(SLOT_COMMON(w->number), a, RW); break;
    case 2:
    case 3:
    case 4: user_store_faults(at); break;
    case 5:
    case 6: user_load_faults(at); break;
    case 7: CALL(obj_copy, SIZED(&c), 1); break;
    case 8: CALL(obj_ctl, IDARG(a), TWZ_CTL_PERSIST, n >> 40 & 1); break;
    case 9: CALL(obj_tie, IDARG(a), IDARG(b), n >> 40 & 1); break;
    case 10: user_range(a, n >> 40 & 3, 1 + page, 4); break;
    case 11: CALL(kso_invalidate, IDARG(a), 0, 100); break;
    case 12: CALL(kso_attach, IDARG(a), IDARG(b), ~0ull); break;
    case 13: CALL(kso_detach, IDARG(a), IDARG(b), ~0ull); break;
    case 14: CALL(obj_pin, IDARG(a), n >> 40 & 1); break;
    default: replace_common(w); break;
    }
}

/* --- threads ---------------------------------------------------------------------------------- */

static void child_ends(uint64_t arg)
{
    CALL(thread_exit, arg);
}

static void child_sleeps(uint64_t arg)
{
    volatile uint64_t *word = &SHARED->word[40 + arg];

    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
        user_wait(word, 0, TWZ_FOREVER);
}

static void child_becomes(uint64_t arg)
{
    struct twz_become next_state = { .view = user_view() };

    next_state.regs.rip = (uint64_t)(uintptr_t)child_ends;
    next_state.regs.rsp = TWZ_SLOT_ADDR(SLOT_STACK + CHILD(arg)) + TWZ_OBJ_DATA_TOP - 8;
    next_state.regs.rdi = arg;
    next_state.regs.gsbase = (uint64_t)(uintptr_t)user_thread_page((unsigned)CHILD(arg));
    CALL(thread_become, SIZED(&next_state));
    CALL(thread_exit, 99);
}

static void delete_slot(uint32_t slot)
{
    const struct twz_record *r = (const struct twz_record *)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_RECORD);
    objid_t id = r->id;

    user_map(slot, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

static void delete_thread(unsigned n)
{
    delete_slot(SLOT_THREAD + n);
    delete_slot(SLOT_STACK + n);
}

static void use_thread(struct worker *w)
{
    uint64_t n = next(w);
    objid_t id;

    SHARED->word[40 + w->number] = 0;
    switch (n & 3) {
    case 0:
        user_thread(CHILD(w->number), child_ends, n);
        CHECK_IS(user_join(CHILD(w->number)), n);
        break;
    case 1:
        user_thread(CHILD(w->number), child_becomes, w->number);
        CHECK_IS(user_join(CHILD(w->number)), w->number);
        break;
    case 2:
        id = user_thread(CHILD(w->number), child_sleeps, w->number);
        CALL(thread_signal, IDARG(id), 20, n);
        CALL(thread_ctl, IDARG(id), TWZ_THREAD_PRIORITY, 10 + (n >> 8 & 7));
        __atomic_store_n(&SHARED->word[40 + w->number], 1, __ATOMIC_RELEASE);
        user_wake(&SHARED->word[40 + w->number], ~0ull);
        CHECK_IS(user_join(CHILD(w->number)), 0);
        break;
    default:
        id = user_thread(CHILD(w->number), child_sleeps, w->number);
        CALL(thread_signal, IDARG(id), TWZ_SIGNAL_KILL, 0);
        CHECK_IS(user_join(CHILD(w->number)), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
        break;
    }
    delete_thread(CHILD(w->number));
}

/* --- the storm -------------------------------------------------------------------------------- */

static void worker_main(uint64_t number)
{
    struct worker w = { .random = (STORM_SEED * WORKERS + number + 1) * 0x9e3779b97f4a7c15ull,
                        .number = (unsigned)number };
    uint64_t i;
    unsigned o;

    for (o = 0; o < OWN; o++)
        make_own(&w, o);
    for (i = 0; i < STORM_OPS; i++) {
        uint64_t n = next(&w);

        o = (unsigned)(n >> 8) % OWN;
        switch (n & 31) {
        case 0:
            drop_own(&w, o);
            make_own(&w, o);
            break;
        case 1:
        case 2: use_thread(&w); break;
        case 3:
        case 4: check_own(&w, o); break;
        default: n & 1 ? use_common(&w) : change_own(&w, o); break;
        }
    }
    for (o = 0; o < OWN; o++) {
        check_own(&w, o);
        drop_own(&w, o);
    }
    user_map(SLOT_COMMON(w.number), TWZ_OBJID_NONE, 0);
}

static const volatile struct twz_system *fresh_system(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_RECORD);
    struct twz_stat stat;

    CALL(obj_stat, IDARG(r->id), SIZED(&stat));
    return user_system();
}

static void storm(void)
{
    unsigned n;

    for (n = 0; n < COMMON; n++) {
        objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

        SHARED->word[2 * n] = id.lo;
        SHARED->word[2 * n + 1] = id.hi;
    }
    for (n = 0; n < WORKERS; n++)
        user_thread(n, worker_main, n);
    for (n = 0; n < WORKERS; n++) {
        CHECK_IS(user_join(n), 0);
        delete_thread(n);
    }
    for (n = 0; n < COMMON; n++) {
        objid_t id = common_id(n);

        CALL(obj_pin, IDARG(id), 0);
        CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW);
    }
}

/* The parameters are in the root of the namespace, which is an empty object otherwise. */
static void read_parameters(void)
{
    user_map(SLOT_TEST, user_system()->names_root, TWZ_READ);
    STORM_SEED = BASE(SLOT_TEST)[0];
    STORM_OPS = BASE(SLOT_TEST)[1];
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK(STORM_OPS != 0);
}

void test_main(void)
{
    uint64_t memory, pool;

    user_handlers();
    read_parameters();
    user_log_value("seed", STORM_SEED);
    storm(); /* fills the kernel's caches */
    memory = fresh_system()->memory_free;
    pool = fresh_system()->pool_free;
    STORM_SEED += 1000;
    storm();
    user_log_value("memory", memory);
    user_log_value("now   ", fresh_system()->memory_free);
    user_log_value("pool  ", pool);
    user_log_value("now   ", fresh_system()->pool_free);
    CHECK(fresh_system()->memory_free + SLACK >= memory);
    CHECK(fresh_system()->pool_free + SLACK >= pool);
    CHECK_IS(BROKEN, 0);
}
