/* SPDX-License-Identifier: MIT */
/* Objects: create, delete, ties, ranges, copies, rights, migration, stat and the record. */
#include "user.h"

#define PAGE TWZ_PAGE_SIZE
#define RW   (TWZ_READ | TWZ_WRITE)

static struct twz_stat stat_of(objid_t id)
{
    struct twz_stat stat = { .kind = 99 };

    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    return stat;
}

/* The system page; obj_stat makes the kernel update it. */
static const volatile struct twz_system *fresh_system(void)
{
    const struct twz_record *r =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_RECORD);

    stat_of(r->id);
    return user_system();
}

static long copy_pages(objid_t dst, uint64_t dst_page, objid_t src, uint64_t src_page,
                       uint64_t pages)
{
    struct twz_copy c = { .src = src,
                          .dst = dst,
                          .src_off = src_page * PAGE,
                          .dst_off = dst_page * PAGE,
                          .len = pages * PAGE };

    return CALL(obj_copy, SIZED(&c), 1);
}

/* The life of an object: what stat and the record contain, and both kinds of delete. */
static void test_create_stat_delete(uint32_t flags)
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
    *user_page(SLOT_TEST, TWZ_PAGE_META) = TWZ_META_MAGIC;
    *user_page(SLOT_TEST, 200000) = 9;
    CHECK_IS(stat_of(a).pages, 3);
    CHECK_IS(stat_of(a).uses, 1);
    CHECK_IS(CALL(obj_delete, IDARG(b), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(b), SIZED(&stat)), -TWZ_ENOOBJ);
    CHECK_IS(CALL(obj_delete, IDARG(a), TWZ_DELETE_DEFERRED), 0);
    CHECK_IS(CALL(obj_stat, IDARG(a), SIZED(&stat)), -TWZ_EDELETED);
    CHECK_IS(*BASE(SLOT_TEST), 3);
    CHECK_IS(user_store_faults((uint64_t)(uintptr_t)user_page(SLOT_TEST, 7)), 0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_stat, IDARG(a), SIZED(&stat)), -TWZ_ENOOBJ);
}

/* Each argument is wrong in turn. */
static void test_create_rejects_bad_arguments(void)
{
    struct twz_create spec = { .perms = 0x20 };
    objid_t id;

    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.perms = TWZ_PERMS;
    spec.flags = 0x80;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.flags = TWZ_OBJ_SEALED;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.flags = 0;
    spec.kind = TWZ_KIND_ROOT;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.kind = 1000;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.kind = 0;
    spec.persist = 3;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.persist = 0;
    spec.flags = TWZ_OBJ_PROVISIONAL;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.witness = (objid_t){ 4, 5 };
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_ENOOBJ);
    spec.flags = 0;
    spec.tie = (objid_t){ 4, 5 };
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_ENOOBJ);
    spec.tie = TWZ_OBJID_NONE;
    spec.nsources = 1000;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    spec.nsources = 1;
    spec.source_size = sizeof(struct twz_copy);
    spec.sources = 0;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EFAULT);
    CHECK_IS(CALL(obj_create, 0, sizeof(spec), &id), -TWZ_EFAULT);
    spec.nsources = 0;
    CHECK_IS(CALL(obj_create, SIZED(&spec), 8), -TWZ_EFAULT);
}

/* Copies between persistent and volatile objects, in each pairing: a store to one is not seen in
 * the other. */
