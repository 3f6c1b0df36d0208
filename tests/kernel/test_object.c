/* SPDX-License-Identifier: MIT */
/* Objects: birth, death, ties, ranges, copies, rights, what stat and the record tell. */
#include "user.h"

#define PAGE TWZ_PAGE_SIZE
#define RW   (TWZ_READ | TWZ_WRITE)

static struct twz_stat stat_of(objid_t id)
{
    struct twz_stat stat = { .kind = 99 };

    CHECK_IS(CALL(obj_stat, IDARG(id), &stat), 0);
    return stat;
}

static const volatile struct twz_system *facts(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_RECORD);

    stat_of(r->id);
    return (const volatile struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
}

static long range(objid_t id, uint64_t op, uint64_t page, uint64_t pages)
{
    return CALL(obj_range, IDARG(id), op, page * PAGE, pages * PAGE);
}

static long copy(objid_t dst, uint64_t dst_page, objid_t src, uint64_t src_page, uint64_t pages)
{
    struct twz_copy c = { .src = src,
                          .dst = dst,
                          .src_off = src_page * PAGE,
                          .dst_off = dst_page * PAGE,
                          .len = pages * PAGE };

    return CALL(obj_copy, &c, 1);
}

static volatile uint64_t *page_at(uint32_t slot, uint64_t page)
{
    return (volatile uint64_t *)(TWZ_SLOT_ADDR(slot) + page * PAGE);
}

static void test_birth(uint32_t flags)
{
    objid_t a = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t b = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_stat stat = stat_of(a);
    const struct twz_record *r;

    CHECK(a.lo != b.lo && a.hi != b.hi);
    CHECK_IS(stat.id.lo, a.lo);
    CHECK_IS(stat.kind, TWZ_KIND_DATA);
    CHECK_IS(stat.flags, flags);
    CHECK_IS(stat.perms, TWZ_PERMS);
    CHECK_IS(stat.pages, 0);
    user_map(SLOT_TEST, a, RW);
    r = (const struct twz_record *)(TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_RECORD);
    CHECK_IS(r->magic, TWZ_RECORD_MAGIC);
    CHECK_IS(r->id.hi, a.hi);
    CHECK_IS(r->perms, TWZ_PERMS);
    CHECK(r->nonce[0] != 0);
    CHECK_IS(*BASE(SLOT_TEST), 0);
    *BASE(SLOT_TEST) = 3;
    CHECK_IS(*BASE(SLOT_TEST), 3);
    *page_at(SLOT_TEST, TWZ_PAGE_META) = TWZ_META_MAGIC;
    *page_at(SLOT_TEST, 200000) = 9;
    CHECK_IS(stat_of(a).pages, 3);
    CHECK_IS(stat_of(a).uses, 1);
    CHECK_IS(CALL(obj_delete, IDARG(b), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(b), &stat), -TWZ_ENOOBJ);
    CHECK_IS(CALL(obj_delete, IDARG(a), TWZ_DELETE_DEFERRED), 0);
    CHECK_IS(CALL(obj_stat, IDARG(a), &stat), -TWZ_EDELETED);
    CHECK_IS(*BASE(SLOT_TEST), 3);
    CHECK_IS(user_store_faults((uint64_t)(uintptr_t)page_at(SLOT_TEST, 7)), 0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_stat, IDARG(a), &stat), -TWZ_ENOOBJ);
}

static void test_create_refused(void)
{
    struct twz_create spec = { .perms = 0x20 };
    objid_t id;

    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.perms = TWZ_PERMS;
    spec.flags = 0x80;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.flags = TWZ_OBJ_SEALED;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.flags = 0;
    spec.kind = TWZ_KIND_ROOT;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.kind = 1000;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.kind = 0;
    spec.persist = 3;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.persist = 0;
    spec.flags = TWZ_OBJ_PROVISIONAL;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.witness = (objid_t){ 4, 5 };
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_ENOOBJ);
    spec.flags = 0;
    spec.tie = (objid_t){ 4, 5 };
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_ENOOBJ);
    spec.tie = TWZ_OBJID_NONE;
    spec.nsources = 1000;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EINVAL);
    spec.nsources = 1;
    spec.sources = 0;
    CHECK_IS(CALL(obj_create, &spec, &id), -TWZ_EFAULT);
    CHECK_IS(CALL(obj_create, 0, &id), -TWZ_EFAULT);
    spec.nsources = 0;
    CHECK_IS(CALL(obj_create, &spec, 8), -TWZ_EFAULT);
}

