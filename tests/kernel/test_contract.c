/* SPDX-License-Identifier: MIT */
/* The contract of the object calls: structs that may grow, accounts and classes, and what the
 * kernel refuses because it does not know it. */
#include "user.h"

static struct twz_stat stat_of(objid_t id)
{
    struct twz_stat stat = { .kind = 99 };

    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    return stat;
}

/* A struct that may grow: the sizes that the kernel takes, and what it does with the bytes that it
 * does not know. */
static void test_sized_arguments(void)
{
    struct {
        struct twz_create known;
        uint64_t more[2];
    } spec = { .known = { .perms = TWZ_PERMS } };
    struct {
        struct twz_stat known;
        uint64_t more[2];
    } answer = { .more = { 1, 1 } };
    static const uint64_t zeros[TWZ_SIZED_MAX / 8 + 1]; /* an object without rights */
    objid_t id, closed;

    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), 0);
    spec.more[1] = 1;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_create, &spec, sizeof(spec.known), &id), 0);
    CHECK_IS(CALL(obj_create, &spec, TWZ_CREATE_MIN - 8, &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_create, &spec, sizeof(spec.known) + 4, &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_create, zeros, TWZ_SIZED_MAX, &closed), 0);
    CHECK_IS(CALL(obj_create, zeros, TWZ_SIZED_MAX + 8, &closed), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_create, &spec, UINT64_MAX & ~7ull, &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&answer)), 0);
    CHECK(objid_equal(answer.known.id, id));
    CHECK(answer.more[0] == 0 && answer.more[1] == 0);
    CHECK_IS(CALL(obj_stat, IDARG(id), &answer, TWZ_STAT_MIN - 8), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_copy, &spec, TWZ_COPY_MIN - 8, 1), -TWZ_EINVAL);
}

/* An account must be an ACCOUNT object on which the creator has USE. */
static void test_account(void)
{
    objid_t account = user_object(TWZ_OBJ_PERSIST, TWZ_USE, TWZ_KIND_ACCOUNT);
    objid_t closed = user_object(0, TWZ_READ, TWZ_KIND_ACCOUNT),
            data = user_object(0, TWZ_PERMS, 0);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_READ, .account = account };
    struct twz_stat stat;
    objid_t id;

    CHECK_IS(user_create(&spec, &id), 0);
    stat = stat_of(id);
    CHECK(objid_equal(stat.account, account));
    CHECK_IS(stat.rights, TWZ_READ);
    spec.account = closed;
    CHECK_IS(user_create(&spec, &id), -TWZ_EDENIED);
    spec.account = data;
    CHECK_IS(user_create(&spec, &id), -TWZ_ETYPE);
    spec.account = (objid_t){ 4, 5 };
    CHECK_IS(user_create(&spec, &id), -TWZ_ENOOBJ);
    spec.account = account;
    spec.class_ = TWZ_CLASS_DURABLE + 1;
    CHECK_IS(user_create(&spec, &id), -TWZ_EINVAL);
}

/* The record page says what obj_stat says, after each change. */
static void expect_record(objid_t id)
{
    const volatile struct twz_record *r =
        (const volatile struct twz_record *)(TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_RECORD);
    struct twz_stat stat = stat_of(id);

    CHECK_IS(r->magic, TWZ_RECORD_MAGIC);
    CHECK(r->id.lo == id.lo && r->id.hi == id.hi);
    CHECK(r->kuid.lo == stat.kuid.lo && r->kuid.hi == stat.kuid.hi);
    CHECK(r->account.lo == stat.account.lo && r->account.hi == stat.account.hi);
    CHECK(r->tree.lo == stat.tree.lo && r->tree.hi == stat.tree.hi);
    CHECK_IS(r->kind, stat.kind);
    CHECK_IS(r->perms, stat.perms);
    CHECK_IS(r->persist, stat.persist);
    CHECK_IS(r->class_, stat.class_);
    CHECK_IS(r->flags & TWZ_OBJ_PERSIST, stat.flags & TWZ_OBJ_PERSIST);
    CHECK_IS(r->revocation_epoch, stat.revocation_epoch);
    CHECK(r->nonce[0] != 0 && r->nonce[1] != 0);
}

static void test_record(void)
{
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST,
                               .perms = TWZ_PERMS,
                               .persist = TWZ_PERSIST_PERIODIC,
                               .account = user_object(TWZ_OBJ_PERSIST, TWZ_USE, TWZ_KIND_ACCOUNT) };
    objid_t id;

    CHECK_IS(user_create(&spec, &id), 0);
    user_map(SLOT_TEST, id, TWZ_READ);
    expect_record(id);
    CHECK_IS(stat_of(id).persist, TWZ_PERSIST_PERIODIC);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_MODE, TWZ_PERSIST_RELEASE), 0);
    CHECK_IS(stat_of(id).persist, TWZ_PERSIST_RELEASE);
    expect_record(id);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERSIST, 0), 0);
    expect_record(id);
    CHECK_IS(CALL(obj_ctl, IDARG(id), TWZ_CTL_PERMS, TWZ_READ), 0);
    CHECK_IS(stat_of(id).perms, TWZ_READ);
    expect_record(id);
}