static void test_copies_are_independent(uint32_t from, uint32_t to)
{
    objid_t src = user_object(from, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t dst = user_object(to, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t i;

    user_map(SLOT_TEST, src, RW);
    user_map(SLOT_TEST + 1, dst, RW);
    for (i = 0; i < 600; i += 3)
        *user_page(SLOT_TEST, 1 + i) = 1000 + i;
    CHECK_IS(user_range(src, TWZ_RANGE_HOLE, 2, 1), 0);
    *user_page(SLOT_TEST + 1, 2) = 5; /* the copy must not touch it */
    *user_page(SLOT_TEST + 1, 10) = 6;
    CHECK_IS(copy_pages(dst, 10, src, 1, 600), 0);
    CHECK_IS(*user_page(SLOT_TEST + 1, 2), 5);
    for (i = 0; i < 600; i += 50)
        CHECK_IS(*user_page(SLOT_TEST + 1, 10 + i), i % 3 == 0 ? 1000 + i : 0);
    CHECK_IS(user_load_faults((uint64_t)(uintptr_t)user_page(SLOT_TEST + 1, 11)), 1); /* the hole */
    *user_page(SLOT_TEST, 1) = 1;
    CHECK_IS(*user_page(SLOT_TEST + 1, 10), 1000);
    *user_page(SLOT_TEST + 1, 13) = 2;
    CHECK_IS(*user_page(SLOT_TEST, 4), 1003);
    CHECK_IS(*user_page(SLOT_TEST, 1), 1);
    CHECK_IS(CALL(obj_delete, IDARG(src), TWZ_DELETE_NOW), 0);
    CHECK_IS(*user_page(SLOT_TEST + 1, 10 + 597), 1000 + 597);
    CHECK_IS(user_load_faults(TWZ_SLOT_ADDR(SLOT_TEST) + PAGE), 1);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(dst), TWZ_DELETE_NOW), 0);
}

/* The source is written just before and after the copy: the copy has the first store only. */
static void test_copy_excludes_later_stores(void)
{
    objid_t src = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), dst;
    uint64_t round;

    user_map(SLOT_TEST, src, RW);
    *user_page(SLOT_TEST, 1) = 1;
    for (round = 0; round < 20; round++) {
        dst = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
        *user_page(SLOT_TEST, 1) = 2 * round;
        CHECK_IS(copy_pages(dst, 1, src, 1, 1), 0);
        *user_page(SLOT_TEST, 1) = 2 * round + 1;
        user_map(SLOT_TEST + 1, dst, TWZ_READ);
        CHECK_IS(*user_page(SLOT_TEST + 1, 1), 2 * round);
        CHECK_IS(*user_page(SLOT_TEST, 1), 2 * round + 1);
        user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_delete, IDARG(dst), 0), 0);
    }
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(src), 0), 0);
}

/* One page, copied into 65536 more, which saturates its frame's reference count. A store changes
 * one page only. */
static void test_more_copies_than_a_frame_counts(void)
{
    objid_t src = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t dst = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t pool, pages;

    user_map(SLOT_TEST, src, RW);
    user_map(SLOT_TEST + 1, dst, RW);
    *user_page(SLOT_TEST, 1000) = 7;
    for (pages = 1; pages < 256; pages *= 2) {
        CHECK_IS(copy_pages(dst, 2000, src, 1000, pages), 0);
        CHECK_IS(copy_pages(src, 1000 + pages, dst, 2000, pages), 0);
    }
    for (pages = 0; pages < 65536; pages += 256)
        CHECK_IS(copy_pages(dst, 2000 + pages, src, 1000, 256), 0);
    *user_page(SLOT_TEST, 1001) = 8;
    *user_page(SLOT_TEST + 1, 2000 + 40000) = 9;
    CHECK_IS(*user_page(SLOT_TEST, 1000), 7);
    for (pages = 0; pages < 65536; pages += 250)
        CHECK_IS(*user_page(SLOT_TEST + 1, 2000 + pages), pages == 40000 ? 9 : 7);
    CHECK_IS(user_range(dst, TWZ_RANGE_DISCARD, 2000, 40000), 0);
    pool = fresh_system()->pool_free;
    *user_page(SLOT_TEST, 500) = 10; /* takes a new frame, not one of theirs */
    CHECK(fresh_system()->pool_free < pool);
    CHECK_IS(*user_page(SLOT_TEST, 1000), 7);
    CHECK_IS(*user_page(SLOT_TEST + 1, 2000 + 40001), 7);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(src), TWZ_DELETE_NOW), 0);
    CHECK_IS(CALL(obj_delete, IDARG(dst), TWZ_DELETE_NOW), 0);
}