/* Copies between the two sorts, in each pairing, leave both sides with pages of their own. */
static void test_copy(uint32_t from, uint32_t to)
{
    objid_t src = user_object(from, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t dst = user_object(to, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t i;

    user_map(SLOT_TEST, src, RW);
    user_map(SLOT_TEST + 1, dst, RW);
    for (i = 0; i < 600; i += 3)
        *page_at(SLOT_TEST, 1 + i) = 1000 + i;
    CHECK_IS(range(src, TWZ_RANGE_HOLE, 2, 1), 0);
    *page_at(SLOT_TEST + 1, 2) = 5; /* to be dropped */
    *page_at(SLOT_TEST + 1, 10) = 6;
    CHECK_IS(copy(dst, 10, src, 1, 600), 0);
    CHECK_IS(*page_at(SLOT_TEST + 1, 2), 5);
    for (i = 0; i < 600; i += 50)
        CHECK_IS(*page_at(SLOT_TEST + 1, 10 + i), i % 3 == 0 ? 1000 + i : 0);
    CHECK_IS(user_load_faults((uint64_t)(uintptr_t)page_at(SLOT_TEST + 1, 11)), 1); /* the hole */
    *page_at(SLOT_TEST, 1) = 1;
    CHECK_IS(*page_at(SLOT_TEST + 1, 10), 1000);
    *page_at(SLOT_TEST + 1, 13) = 2;
    CHECK_IS(*page_at(SLOT_TEST, 4), 1003);
    CHECK_IS(*page_at(SLOT_TEST, 1), 1);
    CHECK_IS(CALL(obj_delete, IDARG(src), TWZ_DELETE_NOW), 0);
    CHECK_IS(*page_at(SLOT_TEST + 1, 10 + 597), 1000 + 597);
    CHECK_IS(user_load_faults(TWZ_SLOT_ADDR(SLOT_TEST) + PAGE), 1);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(dst), TWZ_DELETE_NOW), 0);
}

/* A source that is being written when it is shared: what comes later is not in the copy. */
static void test_copy_of_warm_pages(void)
{
    objid_t src = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), dst;
    uint64_t round;

    user_map(SLOT_TEST, src, RW);
    *page_at(SLOT_TEST, 1) = 1;
    for (round = 0; round < 20; round++) {
        dst = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
        *page_at(SLOT_TEST, 1) = 2 * round;
        CHECK_IS(copy(dst, 1, src, 1, 1), 0);
        *page_at(SLOT_TEST, 1) = 2 * round + 1;
        user_map(SLOT_TEST + 1, dst, TWZ_READ);
        CHECK_IS(*page_at(SLOT_TEST + 1, 1), 2 * round);
        CHECK_IS(*page_at(SLOT_TEST, 1), 2 * round + 1);
        user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_delete, IDARG(dst), 0), 0);
    }
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(src), 0), 0);
}

/* One page, copied into 65536 more: more than can hold one frame. A store stays in its page. */
static void test_copy_many(void)
{
    objid_t src = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t dst = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t pool, pages;

    user_map(SLOT_TEST, src, RW);
    user_map(SLOT_TEST + 1, dst, RW);
    *page_at(SLOT_TEST, 1000) = 7;
    for (pages = 1; pages < 256; pages *= 2) {
        CHECK_IS(copy(dst, 2000, src, 1000, pages), 0);
        CHECK_IS(copy(src, 1000 + pages, dst, 2000, pages), 0);
    }
    for (pages = 0; pages < 65536; pages += 256)
        CHECK_IS(copy(dst, 2000 + pages, src, 1000, 256), 0);
    *page_at(SLOT_TEST, 1001) = 8;
    *page_at(SLOT_TEST + 1, 2000 + 40000) = 9;
    CHECK_IS(*page_at(SLOT_TEST, 1000), 7);
    for (pages = 0; pages < 65536; pages += 250)
        CHECK_IS(*page_at(SLOT_TEST + 1, 2000 + pages), pages == 40000 ? 9 : 7);
    CHECK_IS(range(dst, TWZ_RANGE_DISCARD, 2000, 40000), 0);
    pool = facts()->pool_free;
    *page_at(SLOT_TEST, 500) = 10; /* not the frame of those pages */
    CHECK(facts()->pool_free < pool);
    CHECK_IS(*page_at(SLOT_TEST, 1000), 7);
    CHECK_IS(*page_at(SLOT_TEST + 1, 2000 + 40001), 7);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(src), TWZ_DELETE_NOW), 0);
    CHECK_IS(CALL(obj_delete, IDARG(dst), TWZ_DELETE_NOW), 0);
}

