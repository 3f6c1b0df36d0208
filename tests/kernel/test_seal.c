/* SPDX-License-Identifier: MIT */
/*
 * Sealed objects: their IDs, their content, what is refused, their life, sealing on several cores
 * and by threads that are killed. test_tamper.c shows what a
 * changed pool does.
 */
#include "user.h"

#define PAGE   TWZ_PAGE_SIZE
#define RW     (TWZ_READ | TWZ_WRITE)
#define SEALED (TWZ_PERMS & ~TWZ_WRITE)
#define SOURCE SLOT_TEST
#define VIEWED (SLOT_TEST + 1)
#define OTHER  (SLOT_TEST + 2)

static struct twz_stat stat_of(objid_t id)
{
    struct twz_stat stat = { .kind = 99 };

    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    return stat;
}

static bool exists(objid_t id)
{
    struct twz_stat stat;

    return CALL(obj_stat, IDARG(id), SIZED(&stat)) == 0;
}

static uint64_t pool_free(void)
{
    (void)user_memory_free(); /* makes the kernel count */
    return user_system()->pool_free;
}

/* Threads that have ended may still be giving back what they had. */
static void await_pool_free(uint64_t wanted)
{
    for (unsigned i = 0; i < 10000 && pool_free() != wanted; i++)
        (void)user_wait(&SHARED->word[63], 0, user_now() + 10000);
    CHECK_IS(pool_free(), wanted);
}

static void fill(uint32_t slot, uint64_t page, uint64_t seed)
{
    for (uint64_t i = 0; i < PAGE / 8; i++)
        user_page(slot, page)[i] = (seed << 32) + i + 1;
}

/* True: the page has what fill has written. */
static bool is_filled(uint32_t slot, uint64_t page, uint64_t seed)
{
    for (uint64_t i = 0; i < PAGE / 8; i++)
        if (user_page(slot, page)[i] != (seed << 32) + i + 1)
            return false;
    return true;
}

/* An object with one page of content that depends on seed, mapped at SOURCE. */
static objid_t small_source(uint32_t flags, uint32_t perms, uint64_t seed)
{
    objid_t id = user_object(flags, perms, TWZ_KIND_DATA);

    user_map(SOURCE, id, RW);
    fill(SOURCE, 1, seed);
    return id;
}

static objid_t seal(objid_t id)
{
    objid_t sealed = TWZ_OBJID_NONE;

    CHECK_IS(CALL(obj_seal, IDARG(id), &sealed), 0);
    return sealed;
}

static void drop(objid_t id)
{
    CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
}

static const uint64_t places[] = { 1, 2, 300, 40000 };
#define PLACES (sizeof(places) / sizeof(places[0]))

/* Pages in nodes far apart, and a metadata page. Another implementation has computed the ID. */
static const objid_t known_id = { 0x75e866164bd783e9ull, 0x7a1cd22cba5b274dull };

static objid_t known_source(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    volatile uint64_t *meta = user_page(SOURCE, TWZ_PAGE_META);

    user_map(SOURCE, id, RW);
    for (unsigned i = 0; i < PLACES; i++)
        fill(SOURCE, places[i], places[i]);
    *user_page(SOURCE, 3) = 0; /* a page of zeros is as an absent one */
    meta[0] = TWZ_META_MAGIC;
    meta[1] = 8192;
    return id;
}

static void test_known_id(uint32_t flags)
{
    objid_t source = known_source(flags), id = seal(source), again;
    struct twz_stat stat = stat_of(id), tree = stat_of(stat.tree);
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(VIEWED) + TWZ_OBJ_RECORD);

    CHECK_IS(id.lo, known_id.lo);
    CHECK_IS(id.hi, known_id.hi);
    CHECK_IS(stat.flags, TWZ_OBJ_PERSIST | TWZ_OBJ_SEALED);
    CHECK_IS(stat.perms, SEALED);
    CHECK_IS(stat.rights, SEALED);
    CHECK_IS(stat.kind, TWZ_KIND_DATA);
    CHECK_IS(tree.perms, TWZ_READ);
    CHECK_IS(tree.flags, TWZ_OBJ_PERSIST);
    fill(SOURCE, 1, 77); /* the source goes its own way */
    user_map(VIEWED, id, TWZ_READ);
    for (unsigned i = 0; i < PLACES; i++)
        CHECK(is_filled(VIEWED, places[i], places[i]));
    CHECK_IS(user_page(VIEWED, TWZ_PAGE_META)[1], 8192);
    CHECK_IS(*user_page(VIEWED, 3), 0);
    CHECK_IS(*user_page(VIEWED, 100), 0);
    CHECK_IS(*user_page(VIEWED, 20000), 0);
    CHECK(objid_equal(r->id, id) && objid_equal(r->tree, stat.tree));
    CHECK_IS(r->nonce[0] | r->nonce[1], 0);
    again = seal(id);
    CHECK(objid_equal(again, id));
    fill(SOURCE, 1, 1);
    again = seal(source);
    CHECK(objid_equal(again, id));
    CHECK(objid_equal(stat_of(again).tree, stat.tree)); /* found, not made anew */
    user_map(VIEWED, TWZ_OBJID_NONE, 0);
    drop(source);
    drop(id);
    CHECK(!exists(id) && !exists(stat.tree));
}