/* Wrong alignment, counts, pointers, rights, ranges and kinds. */
static void test_copy_rejects_bad_arguments(void)
{
    objid_t a = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t read = user_object(0, TWZ_READ | TWZ_DEL, TWZ_KIND_DATA);
    objid_t write = user_object(0, TWZ_WRITE | TWZ_DEL, TWZ_KIND_DATA);
    objid_t thread = user_object(0, TWZ_PERMS, TWZ_KIND_THREAD);
    struct twz_copy c = { .src = a, .dst = write, .src_off = 1, .dst_off = PAGE, .len = PAGE };

    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_copy, SIZED(&c), 100), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_copy, 8, sizeof(c), 1), -TWZ_EFAULT);
    CHECK_IS(copy_pages(a, 1, write, 1, 1), -TWZ_EDENIED);
    CHECK_IS(copy_pages(read, 1, a, 1, 1), -TWZ_EDENIED);
    CHECK_IS(copy_pages(write, 1, read, 1, 1), 0);
    CHECK_IS(copy_pages(a, 1, a, 2, 1), -TWZ_EINVAL);
    CHECK_IS(copy_pages(write, 0, a, 1, 1), -TWZ_ERANGE);
    CHECK_IS(copy_pages(write, 1, a, TWZ_PAGE_META, 2), -TWZ_ERANGE);
    CHECK_IS(copy_pages(write, TWZ_PAGE_RECORD, a, 1, 1), -TWZ_ERANGE);
    CHECK_IS(copy_pages(write, 1, a, 1, TWZ_OBJ_PAGES), -TWZ_ERANGE);
    CHECK_IS(copy_pages(thread, 1, a, 1, 1), -TWZ_EINVAL);
    CHECK_IS(copy_pages(a, 1, thread, 2, 1), -TWZ_EINVAL);
    CHECK_IS(copy_pages(a, 1, (objid_t){ 1, 2 }, 1, 1), -TWZ_ENOOBJ);
}

/* Creates an object from two sources at once. */
static void test_create_from_two_sources(void)
{
    objid_t a = user_object(0, TWZ_PERMS, TWZ_KIND_DATA),
            b = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_copy from[2] = {
        { .src = a, .src_off = PAGE, .dst_off = PAGE, .len = PAGE },
        { .src = b, .src_off = PAGE, .dst_off = 5 * PAGE, .len = 700 * PAGE }
    };
    struct twz_create spec = { .perms = TWZ_PERMS,
                               .source_size = sizeof(struct twz_copy),
                               .nsources = 2 };
    objid_t id;

    user_map(SLOT_TEST, a, RW);
    user_map(SLOT_TEST + 1, b, RW);
    *user_page(SLOT_TEST, 1) = 11;
    *user_page(SLOT_TEST + 1, 1) = 22;
    *user_page(SLOT_TEST + 1, 700) = 33;
    spec.sources = (uint64_t)(uintptr_t)from;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), 0);
    user_map(SLOT_TEST, id, RW);
    CHECK_IS(*user_page(SLOT_TEST, 1), 11);
    CHECK_IS(*user_page(SLOT_TEST, 5), 22);
    CHECK_IS(*user_page(SLOT_TEST, 704), 33);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
}