static void test_copy_refused(void)
{
    objid_t a = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t read = user_object(0, TWZ_READ | TWZ_DEL, TWZ_KIND_DATA);
    objid_t write = user_object(0, TWZ_WRITE | TWZ_DEL, TWZ_KIND_DATA);
    objid_t thread = user_object(0, TWZ_PERMS, TWZ_KIND_THREAD);
    struct twz_copy c = { .src = a, .dst = write, .src_off = 1, .dst_off = PAGE, .len = PAGE };

    CHECK_IS(CALL(obj_copy, &c, 1), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_copy, &c, 100), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_copy, 8, 1), -TWZ_EFAULT);
    CHECK_IS(copy(a, 1, write, 1, 1), -TWZ_EDENIED);
    CHECK_IS(copy(read, 1, a, 1, 1), -TWZ_EDENIED);
    CHECK_IS(copy(write, 1, read, 1, 1), 0);
    CHECK_IS(copy(a, 1, a, 2, 1), -TWZ_EINVAL);
    CHECK_IS(copy(write, 0, a, 1, 1), -TWZ_ERANGE);
    CHECK_IS(copy(write, 1, a, TWZ_PAGE_META, 2), -TWZ_ERANGE);
    CHECK_IS(copy(write, TWZ_PAGE_RECORD, a, 1, 1), -TWZ_ERANGE);
    CHECK_IS(copy(write, 1, a, 1, TWZ_OBJ_PAGES), -TWZ_ERANGE);
    CHECK_IS(copy(thread, 1, a, 1, 1), -TWZ_EINVAL);
    CHECK_IS(copy(a, 1, thread, 2, 1), -TWZ_EINVAL);
    CHECK_IS(copy(a, 1, (objid_t){ 1, 2 }, 1, 1), -TWZ_ENOOBJ);
}

/* create from two sources at once */
static void test_create_from(void)
{
    objid_t a = user_object(0, TWZ_PERMS, TWZ_KIND_DATA),
            b = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_copy from[2] = {
        { .src = a, .src_off = PAGE, .dst_off = PAGE, .len = PAGE },
        { .src = b, .src_off = PAGE, .dst_off = 5 * PAGE, .len = 700 * PAGE }
    };
    struct twz_create spec = { .perms = TWZ_PERMS, .nsources = 2 };
    objid_t id;

    user_map(SLOT_TEST, a, RW);
    user_map(SLOT_TEST + 1, b, RW);
    *page_at(SLOT_TEST, 1) = 11;
    *page_at(SLOT_TEST + 1, 1) = 22;
    *page_at(SLOT_TEST + 1, 700) = 33;
    spec.sources = (uint64_t)(uintptr_t)from;
    CHECK_IS(CALL(obj_create, &spec, &id), 0);
    user_map(SLOT_TEST, id, RW);
    CHECK_IS(*page_at(SLOT_TEST, 1), 11);
    CHECK_IS(*page_at(SLOT_TEST, 5), 22);
    CHECK_IS(*page_at(SLOT_TEST, 704), 33);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
}