/* Content, its position, permissions: each makes another ID. */
static void test_ids_differ(void)
{
    objid_t source = small_source(0, TWZ_PERMS, 5), id[5];
    objid_t other = small_source(TWZ_OBJ_PERSIST, RW | TWZ_DEL, 5);

    id[0] = seal(other);
    id[1] = seal(source);
    user_map(SOURCE, source, RW);
    user_page(SOURCE, 1)[511] ^= 1ull << 63;
    id[2] = seal(source);
    user_page(SOURCE, 1)[511] ^= 1ull << 63;
    fill(SOURCE, 2, 5);
    id[3] = seal(source);
    CHECK_IS(user_range(source, TWZ_RANGE_DISCARD, 1, 1), 0);
    id[4] = seal(source);
    for (unsigned i = 0; i < 5; i++)
        for (unsigned k = 0; k < i; k++)
            CHECK(!objid_equal(id[i], id[k]));
    CHECK_IS(stat_of(id[0]).perms, TWZ_READ | TWZ_DEL);
    for (unsigned i = 0; i < 5; i++)
        drop(id[i]);
    drop(source);
    drop(other);
}

static void test_refused_sources(void)
{
    objid_t source = small_source(TWZ_OBJ_PERSIST, TWZ_PERMS, 6), id = TWZ_OBJID_NONE;
    objid_t flat = user_object(TWZ_OBJ_FLAT, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t view = user_object(0, TWZ_PERMS, TWZ_KIND_VIEW);
    objid_t hidden = user_object(0, TWZ_USE | TWZ_DEL, TWZ_KIND_DATA);
    objid_t made;

    CHECK_IS(CALL(obj_seal, IDARG(flat), &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_seal, IDARG(view), &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_seal, IDARG(hidden), &id), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_seal, IDARG(known_id), &id), -TWZ_ENOOBJ);
    user_page(SOURCE, TWZ_PAGE_META)[6] = 1; /* the lock of its extensions */
    CHECK_IS(CALL(obj_seal, IDARG(source), &id), -TWZ_EBUSY);
    user_page(SOURCE, TWZ_PAGE_META)[6] = 0;
    CHECK_IS(user_range(source, TWZ_RANGE_HOLE, 9, 1), 0);
    CHECK_IS(CALL(obj_seal, IDARG(source), &id), -TWZ_EINVAL);
    CHECK_IS(user_range(source, TWZ_RANGE_DISCARD, 9, 1), 0);
    CHECK_IS(CALL(obj_seal, IDARG(source), (objid_t *)8), -TWZ_EFAULT);
    CHECK_IS(id.lo | id.hi, 0);
    made = seal(source);
    drop(made);
    drop(source);
    drop(flat);
    drop(view);
    drop(hidden);
}