/* Populate, discard, hole, protect and persist, and the ranges that are rejected. */
static void test_range_operations(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t hole = TWZ_SLOT_ADDR(SLOT_TEST) + 20 * PAGE;

    user_map(SLOT_TEST, id, RW);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, 700), 0);
    CHECK_IS(stat_of(id).pages, 700);
    *user_page(SLOT_TEST, 700) = 1;
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, 699), 0);
    CHECK_IS(stat_of(id).pages, 1);
    CHECK_IS(*user_page(SLOT_TEST, 700), 1);
    CHECK_IS(*user_page(SLOT_TEST, 5), 0);
    *user_page(SLOT_TEST, 5) = 4;
    CHECK_IS(*user_page(SLOT_TEST, 5), 4);
    CHECK_IS(user_range(id, TWZ_RANGE_PERSIST, 1, TWZ_PAGE_META), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 20, 2), 0);
    CHECK_IS(user_load_faults(hole), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PAGE);
    CHECK_IS(SHARED->fault.reason, TWZ_REASON_HOLE);
    CHECK_IS(user_store_faults(hole), 1);
    CHECK_IS(user_range(id, TWZ_RANGE_PROTECT, 5, 1), 0);
    CHECK_IS(user_store_faults(TWZ_SLOT_ADDR(SLOT_TEST) + 5 * PAGE), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_PERM);
    CHECK_IS(*user_page(SLOT_TEST, 5), 4);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 5, 1), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, TWZ_PAGE_META), -TWZ_EDENIED);
    CHECK_IS(*user_page(SLOT_TEST, 5), 4);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 5, 1), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, TWZ_PAGE_META), 0);
    CHECK_IS(stat_of(id).pages, 0);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 0, 1), -TWZ_ERANGE);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, TWZ_OBJ_PAGES - 1), -TWZ_ERANGE);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, TWZ_OBJ_PAGES, 1), -TWZ_ERANGE);
    CHECK_IS(user_range(id, 9, 1, 1), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_range, IDARG(id), 0, 5, 4096), -TWZ_EINVAL);
    CHECK_IS(user_range(user_self(), TWZ_RANGE_DISCARD, 1, 1), -TWZ_EINVAL);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

/* A chain of ties: delete follows it to the tie that was removed. */
static void test_parent_takes_its_ties_along(void)
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
        CHECK_IS(CALL(obj_stat, IDARG(chain[i]), SIZED(&stat)), -TWZ_ENOOBJ);
    for (i = 20; i < 40; i++)
        CHECK_IS(CALL(obj_stat, IDARG(chain[i]), SIZED(&stat)), 0);
    CHECK_IS(CALL(obj_delete, IDARG(chain[20]), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(chain[39]), SIZED(&stat)), -TWZ_ENOOBJ);
}

static void test_ties_to_a_persistent_parent(void)
{
    objid_t parent = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t plain = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .tie = parent };
    struct twz_stat stat;
    objid_t child, guest;

    CHECK_IS(CALL(obj_create, SIZED(&spec), &child), 0);
    spec.flags = 0;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &guest), 0);
    CHECK_IS(CALL(obj_tie, IDARG(child), IDARG(plain), 1), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_delete, IDARG(parent), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(child), SIZED(&stat)), -TWZ_ENOOBJ);
    CHECK_IS(CALL(obj_stat, IDARG(guest), SIZED(&stat)), -TWZ_ENOOBJ);
    CHECK_IS(CALL(obj_delete, IDARG(plain), 0), 0);
}

/* More children than one list holds: all are deleted, and their space is freed. */
static void test_300_children_are_deleted_and_freed(void)
{
    objid_t parent = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .tie = parent };
    uint64_t before = fresh_system()->pool_free, i;
    objid_t child = TWZ_OBJID_NONE;
    struct twz_stat stat;

    for (i = 0; i < 300; i++) {
        CHECK_IS(CALL(obj_create, SIZED(&spec), &child), 0);
        CHECK_IS(user_range(child, TWZ_RANGE_POPULATE, 1, 2), 0);
    }
    CHECK(fresh_system()->pool_free + 600 * PAGE <= before);
    CHECK_IS(CALL(obj_delete, IDARG(parent), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(child), SIZED(&stat)), -TWZ_ENOOBJ);
    CHECK(fresh_system()->pool_free + 48 * PAGE >= before); /* the object table stays larger */
}

/* A pin does not keep an object whose parent is deleted. */
static void test_pin_does_not_outlive_the_parent(void)
{
    objid_t parent = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA), child;
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_PERMS, .tie = parent };
    uint64_t before = fresh_system()->pool_free;

    CHECK_IS(user_create(&spec, &child), 0);
    CHECK_IS(user_range(child, TWZ_RANGE_POPULATE, 1, 100), 0);
    CHECK_IS(CALL(obj_pin, IDARG(child), 1), 0);
    CHECK_IS(CALL(obj_delete, IDARG(parent), 0), 0);
    CHECK(fresh_system()->pool_free + 16 * PAGE >= before);
}