static void test_ranges(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t hole = TWZ_SLOT_ADDR(SLOT_TEST) + 20 * PAGE;

    user_map(SLOT_TEST, id, RW);
    CHECK_IS(range(id, TWZ_RANGE_POPULATE, 1, 700), 0);
    CHECK_IS(stat_of(id).pages, 700);
    *page_at(SLOT_TEST, 700) = 1;
    CHECK_IS(range(id, TWZ_RANGE_DISCARD, 1, 699), 0);
    CHECK_IS(stat_of(id).pages, 1);
    CHECK_IS(*page_at(SLOT_TEST, 700), 1);
    CHECK_IS(*page_at(SLOT_TEST, 5), 0);
    *page_at(SLOT_TEST, 5) = 4;
    CHECK_IS(*page_at(SLOT_TEST, 5), 4);
    CHECK_IS(range(id, TWZ_RANGE_PERSIST, 1, TWZ_PAGE_META), 0);
    CHECK_IS(range(id, TWZ_RANGE_HOLE, 20, 2), 0);
    CHECK_IS(user_load_faults(hole), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PAGE);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_HOLE);
    CHECK_IS(user_store_faults(hole), 1);
    CHECK_IS(range(id, TWZ_RANGE_PROTECT, 5, 1), 0);
    CHECK_IS(user_store_faults(TWZ_SLOT_ADDR(SLOT_TEST) + 5 * PAGE), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PERM);
    CHECK_IS(*page_at(SLOT_TEST, 5), 4);
    CHECK_IS(range(id, TWZ_RANGE_DISCARD, 1, TWZ_PAGE_META), 0);
    CHECK_IS(stat_of(id).pages, 0);
    CHECK_IS(range(id, TWZ_RANGE_DISCARD, 0, 1), -TWZ_ERANGE);
    CHECK_IS(range(id, TWZ_RANGE_DISCARD, 1, TWZ_OBJ_PAGES - 1), -TWZ_ERANGE);
    CHECK_IS(range(id, TWZ_RANGE_DISCARD, TWZ_OBJ_PAGES, 1), -TWZ_ERANGE);
    CHECK_IS(range(id, 9, 1, 1), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_range, IDARG(id), 0, 5, 4096), -TWZ_EINVAL);
    CHECK_IS(range(user_self(), TWZ_RANGE_DISCARD, 1, 1), -TWZ_EINVAL);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

static void test_ties(void)
{
    objid_t chain[40], parent = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_stat stat;
    unsigned i;

    chain[0] = parent;
    for (i = 1; i < 40; i++) {
        chain[i] = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
        CHECK_IS(CALL(obj_tie, IDARG(chain[i]), IDARG(chain[i - 1]), 1), 0);
    }
    CHECK_IS(CALL(obj_tie, IDARG(parent), IDARG(chain[39]), 1), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_tie, IDARG(chain[20]), 0, 0, 0), 0);
    CHECK_IS(CALL(obj_delete, IDARG(parent), 0), 0);
    for (i = 0; i < 20; i++)
        CHECK_IS(CALL(obj_stat, IDARG(chain[i]), &stat), -TWZ_ENOOBJ);
    for (i = 20; i < 40; i++)
        CHECK_IS(CALL(obj_stat, IDARG(chain[i]), &stat), 0);
    CHECK_IS(CALL(obj_delete, IDARG(chain[20]), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(chain[39]), &stat), -TWZ_ENOOBJ);
}

static void test_persistent_ties(void)
{
    objid_t parent = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t plain = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .tie = parent };
    struct twz_stat stat;
    objid_t child, guest;

    CHECK_IS(CALL(obj_create, &spec, &child), 0);
    spec.flags = 0;
    CHECK_IS(CALL(obj_create, &spec, &guest), 0);
    CHECK_IS(CALL(obj_tie, IDARG(child), IDARG(plain), 1), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_delete, IDARG(parent), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(child), &stat), -TWZ_ENOOBJ);
    CHECK_IS(CALL(obj_stat, IDARG(guest), &stat), -TWZ_ENOOBJ);
    CHECK_IS(CALL(obj_delete, IDARG(plain), 0), 0);
}

/* More children than one list takes: all die, and their space comes back. */
static void test_many_ties(void)
{
    objid_t parent = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .tie = parent };
    uint64_t before = facts()->pool_free, i;
    objid_t child = TWZ_OBJID_NONE;
    struct twz_stat stat;

    for (i = 0; i < 300; i++) {
        CHECK_IS(CALL(obj_create, &spec, &child), 0);
        CHECK_IS(range(child, TWZ_RANGE_POPULATE, 1, 2), 0);
    }
    CHECK(facts()->pool_free + 600 * PAGE <= before);
    CHECK_IS(CALL(obj_delete, IDARG(parent), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(child), &stat), -TWZ_ENOOBJ);
    CHECK(facts()->pool_free + 48 * PAGE >= before); /* the object table stays larger */
}