/* Nothing writes a sealed object, or its tree. */
static void test_never_written(void)
{
    objid_t source = small_source(0, TWZ_PERMS, 7), id = seal(source);
    objid_t tree = stat_of(id).tree, target[2] = { id, tree };
    struct twz_copy c = { .src = source, .src_off = PAGE, .dst_off = PAGE, .len = PAGE };

    for (unsigned i = 0; i < 2; i++) {
        uint64_t at = TWZ_SLOT_ADDR(VIEWED) + PAGE;

        c.dst = target[i];
        CHECK_IS(CALL(obj_copy, SIZED(&c), 1), -TWZ_EDENIED);
        CHECK_IS(user_range(c.dst, TWZ_RANGE_DISCARD, 1, 1), -TWZ_EDENIED);
        CHECK_IS(user_range(c.dst, TWZ_RANGE_HOLE, 1, 1), -TWZ_EDENIED);
        CHECK_IS(user_range(c.dst, TWZ_RANGE_PROTECT, 1, 1), -TWZ_EDENIED);
        CHECK_IS(user_range(c.dst, TWZ_RANGE_POPULATE, 5, 1), -TWZ_EDENIED);
        CHECK_IS(user_range(c.dst, TWZ_RANGE_PERSIST, 1, 4), 0);
        CHECK_IS(CALL(obj_ctl, IDARG(c.dst), TWZ_CTL_PERMS, 0), -TWZ_EDENIED);
        CHECK_IS(CALL(obj_ctl, IDARG(c.dst), TWZ_CTL_PERSIST, 0), -TWZ_EDENIED);
        CHECK_IS(CALL(obj_ctl, IDARG(c.dst), TWZ_CTL_MODE, 1), -TWZ_EDENIED);
        CHECK_IS(CALL(obj_tie, IDARG(source), IDARG(c.dst), 1), -TWZ_EDENIED);
        user_map(VIEWED, c.dst, RW);
        CHECK_IS(user_load_faults(at), 0);
        CHECK_IS(user_store_faults(at), 1);
        CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PERM);
        CHECK_IS(SHARED->fault.have & TWZ_WRITE, 0);
        user_map(VIEWED, TWZ_OBJID_NONE, 0);
    }
    CHECK_IS(CALL(obj_delete, IDARG(tree), TWZ_DELETE_NOW), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_tie, IDARG(tree), IDARG(source), 0), -TWZ_EDENIED);
    user_map(VIEWED, id, TWZ_READ);
    CHECK(is_filled(VIEWED, 1, 7));
    user_map(VIEWED, TWZ_OBJID_NONE, 0);
    drop(id);
    drop(source);
}

/* A deleted one stays usable where it is mapped, also pages that nothing has touched before. */
static void test_delete_and_seal_again(void)
{
    objid_t source = known_source(0), id = seal(source), tree = stat_of(id).tree, unused;

    user_map(VIEWED, id, TWZ_READ);
    CHECK(is_filled(VIEWED, 1, 1));
    CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_DEFERRED), 0);
    CHECK(!exists(id) && !exists(tree));
    CHECK_IS(CALL(obj_seal, IDARG(source), &unused), -TWZ_EBUSY);
    CHECK(is_filled(VIEWED, 40000, 40000));
    user_map(VIEWED, TWZ_OBJID_NONE, 0);
    CHECK(objid_equal(seal(source), id));
    CHECK(!objid_equal(stat_of(id).tree, tree));
    user_map(VIEWED, id, TWZ_READ);
    CHECK(is_filled(VIEWED, 300, 300));
    drop(id);
    CHECK_IS(user_load_faults(TWZ_SLOT_ADDR(VIEWED) + PAGE), 1);
    user_map(VIEWED, TWZ_OBJID_NONE, 0);
    drop(source);
}

/* A tie's parent takes it along. */
static void test_ties(void)
{
    objid_t parent = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t source = small_source(0, TWZ_PERMS, 8), id = seal(source), tree = stat_of(id).tree;

    CHECK_IS(CALL(obj_tie, IDARG(id), IDARG(parent), 1), 0);
    drop(parent);
    CHECK(!exists(id) && !exists(tree));
    drop(source);
}

/* mov $7, %eax and ret */
static void test_execute(void)
{
    objid_t source = small_source(0, TWZ_PERMS, 9), id;

    *user_page(SOURCE, 1) = 0xc300000007b8ull;
    id = seal(source);
    user_map(VIEWED, id, TWZ_READ | TWZ_EXEC);
    CHECK_IS(user_jump_faults(TWZ_SLOT_ADDR(VIEWED) + PAGE), 0);
    user_map(VIEWED, TWZ_OBJID_NONE, 0);
    drop(id);
    drop(source);
}