/* The flags of a provisional object, the persistence mode, and the right that a witness needs. */
static void test_provisional_object_becomes_permanent(void)
{
    objid_t holder = user_object(TWZ_OBJ_PERSIST, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
                               .perms = TWZ_PERMS,
                               .witness = holder,
                               .witness_off = TWZ_OBJ_BASE };
    objid_t id;

    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), 0);
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

/* After the default permissions are reduced, each use that needs more fails. */
static void test_reduced_permissions_take_effect(uint32_t flags)
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
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, 1), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_tie, IDARG(id), 0, 0, 0), -TWZ_EDENIED);
    /* A denied call drops its own reference only. */
    for (i = 0; i < 4; i++)
        CHECK_IS(CALL(obj_tie, IDARG(child), IDARG(id), 1), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_delete, IDARG(child), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    CHECK_IS(stat.perms, TWZ_READ | TWZ_USE);
    CHECK_IS(CALL(obj_stat, IDARG(id), 0xffffffff80000000ull, sizeof(stat)), -TWZ_EFAULT);
    CHECK_IS(CALL(obj_stat, IDARG(id), TWZ_SLOT_ADDR(SLOT_TEXT) + TWZ_OBJ_BASE, sizeof(stat)),
             -TWZ_EFAULT);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

/* Mappings with no more than the new permissions stay. Otherwise readers that fault again at once
 * could keep the call from ending. */
static void test_reduced_permissions_keep_readers(void)
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

static long migrate(objid_t id, uint64_t persistent)
{
    return CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, persistent);
}

/* The object becomes persistent and volatile in turn; its contents and rights stay the same. */
static void test_migration_keeps_contents(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA), twin;
    uint64_t there = flags != 0 ? 0 : 1, round, i;

    user_map(SLOT_TEST, id, RW);
    for (i = 1; i < 200; i += 2)
        *user_page(SLOT_TEST, i) = 7000 + i;
    *user_page(SLOT_TEST, 100000) = 5;
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 20, 2), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_PROTECT, 31, 1), 0);
    twin = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    CHECK_IS(copy_pages(twin, 1, id, 1, 100), 0);
    for (round = 0; round < 4; round++, there ^= 1) {
        CHECK_IS(migrate(id, there), 0);
        CHECK_IS(stat_of(id).flags, there != 0 ? TWZ_OBJ_PERSIST : 0);
        CHECK(stat_of(id).pages >= 100 && stat_of(id).pages < 112); /* reads may have added some */
        for (i = 1; i < 200; i += 11)
            CHECK_IS(i == 20 ? 0 : *user_page(SLOT_TEST, i),
                     i % 2 == 0 ? 0 : 7000 + i + (i == 1) * round);
        CHECK_IS(*user_page(SLOT_TEST, 100000), 5 + round);
        CHECK_IS(user_load_faults(TWZ_SLOT_ADDR(SLOT_TEST) + 20 * PAGE), 1);
        CHECK_IS(user_store_faults(TWZ_SLOT_ADDR(SLOT_TEST) + 31 * PAGE), 1);
        *user_page(SLOT_TEST, 1) += 1;
        *user_page(SLOT_TEST, 100000) += 1;
    }
    user_map(SLOT_TEST + 1, twin, TWZ_READ);
    CHECK_IS(*user_page(SLOT_TEST + 1, 1), 7001);
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
            __atomic_fetch_add(user_page(SLOT_TEST, i), 1, __ATOMIC_RELAXED);
    __atomic_store_n(&SHARED->word[0], 1, __ATOMIC_RELEASE);
}

