/* SPDX-License-Identifier: MIT */
/* Attribute tables: records, their reuse, lost hints, and tables that a program has spoiled. */
#include <stdio.h>
#include <string.h>

#include <attr/attr.h>

#include "../../libtwz/test/host.h"

#define PAGE (TWZ_PAGE_SIZE / ATTR_RECORD)

static twzobj table;
static objid_t living;   /* an object that exists */
static objid_t busy_dir; /* has a committed change of record busy_index */
static uint32_t busy_index;

static bool is_busy(objid_t dir, uint32_t index)
{
    return objid_equal(dir, busy_dir) && index == busy_index;
}

static struct attr_head *head(void)
{
    return twz_object_base(&table);
}

static objid_t make_object(void)
{
    twzobj obj;

    CHECK(twz_object_new(&obj, NULL, NULL, TWZ_OC_PERSIST) == 0);
    return obj.id;
}

static void start_test(void)
{
    host_reset();
    busy_dir = TWZ_OBJID_NONE;
    living = make_object();
    CHECK(twz_object_new(&table, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(attr_init(&table, NULL) == 0);
}

static uint32_t new_record(objid_t id, uint64_t mode)
{
    struct attr_values values = { mode, mode + 1, mode + 2 };
    uint32_t index = 0;

    CHECK(attr_new(&table, id, &values, TWZ_OBJID_NONE, is_busy, &index) == 0);
    CHECK(index > 0 && attr_is_of(attr_at(&table, index), id));
    return index;
}

static void test_values(void)
{
    struct attr_values values;
    uint64_t names = 9;
    uint32_t index;
    objid_t id;

    start_test();
    id = make_object();
    index = new_record(id, 0100644);
    CHECK(attr_get(attr_at(&table, index), id, &values, &names) && names == 1);
    CHECK(values.mode == 0100644 && values.mtime_ns == 0100645 && values.ctime_ns == 0100646);
    CHECK(!twz_mutex_is_held(&attr_at(&table, index)->lock));
    CHECK(!attr_get(attr_at(&table, index), table.id, &values, &names));
    CHECK(!attr_is_of(attr_at(&table, index), (objid_t){ id.lo, id.hi + 1 }));
    CHECK(!attr_is_of(attr_at(&table, index), (objid_t){ id.lo + 1, id.hi }));
    CHECK(!attr_at(&table, 0) && !attr_at(&table, ATTR_MAX) && attr_at(&table, ATTR_MAX - 1));
    /* A record that was freed can still be read by a program that has the object open. */
    attr_drop(&table, index);
    CHECK(attr_get(attr_at(&table, index), id, &values, &names) && names == 0);
    CHECK(values.mode == 0100644);
    CHECK(attr_check(&table, NULL, NULL) == 0);
}

/* A record of a directory's intent: names stays 0 and the lock held until the directory stores. */
static void test_intent(void)
{
    struct attr_values values = { 1, 2, 3 };
    struct attr_record *record;
    uint32_t index, other;
    objid_t id, dir;

    start_test();
    id = make_object();
    dir = make_object();
    CHECK(attr_new(&table, id, &values, dir, is_busy, &index) == 0);
    record = attr_at(&table, index);
    CHECK(record->names == 0 && objid_equal(record->names_by, dir));
    CHECK(twz_mutex_is_mine(&record->lock));
    other = new_record(living, 4);
    CHECK(other != index);
    /* The thread is dead and the intent of `dir` committed: no other caller may have the record. */
    host_reboot();
    busy_dir = dir;
    busy_index = index;
    attr_hint(&table, index);
    CHECK(new_record(living, 5) != index);
    busy_index = index + 1;
    attr_hint(&table, index);
    CHECK(new_record(living, 6) == index && objid_is_none(record->names_by));
}

static void test_reuse(void)
{
    uint32_t index[3 * PAGE];

    start_test();
    for (uint32_t i = 0; i < 3 * PAGE; i++) {
        index[i] = new_record(living, i);
        CHECK(index[i] == i + 1);
    }
    CHECK(attr_end(&table) == 4 * PAGE);
    attr_drop(&table, index[40]);
    attr_drop(&table, index[7]);
    CHECK(new_record(living, 1) == index[7]); /* the hint leads to the last one freed */
    CHECK(head()->next == index[7] + 1);      /* the next search begins behind it */
    attr_hint(&table, index[40]);
    CHECK(new_record(living, 1) == index[40]);
    CHECK(new_record(living, 1) == 3 * PAGE + 1);
    /* Hints that lead nowhere cost a look. */
    head()->next = UINT64_MAX;
    CHECK(new_record(living, 1) == 3 * PAGE + 2);
    head()->next = ATTR_MAX;
    head()->sweep = UINT64_MAX;
    CHECK(new_record(living, 1) == 3 * PAGE + 3);
    CHECK(attr_check(&table, NULL, NULL) == 0);
}

/* No record lies at or behind `end`, which moves by a page of records; lost hints do not matter. */
static void test_end(void)
{
    static const uint64_t bad[] = { 0, 1, 17, 3 * PAGE, UINT64_MAX };

    start_test();
    CHECK(attr_end(&table) == 1);
    for (uint32_t i = 1; i <= 2 * PAGE; i++) {
        CHECK(new_record(living, i) == i);
        CHECK(attr_end(&table) == (i / PAGE + 1) * PAGE && head()->end == attr_end(&table));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        host_reboot();
        CHECK(attr_open(table.id, TWZ_READ | TWZ_WRITE, &table) == 0);
        head()->next = head()->fresh = head()->sweep = bad[i];
        head()->ready = 0;
        for (uint32_t j = 0; j < 2 * PAGE; j++)
            CHECK(new_record(living, j) < attr_end(&table));
    }
    head()->end = ATTR_MAX;
    CHECK(attr_end(&table) == ATTR_MAX);
    head()->end = UINT64_MAX;
    CHECK(attr_end(&table) == ATTR_MAX);
}

/* A page cannot be had: the caller learns it. */
static void test_no_space(void)
{
    struct attr_values values = { 1, 2, 3 };
    uint32_t index;
    twzobj other;

    start_test();
    CHECK(twz_object_new(&other, NULL, NULL, TWZ_OC_PERSIST) == 0);
    host_touch_fail(-TWZ_ENOSPC);
    CHECK(attr_init(&other, NULL) == -TWZ_ENOSPC);
    CHECK(attr_new(&table, living, &values, TWZ_OBJID_NONE, is_busy, &index) == -TWZ_ENOSPC);
    host_touch_fail(0);
    CHECK(attr_init(&other, NULL) == 0);
    (void)new_record(living, 1);
}

/* A program has stored another end: no record in use is given away. */
static void test_lost_end(void)
{
    static const uint64_t ends[] = { 0, 1, 60, ATTR_MAX, UINT64_MAX };
    uint32_t used = 100;

    start_test();
    for (uint32_t i = 0; i < used; i++)
        CHECK(new_record(living, i) == i + 1);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        head()->end = ends[i];
        head()->next = 0;
        CHECK(new_record(living, 1) > used);
        for (uint32_t at = 1; at <= used; at++)
            CHECK(attr_at(&table, at)->mode == at - 1);
    }
}

/* Records whose objects are gone are found by those who make new pages. */
static void test_sweep(void)
{
    objid_t gone[PAGE];
    uint32_t freed = 0;

    start_test();
    for (uint32_t i = 0; i < PAGE; i++) {
        gone[i] = make_object();
        (void)new_record(gone[i], i);
    }
    busy_dir = attr_at(&table, 2)->names_by = make_object();
    busy_index = 2;
    CHECK(twz_mutex_lock(&attr_at(&table, 3)->lock) == 0);
    for (uint32_t i = 0; i < PAGE; i += 2)
        twz_object_delete_guid(gone[i], 0);
    twz_object_delete_guid(gone[1], 0); /* record 2: of a committed change */
    head()->sweep = 0;                  /* as after a loss of power */
    for (uint32_t i = 0; i < 8 * PAGE; i++)
        (void)new_record(living, 7);
    for (uint32_t i = 0; i < PAGE; i++) {
        const struct attr_record *record = attr_at(&table, i + 1);

        freed += record->names == 0 || !attr_is_of(record, gone[i]);
    }
    CHECK(freed == PAGE / 2 - 1); /* not that whose lock is held */
    CHECK(attr_is_of(attr_at(&table, 2), gone[1]) && attr_is_of(attr_at(&table, 3), gone[2]));
    for (uint32_t i = 3; i < PAGE; i += 2)
        CHECK(attr_at(&table, i + 1)->names == 1 && attr_at(&table, i + 1)->mode == i);
}

static void test_opens(void)
{
    twzobj other, blank;

    start_test();
    CHECK(twz_object_getext(&table, ATTR_TAG) == head());
    CHECK(attr_open(table.id, TWZ_READ | TWZ_WRITE, &other) == 0);
    CHECK(attr_open((objid_t){ 77, 77 }, TWZ_READ, &other) == -TWZ_ENOOBJ);
    CHECK(twz_object_new(&blank, NULL, NULL, 0) == 0);
    CHECK(attr_open(blank.id, TWZ_READ, &other) == -TWZ_ETYPE);
    CHECK(attr_check(&blank, NULL, NULL) == -TWZ_ETYPE);
    head()->version++;
    CHECK(attr_open(table.id, TWZ_READ, &other) == -TWZ_EVERSION);
    CHECK(attr_check(&table, NULL, NULL) == -TWZ_EVERSION);
    head()->version--;
    head()->record *= 2;
    CHECK(attr_open(table.id, TWZ_READ, &other) == -TWZ_EVERSION);
    CHECK(attr_check(&table, NULL, NULL) == -TWZ_EVERSION);
    head()->record = ATTR_RECORD;
    CHECK(attr_open(table.id, TWZ_READ, &other) == 0);
}

struct findings {
    uint64_t off[4];
    int count;
};

static void found(void *ctx, uint64_t off, const char *what)
{
    struct findings *findings = ctx;

    CHECK(findings->count < 4 && strcmp(what, "bad attribute record") == 0);
    findings->off[findings->count++] = off;
}

static void keep_line(void *ctx, const char *line)
{
    snprintf(ctx, 128, "%s", line);
}

static void test_tools(void)
{
    struct findings findings = { .count = 0 };
    char line[128];

    start_test();
    for (uint32_t i = 0; i < 20; i++)
        (void)new_record(living, i);
    attr_drop(&table, 9);
    CHECK(attr_show(&table, keep_line, line) == 0);
    CHECK(strcmp(line, "attribute table, records in use 19 of 31 seen") == 0);
    attr_at(&table, 5)->id = TWZ_OBJID_NONE;
    attr_at(&table, 6)->names = (1ull << 32) - 1;
    attr_at(&table, 7)->names = 1ull << 32;
    attr_at(&table, 9)->id = TWZ_OBJID_NONE; /* free */
    CHECK(attr_check(&table, found, &findings) == 2 && findings.count == 2);
    CHECK(findings.off[0] == ATTR_RECORDS + 5ull * ATTR_RECORD);
    CHECK(findings.off[1] == ATTR_RECORDS + 7ull * ATTR_RECORD);
    head()->magic ^= 1;
    CHECK(attr_show(&table, keep_line, line) == -TWZ_ETYPE);
}

/* All records near the hints are taken: the search ends. */
static void test_full(void)
{
    struct attr_values values = { 1, 2, 3 };
    uint32_t index;

    start_test();
    for (uint32_t i = 1; i < 50; i++) {
        CHECK(twz_touch(attr_at(&table, i), ATTR_RECORD) == 0);
        attr_at(&table, i)->names = 1;
    }
    head()->end = ATTR_MAX - 3;
    for (uint32_t i = 3; i > 0; i--)
        CHECK(new_record(living, 1) == ATTR_MAX - i);
    head()->end = ATTR_MAX - 1;
    head()->next = 0;
    CHECK(attr_new(&table, table.id, &values, TWZ_OBJID_NONE, is_busy, &index) == -TWZ_EFULL);
}

static void test_locks(void)
{
    struct twz_mutex *a = attr_size_lock(&table, (objid_t){ 1, 2 });
    uint32_t others = 0;

    CHECK(a == attr_size_lock(&table, (objid_t){ 1, 2 }));
    for (uint64_t i = 0; i < 1000; i++) {
        struct twz_mutex *lock = attr_size_lock(&table, (objid_t){ i, 2 });

        CHECK(lock >= head()->size_lock && lock < head()->size_lock + ATTR_LOCKS);
        others += lock != a;
    }
    CHECK(others > 900);
}

int main(void)
{
    test_values();
    test_intent();
    test_reuse();
    test_end();
    test_no_space();
    test_lost_end();
    test_sweep();
    test_opens();
    test_tools();
    test_full();
    test_locks();
    printf("11 passed, 0 failed\n");
    return 0;
}