/* Pages are verified on their way into other objects, and into the kernel. */
static void test_copies(uint32_t flags)
{
    objid_t source = known_source(0), id = seal(source), made;
    objid_t to = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_copy c = {
        .src = id, .dst = to, .src_off = PAGE, .dst_off = PAGE, .len = (TWZ_PAGE_META - 1) * PAGE
    };
    struct twz_create spec = {
        .flags = flags, .perms = TWZ_PERMS, .source_size = sizeof(c), .nsources = 1
    };

    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), 0);
    user_map(OTHER, to, RW);
    for (unsigned i = 0; i < PLACES; i++)
        CHECK(is_filled(OTHER, places[i], places[i]));
    CHECK_IS(stat_of(to).pages, PLACES + 1);
    fill(OTHER, 2, 99); /* a copy is as writable as any object */
    spec.sources = (uint64_t)(uintptr_t)&c;
    CHECK_IS(user_create(&spec, &made), 0);
    user_map(OTHER, made, RW);
    CHECK(is_filled(OTHER, 2, 2));
    user_map(OTHER, TWZ_OBJID_NONE, 0);
    drop(made);
    drop(to);
    drop(id);
    id = seal(source);
    user_map(VIEWED, id, TWZ_READ);
    CHECK_IS(CALL(log_write, user_page(VIEWED, 100), 0), 0);
    CHECK_IS(CALL(thread_wait, user_page(VIEWED, 300), 1, TWZ_FOREVER, TWZ_SYNC_64), 0);
    CHECK(is_filled(VIEWED, 300, 300));
    user_map(VIEWED, TWZ_OBJID_NONE, 0);
    drop(id);
    drop(source);
}

/* --- several threads -------------------------------------------------------------------------- */

/* word: 0 the start, 2 and 3 the source's ID; of thread n: 20 + n its error, 4 + 2 * n its ID */
static void child_seals(uint64_t n)
{
    objid_t source = { SHARED->word[2], SHARED->word[3] }, id = TWZ_OBJID_NONE;

    while (__atomic_load_n(&SHARED->word[0], __ATOMIC_ACQUIRE) == 0)
        (void)user_wait(&SHARED->word[0], 0, TWZ_FOREVER);
    SHARED->word[20 + n] = (uint64_t)CALL(obj_seal, IDARG(source), &id);
    SHARED->word[4 + 2 * n] = id.lo;
    SHARED->word[5 + 2 * n] = id.hi;
    CALL(thread_exit, 0);
}

#define SEALERS 4u

/* All seal the same content at once: one object, one tree, nothing left over. */
static void test_together(void)
{
    objid_t source = small_source(TWZ_OBJ_PERSIST, TWZ_PERMS, 10), id;
    uint64_t free_before;

    fill(SOURCE, 2, 10);
    drop(seal(source)); /* the words of the source are SHARED from here on */
    free_before = pool_free();
    SHARED->word[0] = 0;
    SHARED->word[2] = source.lo;
    SHARED->word[3] = source.hi;
    for (unsigned n = 0; n < SEALERS; n++)
        (void)user_thread(n, child_seals, n);
    __atomic_store_n(&SHARED->word[0], 1, __ATOMIC_RELEASE);
    (void)user_wake(&SHARED->word[0], SEALERS);
    for (unsigned n = 0; n < SEALERS; n++)
        CHECK_IS(user_join(n), 0);
    id.lo = SHARED->word[4];
    id.hi = SHARED->word[5];
    for (unsigned n = 0; n < SEALERS; n++) {
        CHECK_IS(SHARED->word[20 + n], 0);
        CHECK_IS(SHARED->word[4 + 2 * n], id.lo);
        CHECK_IS(SHARED->word[5 + 2 * n], id.hi);
    }
    drop(id);
    CHECK(!exists(id));
    await_pool_free(free_before);
    drop(source);
}

#define KILLS 12u

/* Threads die in all phases of the call. All the call had made is freed. */
static void test_killed(void)
{
    objid_t source = small_source(TWZ_OBJ_PERSIST, TWZ_PERMS, 11), id;
    uint64_t free_before;

    for (uint64_t page = 2; page < 20; page++)
        fill(SOURCE, page, page);
    id = seal(source);
    drop(id);
    free_before = pool_free();
    SHARED->word[0] = 1;
    SHARED->word[2] = source.lo;
    SHARED->word[3] = source.hi;
    for (unsigned n = 0; n < KILLS; n++) {
        objid_t child = user_thread(0, child_seals, 0);

        (void)user_wait(&SHARED->word[63], 0, user_now() + 60000 * n);
        (void)CALL(thread_signal, IDARG(child), TWZ_SIGNAL_KILL, 0);
        (void)user_join(0);
        if (exists(id))
            drop(id);
        await_pool_free(free_before);
    }
    CHECK(objid_equal(seal(source), id));
    drop(id);
    drop(source);
}

void test_main(void)
{
    user_handlers();
    test_known_id(0);
    test_known_id(TWZ_OBJ_PERSIST);
    test_ids_differ();
    test_refused_sources();
    test_never_written();
    test_delete_and_seal_again();
    test_ties();
    test_execute();
    test_copies(0);
    test_copies(TWZ_OBJ_PERSIST);
    test_together();
    test_killed();
}