/* Migration loses no store of another thread. */
static void test_migration_loses_no_store(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t there = 1, moves = 0, i;

    SHARED->word[0] = 0;
    user_map(SLOT_TEST, id, RW);
    user_thread(0, child_counts, 400);
    while (__atomic_load_n(&SHARED->word[0], __ATOMIC_ACQUIRE) == 0 || moves < 4) {
        CHECK_IS(migrate(id, there), 0);
        there ^= 1;
        moves++;
        user_yield();
    }
    CHECK_IS(user_join(0), 0);
    for (i = 1; i <= COUNTERS; i++)
        CHECK_IS(*user_page(SLOT_TEST, i), 400);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

/* Automatic write-back runs beside the program and changes nothing that the program sees. */
static void test_automatic_write_back_changes_nothing(void)
{
    struct twz_create spec = { .perms = TWZ_PERMS, .flags = TWZ_OBJ_PERSIST };
    objid_t id[3];
    uint64_t i, start;

    for (i = 0; i < 3; i++) {
        spec.persist = (uint32_t)i;
        CHECK_IS(CALL(obj_create, SIZED(&spec), &id[i]), 0);
        user_map(SLOT_TEST + (uint32_t)i, id[i], RW);
    }
    start = user_now();
    while (user_now() < start + 1200000000ull)
        for (i = 0; i < 3; i++)
            *user_page(SLOT_TEST + (uint32_t)i, 1 + user_now() % 300) = i;
    for (i = 0; i < 3; i++) {
        *user_page(SLOT_TEST + (uint32_t)i, 5) = 50 + i;
        user_map(SLOT_TEST + (uint32_t)i, TWZ_OBJID_NONE, 0);
        user_map(SLOT_TEST, id[i], TWZ_READ);
        CHECK_IS(*user_page(SLOT_TEST, 5), 50 + i);
        user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_delete, IDARG(id[i]), 0), 0);
    }
}

/* Pins are counted, and the frames of a pinned object stay. A deletion removes them. */
static void test_pins(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t other = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
    struct twz_stat stat;

    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, 4), 0);
    CHECK_IS(CALL(obj_pin, IDARG(id), 0), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_pin, IDARG(id), 1), 0);
    CHECK_IS(CALL(obj_pin, IDARG(id), 1), 0);
    CHECK_IS(stat_of(id).flags, flags | TWZ_OBJ_PINNED);
    CHECK_IS(stat_of(id).uses, 2);
    CHECK_IS(CALL(obj_pin, IDARG(id), 0), 0);
    CHECK_IS(stat_of(id).flags, flags | TWZ_OBJ_PINNED);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, 1), -TWZ_EBUSY);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 1, 1), -TWZ_EBUSY);
    CHECK_IS(copy_pages(id, 1, other, 1, 1), -TWZ_EBUSY);
    CHECK_IS(copy_pages(other, 1, id, 1, 1), -TWZ_EBUSY);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, flags == 0), -TWZ_EBUSY);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 1, 8), 0);
    CHECK_IS(CALL(obj_pin, IDARG(id), 0), 0);
    CHECK_IS(stat_of(id).flags, flags);
    CHECK_IS(copy_pages(other, 1, id, 1, 1), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 1, 1), 0);
    CHECK_IS(CALL(obj_pin, IDARG(id), 1), 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    CHECK_IS(CALL(obj_stat, IDARG(id), &stat), -TWZ_ENOOBJ);
    CHECK_IS(CALL(obj_delete, IDARG(other), 0), 0);
}

/* HOLE and PROTECT need WRITE and DEL; DISCARD and POPULATE need WRITE. */
static void test_range_rights(uint32_t flags)
{
    objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);

    CHECK_IS(user_range(id, TWZ_RANGE_PROTECT, 1, 1), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 1, 1), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, TWZ_READ | TWZ_WRITE), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_PROTECT, 1, 1), -TWZ_EDENIED);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 2, 1), -TWZ_EDENIED);
    CHECK_IS(user_range(id, TWZ_RANGE_POPULATE, 2, 1), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 2, 1), 0);
    id = user_object(flags, TWZ_READ | TWZ_DEL, TWZ_KIND_DATA);
    CHECK_IS(user_range(id, TWZ_RANGE_PROTECT, 1, 1), -TWZ_EDENIED);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 1, 1), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