/* A pin does not outlive the parent that its object dies with. */
static void test_pinned_child(void)
{
    objid_t parent = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA), child;
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .tie = parent };
    uint64_t before = facts()->pool_free;

    CHECK_IS(user_create(&spec, &child), 0);
    CHECK_IS(range(child, TWZ_RANGE_POPULATE, 1, 100), 0);
    CHECK_IS(CALL(obj_pin, IDARG(child), 1), 0);
    CHECK_IS(CALL(obj_delete, IDARG(parent), 0), 0);
    CHECK(facts()->pool_free + 16 * PAGE >= before);
}

static void test_provisional(void)
{
    objid_t holder = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
                               .perms = TWZ_PERMS,
                               .witness = holder,
                               .witness_off = TWZ_OBJ_BASE };
    objid_t id;

    CHECK_IS(CALL(obj_create, &spec, &id), 0);
    CHECK_IS(stat_of(id).flags, TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMANENT, 0), 0);
    CHECK_IS(stat_of(id).flags, TWZ_OBJ_PERSIST);
    CHECK_IS(CALL(obj_ctl, IDARG(holder), TWZ_CTL_MODE, TWZ_PERSIST_RELEASE), 0);
    CHECK_IS(stat_of(holder).persist, TWZ_PERSIST_RELEASE);
    CHECK_IS(CALL(obj_ctl, IDARG(holder), TWZ_CTL_MODE, 7), -TWZ_EINVAL);
    spec.witness = user_object(TWZ_OBJ_PERSIST, TWZ_WRITE | TWZ_DEL, TWZ_KIND_DATA);
    CHECK_IS(user_create(&spec, &id), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_delete, IDARG(spec.witness), 0), 0);
}

static void test_rights(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t child = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_stat stat;
    unsigned i;

    user_map(SLOT_TEST, id, RW);
    *BASE(SLOT_TEST) = 1;
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, TWZ_READ | TWZ_USE), 0);
    CHECK_IS(user_store_faults((uint64_t)(uintptr_t)BASE(SLOT_TEST)), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PERM);
    CHECK_IS(user_load_faults((uint64_t)(uintptr_t)BASE(SLOT_TEST)), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, TWZ_PERMS), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), -TWZ_EDENIED);
    CHECK_IS(range(id, TWZ_RANGE_DISCARD, 1, 1), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_tie, IDARG(id), 0, 0, 0), -TWZ_EDENIED);
    /* A refusal drops no reference but its own. */
    for (i = 0; i < 4; i++)
        CHECK_IS(CALL(obj_tie, IDARG(child), IDARG(id), 1), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_delete, IDARG(child), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(id), &stat), 0);
    CHECK_IS(stat.perms, TWZ_READ | TWZ_USE);
    CHECK_IS(CALL(obj_stat, IDARG(id), 0xffffffff80000000ull), -TWZ_EFAULT);
    CHECK_IS(CALL(obj_stat, IDARG(id), TWZ_SLOT_ADDR(TWZ_SLOT_TEXT) + TWZ_OBJ_BASE), -TWZ_EFAULT);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

/* What hangs with no more than the new permissions stays: or readers that come back at once would
 * keep the call from its end. */
static void test_narrow_spares_readers(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(SLOT_TEST, id, RW);
    user_map(SLOT_TEST + 1, id, TWZ_READ);
    *BASE(SLOT_TEST) = 3;
    CHECK_IS(*BASE(SLOT_TEST + 1), 3);
    CHECK_IS(stat_of(id).uses, 2);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, TWZ_READ | TWZ_DEL), 0);
    CHECK_IS(stat_of(id).uses, 1);
    CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
    CHECK_IS(user_load_faults((uint64_t)(uintptr_t)BASE(SLOT_TEST + 1)), 1);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
}

static long move(objid_t id, uint64_t persistent)
{
    return CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, persistent);
}