/* All pages of a flat object are data, the first and the last too, and consecutive ones are one
 * range of memory. */
static void test_flat_objects(void)
{
    struct twz_create spec = { .flags = TWZ_OBJ_FLAT, .perms = TWZ_PERMS };
    objid_t flat[2], plain = user_object(0, TWZ_PERMS, 0);
    struct twz_copy c = { .src = plain, .src_off = TWZ_OBJ_BASE, .len = TWZ_PAGE_SIZE };
    volatile uint64_t *edge = (volatile uint64_t *)TWZ_SLOT_ADDR(SLOT_TEST + 1);

    for (unsigned i = 0; i < 2; i++) {
        CHECK_IS(user_create(&spec, &flat[i]), 0);
        user_map(SLOT_TEST + i, flat[i], TWZ_READ | TWZ_WRITE);
    }
    user_map(SLOT_TEST + 2, plain, TWZ_READ | TWZ_WRITE);
    edge[-1] = 1; /* the last word of one, where others have their record */
    edge[0] = 2;  /* the first word of the next, where others have their null page */
    CHECK(edge[-1] == 1 && edge[0] == 2);
    CHECK((stat_of(flat[1]).flags & TWZ_OBJ_FLAT) != 0);
    *BASE(SLOT_TEST + 2) = 7;
    c.dst = flat[0];
    c.dst_off = TWZ_OBJ_SIZE - TWZ_PAGE_SIZE;
    CHECK_IS(CALL(obj_copy, SIZED(&c), 1), 0);
    CHECK_IS(edge[-512], 7);
    CHECK_IS(user_range(flat[0], TWZ_RANGE_DISCARD, 0, TWZ_OBJ_PAGES), 0);
    CHECK_IS(stat_of(flat[0]).pages, 0);
    CHECK_IS(user_range(plain, TWZ_RANGE_DISCARD, 0, 1), -TWZ_ERANGE);
    CHECK_IS(CALL(obj_ctl, IDARG(flat[0]), TWZ_CTL_PERSIST, 1), -TWZ_ENOTSUP);
    spec.kind = TWZ_KIND_VIEW;
    CHECK_IS(user_create(&spec, &plain), -TWZ_EINVAL);
    spec.kind = TWZ_KIND_DATA;
    spec.flags |= TWZ_OBJ_PERSIST;
    CHECK_IS(user_create(&spec, &plain), -TWZ_EINVAL);
}

/* The frames of the edge pages come back with the object. */
static void test_flat_object_frees_its_edges(void)
{
    struct twz_create spec = { .flags = TWZ_OBJ_FLAT, .perms = TWZ_PERMS };
    uint64_t before = 0;
    objid_t id;

    for (unsigned i = 0; i < 3; i++) {
        CHECK_IS(user_create(&spec, &id), 0);
        user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
        *user_page(SLOT_TEST, 0) = 1;
        *user_page(SLOT_TEST, TWZ_OBJ_PAGES - 1) = 1;
        user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
        CHECK_IS(CALL(obj_delete, IDARG(id), TWZ_DELETE_NOW), 0);
        if (i == 1)
            before = user_memory_free();
    }
    CHECK_IS(user_memory_free(), before);
}

/* A view entry with a flag or a field that the kernel does not know maps nothing. */
static void test_unknown_view_flags(void)
{
    volatile struct twz_view_entry *entry =
        (volatile struct twz_view_entry *)(user_view_at() + TWZ_VIEW_TABLE) + SLOT_TEST;
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE;
    objid_t id = user_object(0, TWZ_PERMS, 0);

    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t flag = 1ull << bit;

        user_map(SLOT_TEST, id, TWZ_READ);
        entry->flags |= flag;
        CHECK_IS(user_load_faults(at), (flag & ~(uint64_t)TWZ_VE_KNOWN) != 0);
        if ((flag & ~(uint64_t)TWZ_VE_KNOWN) != 0)
            CHECK_IS(SHARED->fault.reason, TWZ_REASON_FLAGS);
    }
    user_map(SLOT_TEST, id, TWZ_READ);
    entry->pad = 1;
    CHECK_IS(user_load_faults(at), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_OBJECT);
    entry->pad = 0;
    CHECK_IS(user_load_faults(at), 0);
}

void test_main(void)
{
    user_handlers();
    test_sized_arguments();
    test_account();
    test_record();
    test_flat_objects();
    test_flat_object_frees_its_edges();
    test_unknown_view_flags();
}