/* A copy neither undoes a protection nor writes what is mapped executable. */
static void test_copy_respects_its_destination(uint32_t from, uint32_t to)
{
    objid_t src = user_object(from, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t dst = user_object(to, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(SLOT_TEST, src, RW);
    user_map(SLOT_TEST + 1, dst, RW);
    *user_page(SLOT_TEST, 1) = 1;
    *user_page(SLOT_TEST, 2) = 2;
    *user_page(SLOT_TEST + 1, 1) = 11;
    *user_page(SLOT_TEST + 1, 2) = 12;
    CHECK_IS(user_range(dst, TWZ_RANGE_PROTECT, 2, 1), 0);
    CHECK_IS(copy_pages(dst, 1, src, 1, 2), -TWZ_EDENIED);
    CHECK_IS(*user_page(SLOT_TEST + 1, 1), 11);
    CHECK_IS(*user_page(SLOT_TEST + 1, 2), 12);
    CHECK_IS(copy_pages(dst, 1, src, 1, 1), 0);
    CHECK_IS(*user_page(SLOT_TEST + 1, 1), 1);
    user_map(SLOT_TEST + 1, dst, TWZ_READ | TWZ_EXEC);
    *user_page(SLOT_TEST, 1) = 3;
    CHECK_IS(*user_page(SLOT_TEST + 1, 1), 1);
    CHECK_IS(copy_pages(dst, 1, src, 1, 1), -TWZ_EBUSY);
    CHECK_IS(*user_page(SLOT_TEST + 1, 1), 1);
    user_map(SLOT_TEST + 1, dst, TWZ_READ);
    CHECK_IS(copy_pages(dst, 1, src, 1, 1), 0);
    CHECK_IS(*user_page(SLOT_TEST + 1, 1), 3);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(src), 0), 0);
    CHECK_IS(CALL(obj_delete, IDARG(dst), 0), 0);
}

/* The children that the kernel has entered into the root stay there. */
static void test_kernel_children_stay(void)
{
    const volatile struct twz_system *s = user_system();
    objid_t root = s->kso_root, system, console = s->console;
    volatile struct twz_kso_dir *dir = (volatile struct twz_kso_dir *)BASE(SLOT_TEST);

    user_map(SLOT_TEST, root, TWZ_READ);
    system = (objid_t){ dir->child[0].id.lo, dir->child[0].id.hi };
    CHECK_IS(dir->child[0].kind, TWZ_KIND_SYSTEM);
    CHECK_IS(dir->child[0].flags, TWZ_KSO_CHILD_FIXED);
    CHECK_IS(CALL(kso_detach, IDARG(root), IDARG(system), ~0ull), -TWZ_EDENIED);
    CHECK_IS(CALL(kso_detach, IDARG(root), IDARG(system), 0), -TWZ_EDENIED);
    if (console.lo != 0)
        CHECK_IS(CALL(kso_detach, IDARG(root), IDARG(console), ~0ull), -TWZ_EDENIED);
    CHECK_IS(dir->child[0].id.lo, system.lo);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

/* The search takes several stays in the kernel. */
static void test_full_table(objid_t child)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DIR);
    volatile struct twz_kso_dir *dir = (volatile struct twz_kso_dir *)BASE(SLOT_TEST);
    unsigned i;

    user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
    for (i = 0; i < TWZ_KSO_MAX_CHILDREN - 1; i++)
        dir->child[i].id.lo = i + 1;
    dir->count = TWZ_KSO_MAX_CHILDREN - 1;
    CHECK_IS(CALL(kso_attach, IDARG(id), IDARG(child), ~0ull), TWZ_KSO_MAX_CHILDREN - 1);
    CHECK_IS(CALL(kso_attach, IDARG(id), IDARG(child), ~0ull), -TWZ_EFULL);
    CHECK_IS(CALL(kso_detach, IDARG(id), IDARG(child), ~0ull), TWZ_KSO_MAX_CHILDREN - 1);
    CHECK_IS(CALL(kso_detach, IDARG(id), IDARG(child), ~0ull), -TWZ_ENOOBJ);
    dir->child[2000].id.lo = 0;
    CHECK_IS(CALL(kso_attach, IDARG(id), IDARG(child), ~0ull), 2000);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
}