/* The object becomes persistent and volatile again, and stays the same to who uses it. */
static void test_move(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA), twin;
    uint64_t there = flags != 0 ? 0 : 1, round, i;

    user_map(SLOT_TEST, id, RW);
    for (i = 1; i < 200; i += 2)
        *page_at(SLOT_TEST, i) = 7000 + i;
    *page_at(SLOT_TEST, 100000) = 5;
    CHECK_IS(range(id, TWZ_RANGE_HOLE, 20, 2), 0);
    CHECK_IS(range(id, TWZ_RANGE_PROTECT, 31, 1), 0);
    twin = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    CHECK_IS(copy(twin, 1, id, 1, 100), 0);
    for (round = 0; round < 4; round++, there ^= 1) {
        CHECK_IS(move(id, there), 0);
        CHECK_IS(stat_of(id).flags, there != 0 ? TWZ_OBJ_PERSIST : 0);
        CHECK(stat_of(id).pages >= 100 && stat_of(id).pages < 112); /* reads may have added some */
        for (i = 1; i < 200; i += 11)
            CHECK_IS(i == 20 ? 0 : *page_at(SLOT_TEST, i),
                     i % 2 == 0 ? 0 : 7000 + i + (i == 1) * round);
        CHECK_IS(*page_at(SLOT_TEST, 100000), 5 + round);
        CHECK_IS(user_load_faults(TWZ_SLOT_ADDR(SLOT_TEST) + 20 * PAGE), 1);
        CHECK_IS(user_store_faults(TWZ_SLOT_ADDR(SLOT_TEST) + 31 * PAGE), 1);
        *page_at(SLOT_TEST, 1) += 1;
        *page_at(SLOT_TEST, 100000) += 1;
    }
    user_map(SLOT_TEST + 1, twin, TWZ_READ);
    CHECK_IS(*page_at(SLOT_TEST + 1, 1), 7001);
    CHECK_IS(CALL(obj_delete, IDARG(twin), 0), 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 2), -TWZ_ENOOBJ);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
}

#define COUNTERS 80u

static void child_counts(uint64_t rounds)
{
    uint64_t n, i;

    for (n = 0; n < rounds; n++)
        for (i = 1; i <= COUNTERS; i++)
            __atomic_fetch_add(page_at(SLOT_TEST, i), 1, __ATOMIC_RELAXED);
    __atomic_store_n(&SHARED->word[0], 1, __ATOMIC_RELEASE);
}

/* No store of another thread is lost on the way. */
static void test_move_under_way(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t there = 1, moves = 0, i;

    SHARED->word[0] = 0;
    user_map(SLOT_TEST, id, RW);
    user_thread(0, child_counts, 400);
    while (__atomic_load_n(&SHARED->word[0], __ATOMIC_ACQUIRE) == 0 || moves < 4) {
        CHECK_IS(move(id, there), 0);
        there ^= 1;
        moves++;
        CALL(thread_ctl, 0, 0, TWZ_THREAD_YIELD, 0);
    }
    CHECK_IS(user_join(0), 0);
    for (i = 1; i <= COUNTERS; i++)
        CHECK_IS(*page_at(SLOT_TEST, i), 400);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

/* Flushes unasked go on beside the program, and change nothing it sees. */
static void test_modes(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .flags = TWZ_OBJ_PERSIST };
    objid_t id[3];
    uint64_t i, start;

    for (i = 0; i < 3; i++) {
        spec.persist = (uint32_t)i;
        CHECK_IS(CALL(obj_create, &spec, &id[i]), 0);
        user_map(SLOT_TEST + (uint32_t)i, id[i], RW);
    }
    start = user_now();
    while (user_now() < start + 1200000000ull)
        for (i = 0; i < 3; i++)
            *page_at(SLOT_TEST + (uint32_t)i, 1 + user_now() % 300) = i;
    for (i = 0; i < 3; i++) {
        *page_at(SLOT_TEST + (uint32_t)i, 5) = 50 + i;
        user_map(SLOT_TEST + (uint32_t)i, TWZ_OBJID_NONE, 0);
        user_map(SLOT_TEST, id[i], TWZ_READ);
        CHECK_IS(*page_at(SLOT_TEST, 5), 50 + i);
        user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_delete, IDARG(id[i]), 0), 0);
    }
}

static void test_pin(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_stat stat;

    CHECK_IS(CALL(obj_pin, IDARG(id), 1), 0);
    CHECK_IS(CALL(obj_pin, IDARG(id), 1), 0);
    CHECK_IS(stat_of(id).flags, TWZ_OBJ_PINNED);
    CHECK_IS(CALL(obj_pin, IDARG(id), 0), 0);
    CHECK_IS(stat_of(id).flags, 0);
    CHECK_IS(CALL(obj_pin, IDARG(id), 1), 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(id), &stat), -TWZ_ENOOBJ);
}

