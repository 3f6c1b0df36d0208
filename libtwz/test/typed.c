/* SPDX-License-Identifier: MIT */
/* Objects' metadata, persistent pointers, mutexes and the typed layer, on the host. */
#include <stdio.h>
#include <string.h>

#include <hier/hier.h>
#include <twz/guard.h>
#include <twz/mutex.h>
#include <twz/typed.h>

#include "host.h"

struct item {
    twz_ref(struct item) next;
    uint32_t number;
    uint16_t half;
};

struct box {
    twz_ref(struct item) first;
    uint64_t count;
};

struct box_grown {
    struct box box;
    uint64_t more;
};

static void start(void)
{
    twzobj root;

    host_reset();
    CHECK(twz_object_new(&root, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(hier_init(&root, TWZ_OBJID_NONE, TWZ_OBJID_NONE) == 0);
    host_root_set(root.id);
}

static void test_ext(void)
{
    twzobj obj;
    char *base;

    start();
    CHECK(twz_object_new(&obj, NULL, NULL, 0) == 0);
    CHECK(twz_object_new(&obj, NULL, NULL, 1ull << 40) == -TWZ_EINVAL);
    base = twz_object_base(&obj);
    CHECK(!twz_object_getext(&obj, 5));
    CHECK(twz_object_addext(&obj, 0, base) == -TWZ_EINVAL);
    CHECK(twz_object_addext(&obj, 5, obj.start) == -TWZ_EINVAL);
    CHECK(twz_object_addext(&obj, 5, obj.start + TWZ_OBJ_DATA_TOP) == -TWZ_EINVAL);
    for (uint64_t tag = 1; tag <= TWZ_EXT_MAX; tag++)
        CHECK(twz_object_addext(&obj, tag, base + tag) == 0);
    CHECK(twz_object_addext(&obj, 1000, base) == -TWZ_EFULL);
    CHECK(twz_object_addext(&obj, 5, base) == -TWZ_EEXIST);
    CHECK(twz_object_getext(&obj, 5) == base + 5);
    CHECK(twz_object_delext(&obj, 5) == 0 && twz_object_delext(&obj, 5) == -TWZ_ENONAME);
    CHECK(twz_object_addext(&obj, 1000, base) == 0 && twz_object_getext(&obj, 1000) == base);
}

/* No state of a table loses an entry for good: not one with an off and no tag, as a thread leaves
 * it that dies between the two stores, nor a lock whose owner is dead. */
static void test_ext_leaks(void)
{
    struct twz_meta *meta;
    twzobj obj;
    char *base;

    start();
    CHECK(twz_object_new(&obj, NULL, NULL, 0) == 0);
    base = twz_object_base(&obj);
    CHECK(twz_object_set_size(&obj, 128) == 0);
    CHECK(twz_object_delext(&obj, 0) == -TWZ_ENONAME && twz_object_delext(&obj, 5) == -TWZ_ENONAME);
    meta = twz_object_meta(&obj);
    for (uint32_t i = 0; i < TWZ_EXT_MAX; i++)
        meta->ext[i].off = TWZ_OBJ_BASE + i;
    CHECK(twz_mutex_trylock((struct twz_mutex *)(void *)&meta->reserved[0]) == 0);
    CHECK(twz_object_addext(&obj, 1, base) == -TWZ_EBUSY); /* a thread in its own signal handler */
    CHECK(twz_object_delext(&obj, 1) == -TWZ_EBUSY);
    host_reboot();
    CHECK(!twz_object_getext(&obj, 0) && !twz_object_getext(&obj, 1));
    for (uint64_t tag = 1; tag <= TWZ_EXT_MAX; tag++)
        CHECK(twz_object_addext(&obj, tag, base + tag) == 0);
    CHECK(twz_object_delext(&obj, 7) == 0 && !twz_object_getext(&obj, 7));
    meta->ext[7].off = 8; /* no data lies there */
    CHECK(!twz_object_getext(&obj, 8) && twz_object_addext(&obj, 8, base) == -TWZ_EEXIST);
    CHECK(twz_object_addext(&obj, 7, base + 70) == 0 && twz_object_getext(&obj, 7) == base + 70);
    CHECK(meta->reserved[0] == 0);
}

/* --- another thread in the middle of a change ------------------------------------------------- */

static twzobj holder, target;
static int inside; /* 1: the other thread runs */
static unsigned met;

/* A word that the other thread makes durable, in a line of its own. */
static uint64_t *word_beside(void)
{
    return (uint64_t *)twz_object_base(&holder) + 8;
}

static void start_beside(void)
{
    start();
    met = 0;
    CHECK(twz_object_new(&holder, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(twz_object_new(&target, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(twz_touch(twz_object_base(&holder), 4096) == 0);
    CHECK(twz_object_set_size(&holder, 128) == 0);
}

static int pointer_leads(void *ctx)
{
    const uint32_t index = (uint32_t)TWZ_PPTR_FOT(*word_beside());
    uint32_t rights;
    objid_t id;

    (void)ctx;
    if (index == 0)
        return 0;
    return index > twz_object_meta(&holder)->fot_count ||
           twz_fot_target(&holder, index, &id, &rights) < 0 || !objid_equal(id, target.id);
}

static void point_beside(void *ctx)
{
    twz_pptr_t *loc = (twz_pptr_t *)(void *)word_beside();

    (void)ctx;
    if (!inside && twz_fot_entry(&holder, 1)->flags) {
        inside = 1;
        CHECK(twz_ptr_store_guid(&holder, loc, target.id, TWZ_OBJ_BASE, TWZ_READ) == 0);
        CHECK(TWZ_PPTR_FOT(loc->raw) == 1 && ++met);
        inside = 0;
    }
    CHECK(host_images(0, pointer_leads, NULL) >= 0);
}

/* A thread finds the FOT entry that another has stored and not flushed. The pointer that it makes
 * durable leads to the target after any power failure. */
static void test_point_beside(void)
{
    twz_pptr_t *loc;

    start_beside();
    loc = twz_object_base(&holder);
    host_crash_points(point_beside, NULL);
    CHECK(twz_ptr_store_guid(&holder, loc, target.id, TWZ_OBJ_BASE, TWZ_READ) == 0);
    host_crash_points(NULL, NULL);
    CHECK(met > 0 && *word_beside() == loc->raw);
}

static int tag_is_as_noted(void *ctx)
{
    const bool there = twz_object_getext(&holder, 5) != NULL;

    (void)ctx;
    return *word_beside() != 0 && there != (*word_beside() == 1);
}

static void look_beside(void *ctx)
{
    if (!inside) { /* its fences are crash points, too */
        uint64_t seen;

        inside = 1;
        seen = twz_object_getext(&holder, 5) ? 1 : 2;
        if (seen == *(const uint64_t *)ctx) {
            twz_persist_commit64(word_beside(), seen);
            met++;
        }
        inside = 0;
    }
    CHECK(host_images(0, tag_is_as_noted, NULL) >= 0);
}

/* As above, for a tag that another thread is adding (1) or deleting (2). */
static void test_look_beside(void)
{
    uint64_t wanted = 1;

    start_beside();
    host_crash_points(look_beside, &wanted);
    CHECK(twz_object_addext(&holder, 5, twz_object_base(&holder)) == 0);
    host_crash_points(NULL, NULL);
    CHECK(met > 0);
    wanted = 2;
    met = 0;
    *word_beside() = 0;
    host_crash_points(look_beside, &wanted);
    CHECK(twz_object_delext(&holder, 5) == 0);
    host_crash_points(NULL, NULL);
    CHECK(met > 0);
}

static void test_pointers(void)
{
    struct twz_fot_entry *entry;
    twzobj a, b;
    twz_pptr_t *field, p;
    void *d;

    start();
    CHECK(twz_object_new(&a, NULL, NULL, 0) == 0 && twz_object_new(&b, NULL, NULL, 0) == 0);
    field = twz_object_base(&a);
    CHECK(twz_touch(field, 4096) == 0 && twz_object_set_size(&a, 64) == 0);
    for (int round = 0; round < 3; round++) { /* one target has one entry */
        CHECK(twz_ptr_store_guid(&a, field, b.id, TWZ_OBJ_BASE + 8, TWZ_READ | TWZ_WRITE) == 0);
        CHECK(twz_object_meta(&a)->fot_count == 1);
    }
    CHECK(twz_ptr_lea_try(field, *field, &d) == 0 && d == b.start + TWZ_OBJ_BASE + 8);
    CHECK(twz_ptr_lea_try(field, *field, &d) == 0 && d == b.start + TWZ_OBJ_BASE + 8);
    CHECK(twz_ptr_make(&a, b.id, TWZ_OBJ_BASE, TWZ_READ, &p) == 0 && TWZ_PPTR_FOT(p.raw) == 2);
    CHECK(twz_ptr_make(&a, b.id, 8, TWZ_READ, &p) == -TWZ_ERANGE);
    CHECK(twz_ptr_make(&a, a.id, TWZ_OBJ_BASE, TWZ_READ, &p) == 0 && p.raw == TWZ_OBJ_BASE);
    CHECK(twz_ptr_lea_try(field, (twz_pptr_t){ TWZ_PPTR(3, TWZ_OBJ_BASE) }, &d) == -TWZ_EINVAL);
    CHECK(twz_ptr_lea_try(field, (twz_pptr_t){ TWZ_PPTR(TWZ_FOT_MAX + 1ull, 8192) }, &d) < 0);
    CHECK(twz_ptr_lea_try(field, (twz_pptr_t){ TWZ_OBJ_DATA_TOP }, &d) == -TWZ_ERANGE);
    /* An index that was claimed and never committed, or a count that a crash lost, is skipped. */
    twz_object_meta(&a)->fot_count = 0;
    CHECK(twz_ptr_make(&a, (objid_t){ 9, 9 }, 8192, TWZ_READ, &p) == 0 && TWZ_PPTR_FOT(p.raw) == 3);
    twz_object_meta(&a)->fot_count = UINT64_MAX; /* by another writer */
    CHECK(twz_ptr_make(&a, (objid_t){ 8, 8 }, 8192, TWZ_READ, &p) == -TWZ_EFULL);
    twz_object_meta(&a)->fot_count = 3;
    CHECK(twz_ptr_lea_try(field, p, &d) == -TWZ_ENOOBJ);
    CHECK(twz_name_assign("/b", b.id) == 0);
    CHECK(twz_ptr_store_name(&a, field, "/b", TWZ_OBJ_BASE, 0, TWZ_READ) == 0);
    CHECK(twz_ptr_lea_try(field, *field, &d) == 0 && d == b.start + TWZ_OBJ_BASE);
    CHECK(twz_ptr_store_name(&a, field, "/none", TWZ_OBJ_BASE, 0, TWZ_READ) == 0);
    CHECK(twz_ptr_lea_try(field, *field, &d) == -TWZ_ENONAME);
    CHECK(twz_ptr_store_name(&a, field, "/b", TWZ_OBJ_BASE, 1, TWZ_READ) == 0);
    CHECK(twz_ptr_lea_try(field, *field, &d) == -TWZ_EINVAL); /* no such resolver */
    entry = twz_fot_entry(&a, (uint32_t)TWZ_PPTR_FOT(field->raw));
    entry->resolver = 0;
    entry->name.name_off = TWZ_OBJ_BASE - 1; /* no data lies there */
    CHECK(twz_ptr_lea_try(field, *field, &d) == -TWZ_EINVAL);
}

static void test_mutex(void)
{
    struct twz_mutex mutex = { 0 };

    CHECK(twz_mutex_lock(&mutex) == 0 && twz_mutex_is_mine(&mutex) && twz_mutex_is_held(&mutex));
    CHECK(twz_mutex_trylock(&mutex) == -TWZ_EBUSY);
    CHECK(twz_mutex_lock_for(&mutex, UINT64_MAX) == -TWZ_EBUSY);
    twz_mutex_unlock(&mutex);
    CHECK(!twz_mutex_is_held(&mutex) && twz_mutex_trylock(&mutex) == 0);
    host_reboot();
    CHECK(!twz_mutex_is_mine(&mutex) && twz_mutex_is_held(&mutex));
    CHECK(twz_mutex_lock(&mutex) == TWZ_MUTEX_DIED && twz_mutex_is_mine(&mutex));
    twz_mutex_unlock(&mutex);
    CHECK(twz_mutex_lock(&mutex) == 0);
}

static void test_typed(void)
{
    const struct box *box, *other;
    struct item *i, *j;
    twzobj obj;

    start();
    CHECK(!twz_open("/box", struct box, 0) && twz_error_last() == -TWZ_ENONAME);
    box = twz_open("/box", struct box, TWZ_CREATE);
    CHECK(box && box->count == 0 && twz_isnull(box->first));
    CHECK(twz_open("/box", struct box, TWZ_CREATE) == box);
    CHECK(!twz_open("/box", struct box_grown, TWZ_CREATE) && twz_error_last() == -TWZ_ETYPE);
    CHECK(!twz_open("/", struct box, TWZ_CREATE) && twz_error_last() == -TWZ_EISDIR);
    CHECK(!twz_open("/no/box", struct box, TWZ_CREATE) && twz_error_last() == -TWZ_ENONAME);
    other = twz_open("/other", struct box, TWZ_CREATE);
    i = twz_new(box, struct item);
    j = twz_new(other, struct item);
    CHECK(i && j && (const uint8_t *)i >= (const uint8_t *)(box + 1));
    i->number = 1;
    j->number = 2;
    CHECK(twz_init(i->next, NULL) == 0 && twz_init(j->next, i) == 0);
    CHECK(twz_set(box->first, j) == 0);
    CHECK(twz_at(box->first) == j && twz_at(twz_at(box->first)->next) == i);
    CHECK(!twz_at_or_null(i->next));
    twz_put(box->count, 2);
    twz_put(twz_at(box->first)->half, 0xffff);
    CHECK(box->count == 2 && j->half == 0xffff && j->number == 2);
    CHECK(twz_set(box->first, NULL) == 0 && twz_isnull(box->first));
    CHECK(twz_object_init_ptr(&obj, box) == 0);
    CHECK(twz_object_set_size(&obj, TWZ_OBJ_DATA_MAX - 8) == 0);
    CHECK(!twz_new(box, struct item) && twz_error_last() == -TWZ_EFULL);
    CHECK(!twz_new_space(box, 0, 8) && twz_error_last() == -TWZ_EINVAL);
    CHECK(!twz_new(box, struct item) && twz_error_last() == -TWZ_EFULL);
    CHECK(!twz_new_space(box, 8, 3) && twz_error_last() == -TWZ_EINVAL);
    CHECK(!twz_open_typed("/none", 1, TWZ_OBJ_DATA_MAX, 0) && twz_error_last() == -TWZ_ENONAME);
    CHECK(!twz_open_typed("/none", 1, TWZ_OBJ_DATA_MAX + 1, 0) && twz_error_last() == -TWZ_EINVAL);
}

/* Space that begins at the object's size must not overlap data in use, which the size has to cover:
 * the data of a new object, or the field for which a name is copied. */
static void test_space_behind_the_size(void)
{
    const uint64_t size = sizeof(uint64_t[2]);
    twzobj obj, other;
    twz_pptr_t *field;
    uint64_t *base;

    start();
    CHECK(twz_name_create("/data", 0, NULL, NULL, &obj) == 0);
    CHECK(twz_object_new(&other, NULL, NULL, 0) == 0 && twz_object_set_size(&other, 64) == 0);
    base = twz_object_base(&obj);
    field = twz_object_base(&obj);
    CHECK(twz_touch(base, 4096) == 0);
    base[0] = 7;
    base[1] = 8;
    CHECK(!twz_new(base, struct item) && twz_error_last() == -TWZ_EINVAL);
    CHECK(twz_ptr_store_name(&obj, field, "/x", TWZ_OBJ_BASE, 0, TWZ_READ) == -TWZ_EINVAL);
    CHECK(twz_object_set_size(&obj, size - 1) == 0); /* not all of field[1] */
    CHECK(twz_ptr_store_name(&obj, field + 1, "/x", TWZ_OBJ_BASE, 0, TWZ_READ) == -TWZ_EINVAL);
    CHECK(!twz_new(base + 2, struct item) && twz_error_last() == -TWZ_EINVAL);
    CHECK(!twz_new(obj.start, struct item) && twz_error_last() == -TWZ_EINVAL);
    CHECK(base[0] == 7 && base[1] == 8 && twz_object_size(&obj) == size - 1);
    CHECK(twz_object_set_size(&obj, size) == 0);
    CHECK(twz_ptr_store_name(&obj, twz_object_base(&other), "/x", TWZ_OBJ_BASE, 0, TWZ_READ) ==
          -TWZ_EINVAL);
    CHECK(twz_new(base + 1, struct item) == (void *)(base + 2));
    CHECK(twz_ptr_store_name(&obj, field + 1, "/x", TWZ_OBJ_BASE, 0, TWZ_READ) == 0);
    CHECK(base[0] == 7 && TWZ_PPTR_FOT(base[1]) == 1);
}

/* A full pool is an error of each call that needs a page, whichever page it is. */
static void test_no_space(void)
{
    const struct box *box;
    twzobj a, b;
    twz_pptr_t p;

    start();
    CHECK(twz_object_new(&a, NULL, NULL, 0) == 0 && twz_object_new(&b, NULL, NULL, 0) == 0);
    box = twz_open("/box", struct box, TWZ_CREATE);
    CHECK(box);
    host_touch_fail(-TWZ_ENOSPC);
    CHECK(twz_ptr_make(&a, b.id, TWZ_OBJ_BASE, TWZ_READ, &p) == -TWZ_ENOSPC);
    CHECK(!twz_new(box, struct item) && twz_error_last() == -TWZ_ENOSPC);
    host_touch_fail_at(twz_fot_entry(&a, 1), -TWZ_ENOSPC); /* the count of entries has its page */
    CHECK(twz_ptr_make(&a, b.id, TWZ_OBJ_BASE, TWZ_READ, &p) == -TWZ_ENOSPC);
    host_touch_fail(0);
    CHECK(twz_ptr_make(&a, b.id, TWZ_OBJ_BASE, TWZ_READ, &p) == 0 && twz_new(box, struct item));
}

/* A guard holds each object once for each time that it is open. */
static void test_guards(void)
{
    struct twz_guard g = { 0 };
    struct twz_mutex lock[2] = { 0 };
    twzobj a, b;

    start();
    CHECK(twz_object_new(&a, NULL, NULL, 0) == 0 && twz_object_new(&b, NULL, NULL, 0) == 0);
    twz_guard_begin(&g);
    twz_guard_opened(&a);
    twz_guard_opened(&b);
    twz_guard_opened(&a);
    twz_guard_closed(&a);
    CHECK(g.objects == 2 && g.object[0].start == a.start && g.object[1].start == b.start);
    twz_guard_closed(&a);
    CHECK(g.objects == 1 && g.object[0].start == b.start);
    twz_guard_closed(&a); /* was opened before the guard */
    CHECK(g.objects == 1);
    twz_guard_watch(a.start);
    twz_guard_watch(a.start);
    CHECK(g.watched == 1 && g.watch[0] == a.start);
    twz_guard_lock(&lock[0]);
    twz_guard_lock(&lock[1]);
    twz_guard_unlock(&lock[0]);
    CHECK(g.locks == 1 && g.lock[0] == &lock[1]);
    twz_guard_end(&g);
}

/* A fault that is raised under a guard which watches obj, and the guard's answer. */
struct raised {
    const twzobj *obj;
    struct twz_fault fault;
    int err;
};

static int raise_watched(const struct raised *r)
{
    twz_guard_watch(r->obj->start);
    twz_fault_raise(&r->fault);
    return 0;
}

static void try_guarded(void *arg)
{
    struct raised *r = arg;

    r->err = TWZ_GUARDED(raise_watched(r));
}

/* A fault ends a guarded operation with an error only in an object that the guard knows, and only
 * if an access raised it. Each other one is the caller's. */
static void test_guard_faults(void)
{
    struct raised r = { .fault = { .kind = TWZ_FAULT_PAGE } };
    struct twz_fault fault;
    twzobj a, b;

    start();
    CHECK(twz_object_new(&a, NULL, NULL, 0) == 0 && twz_object_new(&b, NULL, NULL, 0) == 0);
    r.obj = &a;
    r.fault.addr = (uint64_t)(uintptr_t)twz_object_base(&a);
    CHECK(twz_try(try_guarded, &r, &fault) == 0 && r.err == -TWZ_EIO);
    r.fault.addr = (uint64_t)(uintptr_t)twz_object_base(&b);
    CHECK(twz_try(try_guarded, &r, &fault) == 1 && fault.addr == r.fault.addr);
    r.fault.addr = (uint64_t)(uintptr_t)twz_object_base(&a);
    r.fault.kind = TWZ_FAULT_EXCEPTION;
    CHECK(twz_try(try_guarded, &r, &fault) == 1 && fault.kind == TWZ_FAULT_EXCEPTION);
}

int main(void)
{
    test_ext();
    test_ext_leaks();
    test_point_beside();
    test_look_beside();
    test_pointers();
    test_mutex();
    test_typed();
    test_space_behind_the_size();
    test_no_space();
    test_guards();
    test_guard_faults();
    printf("11 passed, 0 failed\n");
    return 0;
}