/* Attach and detach in the root KSO, and arguments that the KSO calls reject. */
static void test_kso_calls(void)
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
    test_kernel_children_stay();
    test_full_table(data);
    CHECK_IS(CALL(kso_invalidate, IDARG(data), 0, 1), -TWZ_ETYPE);
    CHECK_IS(CALL(kso_invalidate, IDARG(user_view()), TWZ_SLOTS, 1), -TWZ_ERANGE);
    CHECK_IS(CALL(kso_invalidate, IDARG(user_view()), 5000, ~0ull), -TWZ_ERANGE);
    CHECK_IS(CALL(dev_ctl, IDARG(data), 0, 0), -TWZ_ETYPE);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

static void test_other_calls_check_arguments(void)
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

/* Creates and deletes many objects: all memory and pool space is free again. */
static void test_delete_frees_memory(uint32_t flags)
{
    uint64_t memory = fresh_system()->memory_free, pool = fresh_system()->pool_free;
    unsigned i;

    for (i = 0; i < 300; i++) {
        objid_t id = user_object(flags, TWZ_PERMS, TWZ_KIND_DATA);
        uint64_t page;

        user_map(SLOT_TEST, id, RW);
        for (page = 1; page < 64; page++)
            *user_page(SLOT_TEST, page) = page;
        user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_delete, IDARG(id), 0), 0);
    }
    CHECK(fresh_system()->memory_free + 16 * PAGE >= memory);
    CHECK(fresh_system()->pool_free + 16 * PAGE >= pool);
}

void test_main(void)
{
    user_handlers();
    test_create_stat_delete(0);
    test_create_stat_delete(TWZ_OBJ_PERSIST);
    test_create_rejects_bad_arguments();
    test_copies_are_independent(0, 0);
    test_copies_are_independent(TWZ_OBJ_PERSIST, 0);
    test_copies_are_independent(0, TWZ_OBJ_PERSIST);
    test_copies_are_independent(TWZ_OBJ_PERSIST, TWZ_OBJ_PERSIST);
    test_copy_excludes_later_stores();
    test_more_copies_than_a_frame_counts();
    test_copy_rejects_bad_arguments();
    test_create_from_two_sources();
    test_range_operations(0);
    test_range_operations(TWZ_OBJ_PERSIST);
    test_parent_takes_its_ties_along();
    test_ties_to_a_persistent_parent();
    test_300_children_are_deleted_and_freed();
    test_pin_does_not_outlive_the_parent();
    test_provisional_object_becomes_permanent();
    test_reduced_permissions_take_effect(0);
    test_reduced_permissions_take_effect(TWZ_OBJ_PERSIST);
    test_reduced_permissions_keep_readers();
    test_migration_keeps_contents(0);
    test_migration_keeps_contents(TWZ_OBJ_PERSIST);
    test_migration_loses_no_store();
    test_automatic_write_back_changes_nothing();
    test_pins(0);
    test_pins(TWZ_OBJ_PERSIST);
    test_range_rights(0);
    test_range_rights(TWZ_OBJ_PERSIST);
    test_copy_respects_its_destination(0, 0);
    test_copy_respects_its_destination(0, TWZ_OBJ_PERSIST);
    test_copy_respects_its_destination(TWZ_OBJ_PERSIST, 0);
    test_copy_respects_its_destination(TWZ_OBJ_PERSIST, TWZ_OBJ_PERSIST);
    test_kso_calls();
    test_other_calls_check_arguments();
    test_delete_frees_memory(0);
    test_delete_frees_memory(TWZ_OBJ_PERSIST);
    test_delete_frees_memory(0);
    test_delete_frees_memory(TWZ_OBJ_PERSIST);
}