static void test_kso(void)
{
    const struct twz_system *s =
        (const struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
    objid_t dir = user_object(0, TWZ_PERMS, TWZ_KIND_DIR);
    objid_t data = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    const struct twz_kso_dir *d;
    long at;

    user_map(SLOT_TEST, s->kso_root, TWZ_READ);
    d = (const struct twz_kso_dir *)(TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE);
    CHECK_IS(d->magic, TWZ_KSO_MAGIC);
    CHECK_IS(d->kind, TWZ_KIND_ROOT);
    CHECK(d->count >= 1);
    CHECK_IS(d->child[0].kind, TWZ_KIND_SYSTEM);
    at = CALL(kso_attach, IDARG(s->kso_root), IDARG(dir), ~0ull);
    CHECK(at > 0);
    CHECK_IS(d->child[at].id.lo, dir.lo);
    CHECK_IS(CALL(kso_attach, IDARG(s->kso_root), IDARG(dir), (uint64_t)at), -TWZ_EEXIST);
    CHECK_IS(CALL(kso_detach, IDARG(s->kso_root), IDARG(data), (uint64_t)at), -TWZ_ENOOBJ);
    CHECK_IS(CALL(kso_detach, IDARG(s->kso_root), IDARG(dir), ~0ull), at);
    CHECK_IS(d->child[at].kind, 0);
    CHECK_IS(CALL(kso_attach, IDARG(data), IDARG(dir), ~0ull), -TWZ_ETYPE);
    CHECK_IS(CALL(kso_attach, IDARG(dir), IDARG(data), 1ull << 40), -TWZ_ERANGE);
    CHECK_IS(CALL(kso_invalidate, IDARG(data), 0, 1), -TWZ_ETYPE);
    CHECK_IS(CALL(kso_invalidate, IDARG(user_view()), TWZ_SLOTS, 1), -TWZ_ERANGE);
    CHECK_IS(CALL(kso_invalidate, IDARG(user_view()), 5000, ~0ull), -TWZ_ERANGE);
    CHECK_IS(CALL(dev_ctl, IDARG(data), 0, 0), -TWZ_ETYPE);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

static void test_misc(void)
{
    uint8_t bytes[64] = { 0 };
    unsigned i, set = 0;

    CHECK_IS(CALL(random, bytes, 64), 64);
    for (i = 0; i < 64; i++)
        set += bytes[i] != 0;
    CHECK(set > 32);
    CHECK_IS(CALL(random, 0xffff800000000000ull, 64), -TWZ_EFAULT);
    CHECK_IS(CALL(log_write, 0xffff800000000000ull, 64), -TWZ_EFAULT);
    CHECK_IS(CALL(shutdown, 9), -TWZ_EINVAL);
}

/* Memory and pool come back: many objects, made and deleted, leave as much as there was. */
static void churn(uint32_t flags)
{
    uint64_t memory = facts()->memory_free, pool = facts()->pool_free;
    unsigned i;

    for (i = 0; i < 300; i++) {
        objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
        uint64_t page;

        user_map(SLOT_TEST, id, RW);
        for (page = 1; page < 64; page++)
            *page_at(SLOT_TEST, page) = page;
        user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    }
    CHECK(facts()->memory_free + 16 * PAGE >= memory);
    CHECK(facts()->pool_free + 16 * PAGE >= pool);
}

void test_main(void)
{
    user_handlers();
    test_birth(0);
    test_birth(TWZ_OBJ_PERSIST);
    test_create_refused();
    test_copy(0, 0);
    test_copy(TWZ_OBJ_PERSIST, 0);
    test_copy(0, TWZ_OBJ_PERSIST);
    test_copy(TWZ_OBJ_PERSIST, TWZ_OBJ_PERSIST);
    test_copy_of_warm_pages();
    test_copy_many();
    test_copy_refused();
    test_create_from();
    test_ranges(0);
    test_ranges(TWZ_OBJ_PERSIST);
    test_ties();
    test_persistent_ties();
    test_many_ties();
    test_pinned_child();
    test_provisional();
    test_rights(0);
    test_rights(TWZ_OBJ_PERSIST);
    test_narrow_spares_readers();
    test_move(0);
    test_move(TWZ_OBJ_PERSIST);
    test_move_under_way();
    test_modes();
    test_pin();
    test_kso();
    test_misc();
    churn(0);
    churn(TWZ_OBJ_PERSIST);
    churn(0);
    churn(TWZ_OBJ_PERSIST);
}
