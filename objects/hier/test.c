/* SPDX-License-Identifier: MIT */
/* Directories: each operation, its errors, growth, cursors, paths. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <hier/hier.h>
#include <twz/faults.h>

#include "../../libtwz/test/host.h"

static twzobj root, attrs;
static const struct attr_values plain;

static struct hier_name n(const char *text)
{
    return (struct hier_name){ text, strlen(text) };
}

static void start_test(void)
{
    host_reset();
    CHECK(twz_object_new(&root, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(twz_object_new(&attrs, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(hier_init_volume(&root, &attrs) == 0);
    host_root_set(root.id);
}

static void check_clean(const twzobj *dir)
{
    CHECK(hier_check(dir, NULL, NULL) == 0);
}

static objid_t create_file(const twzobj *dir, const char *name)
{
    struct hier_create create = { .kind = HIER_OBJECT };
    objid_t id;
    twzobj obj;

    CHECK(hier_create(dir, n(name), &create, &obj) == 0);
    id = obj.id;
    twz_object_release(&obj);
    return id;
}

static twzobj create_dir(const twzobj *in, const char *name)
{
    struct hier_create create = { .kind = HIER_DIR };
    twzobj obj;

    CHECK(hier_create(in, n(name), &create, &obj) == 0);
    return obj;
}

static int lookup(const twzobj *in, const char *name, objid_t *id)
{
    struct hier_found found;
    int err = hier_lookup(in, n(name), &found);

    if (err >= 0)
        *id = found.id;
    return err;
}

static void test_names(void)
{
    struct hier_found found;
    char long_name[300];
    char text[16];
    objid_t a, id;

    start_test();
    a = create_file(&root, "a");
    CHECK(lookup(&root, "a", &id) == 0 && objid_equal(id, a));
    CHECK(lookup(&root, "b", &id) == -TWZ_ENONAME);
    CHECK(hier_insert(&root, n("a"), a, &plain) == -TWZ_EEXIST);
    CHECK(hier_insert(&root, n("b"), a, &plain) == 0);
    CHECK(hier_count(&root) == 2);
    CHECK(hier_insert(&root, n("x/y"), a, &plain) == -TWZ_EINVAL);
    CHECK(hier_insert(&root, n(".."), a, &plain) == -TWZ_EINVAL);
    CHECK(hier_insert(&root, n(""), a, &plain) == -TWZ_EINVAL);
    CHECK(hier_insert(&root, (struct hier_name){ "a\0b", 3 }, a, &plain) == -TWZ_EINVAL);
    CHECK(hier_insert(&root, n("a\1b"), a, &plain) == 0 && hier_remove(&root, n("a\1b"), 0) == 0);
    memset(long_name, 'l', sizeof(long_name));
    CHECK(hier_insert(&root, (struct hier_name){ long_name, 256 }, a, &plain) == -TWZ_ENAMELEN);
    CHECK(hier_insert(&root, (struct hier_name){ long_name, 255 }, a, &plain) == 0);
    CHECK(hier_lookup(&root, (struct hier_name){ long_name, 255 }, &found) == 0);
    CHECK(hier_symlink(&root, n("s"), "to/there", 8) == 0);
    CHECK(hier_readlink(&root, n("s"), text, sizeof(text)) == 8);
    CHECK(memcmp(text, "to/there", 8) == 0);
    CHECK(hier_readlink(&root, n("a"), text, sizeof(text)) == -TWZ_EINVAL);
    CHECK(hier_remove(&root, n("s"), 0) == 0);
    CHECK(hier_remove(&root, n("s"), 0) == -TWZ_ENONAME);
    CHECK(hier_lookup(&root, n("s"), &found) == -TWZ_ENONAME);
    check_clean(&root);
}

/* Without the attribute table. */
static size_t object_count(void)
{
    return host_objects(NULL, 0) - 1;
}

/* Names of the object of a name, as its record counts them; 0: it has no record. */
static uint64_t names_of(const twzobj *dir, const char *name)
{
    struct hier_found found;
    struct attr_values values;
    uint64_t names = 0;

    CHECK(hier_lookup(dir, n(name), &found) == 0);
    if (!found.attr || !attr_get(attr_at(&attrs, found.attr), found.id, &values, &names))
        return 0;
    return names;
}

/* Records in use, besides the root's. */
static uint64_t records(void)
{
    uint64_t used = 0;

    for (uint64_t i = 1; i < attr_end(&attrs); i++)
        used += attr_at(&attrs, i)->names != 0;
    return used - 1;
}

static void test_links(void)
{
    struct hier_found found;
    objid_t a, b;

    start_test();
    a = create_file(&root, "a");
    CHECK(hier_lookup(&root, n("a"), &found) == 0 && names_of(&root, "a") == 1);
    CHECK(hier_link(&root, n("a2"), &found) == 0);
    CHECK(names_of(&root, "a") == 2 && names_of(&root, "a2") == 2 && records() == 1);
    CHECK(hier_rename(&root, n("a2"), &root, n("a3"), 0) == 0 && names_of(&root, "a3") == 2);
    CHECK(hier_remove(&root, n("a"), HIER_DELETE) == 0);
    CHECK(object_count() == 2 && names_of(&root, "a3") == 1);
    CHECK(hier_remove(&root, n("a3"), HIER_DELETE) == 0);
    CHECK(object_count() == 1 && records() == 0);
    CHECK(hier_link(&root, n("a4"), &found) == -TWZ_EXDEV); /* its record is free */
    a = create_file(&root, "a");
    CHECK(hier_remove(&root, n("a"), 0) == 0 &&
          object_count() == 2); /* the object is not deleted */
    CHECK(records() == 0);
    CHECK(hier_insert(&root, n("a"), a, &plain) == 0 && names_of(&root, "a") == 1);
    b = create_file(&root, "b");
    CHECK(hier_replace(&root, n("a"), b, &plain, HIER_DELETE) == 0);
    CHECK(object_count() == 2 && names_of(&root, "a") == 1 && records() == 2);
    CHECK(hier_lookup(&root, n("a"), &found) == 0 && objid_equal(found.id, b));
    twz_object_delete_guid(b, 0);
    CHECK(hier_remove(&root, n("b"), HIER_DELETE) == 0); /* a name without an object */
    CHECK(hier_remove(&root, n("a"), HIER_DELETE) == 0 && records() == 0);
    check_clean(&root);
}

static struct attr_record *record_of(const char *name)
{
    struct hier_found found;

    CHECK(hier_lookup(&root, n(name), &found) == 0);
    return attr_at(&attrs, found.attr);
}

/* A record that does not belong to its entry is an error of that name only. */
static void test_records(void)
{
    struct hier_create create = { .kind = HIER_OBJECT, .values = { 0100644, 5, 6 } };
    struct hier_found found;
    uint32_t attr;
    objid_t a;

    start_test();
    create.attr = &attr;
    CHECK(hier_create(&root, n("x"), &create, NULL) == 0);
    CHECK(hier_lookup(&root, n("x"), &found) == 0 && found.attr == attr);
    CHECK(record_of("x")->mode == 0100644 && record_of("x")->mtime_ns == 5);
    CHECK(hier_rename(&root, n("x"), &root, n("y"), 0) == 0);
    CHECK(record_of("y")->ctime_ns == 6 && record_of("y") == attr_at(&attrs, attr));
    a = create_file(&root, "a");
    record_of("a")->id.lo ^= 1;
    CHECK(hier_lookup(&root, n("a"), &found) == 0);
    CHECK(hier_link(&root, n("a2"), &found) == -TWZ_EXDEV);
    CHECK(hier_remove(&root, n("a"), HIER_DELETE) == 0);
    CHECK(twz_object_stat(a, &(struct twz_stat){ 0 }) == 0); /* it may have other names */
    CHECK(names_of(&root, "y") == 1);
    /* An entry that names no record, and one of a table that does not exist. */
    found.attr = ATTR_MAX;
    CHECK(hier_link(&root, n("a2"), &found) == -TWZ_EXDEV);
    found.attr = 0;
    CHECK(hier_link(&root, n("a2"), &found) == -TWZ_ENOTSUP);
    twz_object_delete_guid(attrs.id, 0);
    CHECK(hier_create(&root, n("z"), &create, NULL) == -TWZ_ENOOBJ);
    CHECK(hier_remove(&root, n("y"), HIER_DELETE) == 0);
    check_clean(&root);
}

/* If the object cannot be made permanent, neither the name nor the object remains. */
static void test_create_fails(void)
{
    struct hier_create create = { .kind = HIER_OBJECT };
    struct hier_found found;

    start_test();
    host_ctl_fail(-TWZ_EIO);
    CHECK(hier_create(&root, n("a"), &create, NULL) == -TWZ_EIO);
    create.kind = HIER_DIR;
    CHECK(hier_create(&root, n("d"), &create, NULL) == -TWZ_EIO);
    host_ctl_fail(0);
    CHECK(hier_lookup(&root, n("a"), &found) == -TWZ_ENONAME);
    CHECK(hier_lookup(&root, n("d"), &found) == -TWZ_ENONAME);
    CHECK(object_count() == 1 && records() == 0);
    CHECK(hier_create(&root, n("a"), &create, NULL) == 0);
    check_clean(&root);
}

/* The creator is dead: another program gives the name away, and the machine is switched off. */
static int rename_after_death(void *ctx)
{
    struct hier_found found;

    (void)ctx;
    host_ctl_watch(NULL);
    CHECK(hier_rename(&root, n("a"), &root, n("b"), 0) == 0);
    host_reboot();
    CHECK(hier_lookup(&root, n("b"), &found) == 0);
    CHECK(twz_object_stat(found.id, &(struct twz_stat){ 0 }) == 0);
    CHECK(names_of(&root, "b") == 1);
    check_clean(&root);
    return 0;
}

static unsigned deaths;

static void die_before_ctl(void)
{
    deaths++;
    CHECK(host_death(rename_after_death, NULL) == 0);
}

/* A creator that dies before the object is permanent leaves that to the next owner. */
static void test_creator_dies(void)
{
    struct hier_create create = { .kind = HIER_OBJECT, .values = { 0100644, 5, 6 } };

    start_test();
    host_ctl_watch(die_before_ctl);
    deaths = 0;
    CHECK(hier_create(&root, n("a"), &create, NULL) == 0);
    host_ctl_watch(NULL);
    CHECK(deaths == 1);
}

static struct hier_entry *entry_of(const twzobj *dir, const char *name)
{
    size_t len = strlen(name);
    uint8_t *at = dir->start + HIER_START;

    for (;; at += HIER_CELL) {
        struct hier_entry *e = (void *)at;

        if (HIER_CHUNK_KIND(e->chunk) == HIER_CHUNK_ENTRY && e->name_len == len &&
            memcmp(e->bytes, name, len) == 0)
            return e;
    }
}

/* A kind that this version does not know is damage of that one name: no call takes it for another
 * kind. */
static void test_unknown_kinds(void)
{
    static const uint8_t unknown[] = { 0, HIER_SYMLINK + 1, 77, 255 };
    struct hier_create create = { .kind = HIER_OBJECT };
    struct hier_found found;
    char text[8];

    start_test();
    (void)create_file(&root, "a");
    (void)create_file(&root, "b");
    for (size_t i = 0; i < sizeof(unknown); i++) {
        entry_of(&root, "a")->kind = unknown[i];
        CHECK(hier_lookup(&root, n("a"), &found) == -TWZ_EDAMAGED);
        CHECK(hier_readlink(&root, n("a"), text, sizeof(text)) == -TWZ_EDAMAGED);
        CHECK(hier_create(&root, n("a"), &create, NULL) == -TWZ_EDAMAGED);
        CHECK(hier_rename(&root, n("a"), &root, n("c"), 0) == -TWZ_EDAMAGED);
        CHECK(hier_rename(&root, n("b"), &root, n("a"), 0) == -TWZ_EDAMAGED);
        CHECK(hier_remove(&root, n("a"), HIER_DELETE) == -TWZ_EDAMAGED);
        CHECK(hier_lookup(&root, n("b"), &found) == 0);
        CHECK(hier_check(&root, NULL, NULL) > 0);
    }
    entry_of(&root, "a")->kind = HIER_OBJECT;
    CHECK(hier_lookup(&root, n("a"), &found) == 0);
    check_clean(&root);
}

static int fill_from(const twzobj *obj, void *ctx)
{
    return *(const volatile uint8_t *)twz_object_base(ctx) + (obj->start ? 0 : 1);
}

static void create_by(void *arg)
{
    (void)!hier_create(&root, n("x"), arg, NULL);
}

/* A fault in `fill` is the caller's; the directory is unlocked, and nothing is left. */
static void test_fill_faults(void)
{
    struct hier_create create = { .kind = HIER_OBJECT, .fill = fill_from };
    struct hier_found found;
    struct twz_fault fault;
    twzobj source;

    start_test();
    CHECK(twz_object_new(&source, NULL, NULL, 0) == 0);
    create.ctx = &source;
    host_page_protect(&source, TWZ_OBJ_BASE, PROT_NONE);
    CHECK(twz_try(create_by, &create, &fault) == 1);
    CHECK(fault.addr == (uint64_t)(uintptr_t)twz_object_base(&source));
    CHECK(hier_lookup(&root, n("x"), &found) == -TWZ_ENONAME);
    CHECK(object_count() == 2 && records() == 0);
    host_page_protect(&source, TWZ_OBJ_BASE, PROT_READ | PROT_WRITE);
    CHECK(hier_create(&root, n("x"), &create, NULL) == 0);
    check_clean(&root);
}

/* The thread that removes a directory dies after the commit; then the directory gets a name. */
static void test_removal_of_a_dead_thread(void)
{
    struct hier_dir *head = twz_object_base(&root);
    struct hier_found found;
    twzobj d;

    for (int empty = 0; empty < 2; empty++) {
        start_test();
        head = twz_object_base(&root);
        d = create_dir(&root, "d");
        CHECK(hier_lookup(&root, n("d"), &found) == 0);
        attr_at(&attrs, found.attr)->names_by = root.id;
        head->intent = (struct hier_intent){ .victim = d.id,
                                             .victim_attr = found.attr,
                                             .victim_delete = HIER_DELETE_DIR };
        head->op = HIER_COMMITTED;
        if (!empty)
            CHECK(hier_symlink(&d, n("late"), "x", 1) == 0);
        (void)create_file(&root, "next"); /* finishes the change */
        CHECK(object_count() == (empty ? 2 : 3));
        if (!empty)
            CHECK(hier_lookup(&d, n("late"), &found) == 0);
    }
}

/* A free chunk is used again. A list that leads to an entry gives no chunk. */
static void test_free_chunks(void)
{
    struct hier_dir *head;
    uint64_t bump;
    objid_t a, id;

    start_test();
    head = twz_object_base(&root);
    a = create_file(&root, "a");
    (void)create_file(&root, "b");
    bump = head->bump;
    CHECK(hier_remove(&root, n("b"), HIER_DELETE) == 0);
    (void)create_file(&root, "c");
    CHECK(head->bump == bump);
    for (uint32_t i = 0; i < HIER_LISTS; i++)
        head->free[i] = (uint32_t)((uint8_t *)entry_of(&root, "a") - root.start);
    (void)create_file(&root, "d");
    CHECK(lookup(&root, "a", &id) == 0 && objid_equal(id, a));
    CHECK(lookup(&root, "c", &id) == 0 && lookup(&root, "d", &id) == 0);
}

/* An intent stores only to a bucket: to no word before or behind the table, and to none of two
 * halves. The first entry lies behind the table. */
static void test_forged_buckets(void)
{
    static const uint64_t value = 0x1234567812345678;
    struct hier_dir *head;
    uint64_t table, off[3];
    objid_t a, id;

    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        start_test();
        head = twz_object_base(&root);
        a = create_file(&root, "a");
        table = HIER_TABLE_OFF(head->table) + HIER_CELL;
        off[0] = table + (8ull << HIER_TABLE_BITS(head->table));
        off[1] = table - 8;
        off[2] = table + 4;
        CHECK((uint8_t *)entry_of(&root, "a") == root.start + off[0]);
        head->intent = (struct hier_intent){ .to_bucket = off[i], .to_value = value };
        head->op = HIER_COMMITTED;
        (void)create_file(&root, "next"); /* finishes the change */
        CHECK(memcmp(root.start + off[i], &value, sizeof(value)) != 0);
        CHECK(lookup(&root, "a", &id) == 0 && objid_equal(id, a));
    }
}

static void test_volumes(void)
{
    twzobj other, other_attrs, d;

    start_test();
    CHECK(twz_object_new(&other, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(twz_object_new(&other_attrs, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(hier_init_volume(&other, &other_attrs) == 0);
    (void)create_file(&root, "a");
    d = create_dir(&root, "d");
    CHECK(hier_symlink(&root, n("s"), "a", 1) == 0);
    CHECK(hier_rename(&root, n("a"), &other, n("a"), 0) == -TWZ_EXDEV);
    CHECK(hier_rename(&root, n("s"), &other, n("s"), 0) == 0); /* it has no record */
    CHECK(hier_rename(&root, n("a"), &d, n("a"), 0) == 0 && names_of(&d, "a") == 1);
    check_clean(&root);
    check_clean(&other);
}

static void test_dirs(void)
{
    struct hier_found found;
    twzobj d, e;
    objid_t up;

    start_test();
    d = create_dir(&root, "d");
    e = create_dir(&d, "e");
    CHECK(hier_parent(&e, &up) == 0 && objid_equal(up, d.id));
    CHECK(hier_remove(&root, n("d"), 0) == -TWZ_ENOTEMPTY);
    CHECK(hier_remove(&d, n("e"), HIER_NOT_DIR) == -TWZ_EISDIR);
    CHECK(hier_remove(&d, n("e"), HIER_WANT_DIR) == 0);
    CHECK(hier_insert(&e, n("late"), root.id, &plain) == -TWZ_EDELETED);
    CHECK(object_count() == 2);
    (void)create_file(&d, "f");
    CHECK(hier_remove(&d, n("f"), HIER_WANT_DIR) == -TWZ_ENOTDIR);
    CHECK(hier_lookup(&d, n("f"), &found) == 0 && found.kind == HIER_OBJECT);
    CHECK(hier_probe(&d) == 0);
    check_clean(&root);
    check_clean(&d);
}

static void test_rename(void)
{
    struct hier_found found;
    twzobj d, e, g;
    objid_t a, b, up;

    start_test();
    a = create_file(&root, "a");
    b = create_file(&root, "b");
    d = create_dir(&root, "d");
    e = create_dir(&d, "e");
    g = create_dir(&root, "g");
    CHECK(hier_rename(&root, n("a"), &root, n("c"), 0) == 0);
    CHECK(hier_lookup(&root, n("a"), &found) == -TWZ_ENONAME);
    CHECK(hier_lookup(&root, n("c"), &found) == 0 && objid_equal(found.id, a));
    CHECK(hier_rename(&root, n("c"), &root, n("c"), 0) == 0);
    CHECK(hier_rename(&root, n("c"), &root, n("b"), HIER_EXCL) == -TWZ_EEXIST);
    CHECK(hier_rename(&root, n("c"), &root, n("b"), HIER_DELETE) == 0);
    CHECK(hier_lookup(&root, n("b"), &found) == 0 && objid_equal(found.id, a));
    CHECK(!objid_equal(a, b) && object_count() == 5);
    CHECK(hier_rename(&root, n("b"), &e, n("b"), 0) == 0);
    CHECK(hier_lookup(&e, n("b"), &found) == 0 && hier_count(&root) == 2);
    CHECK(hier_rename(&root, n("d"), &e, n("x"), 0) == -TWZ_EINVAL);
    CHECK(hier_rename(&root, n("d"), &d, n("x"), 0) == -TWZ_EINVAL);
    CHECK(hier_rename(&d, n("e"), &root, n("g"), 0) == 0); /* g was empty */
    CHECK(hier_parent(&e, &up) == 0 && objid_equal(up, root.id));
    CHECK(hier_insert(&g, n("late"), a, &plain) == -TWZ_EDELETED);
    CHECK(hier_rename(&root, n("d"), &root, n("g"), 0) == -TWZ_ENOTEMPTY);
    (void)create_file(&root, "f");
    CHECK(hier_rename(&root, n("f"), &root, n("d"), 0) == -TWZ_EISDIR);
    CHECK(hier_rename(&root, n("d"), &root, n("f"), 0) == -TWZ_ENOTDIR);
    CHECK(hier_rename(&root, n("none"), &root, n("f"), 0) == -TWZ_ENONAME);
    check_clean(&root);
    check_clean(&d);
    check_clean(&e);
}

static void test_many(void)
{
    struct hier_item item;
    const uint32_t count = 100000;
    uint64_t cursor = 0;
    uint32_t seen = 0;
    struct hier_found found;
    char name[32];

    start_test();
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "name%u", i);
        CHECK(hier_insert(&root, n(name), (objid_t){ i + 1, 5 }, &plain) == 0);
    }
    CHECK(hier_count(&root) == count);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "name%u", i);
        CHECK(hier_lookup(&root, n(name), &found) == 0 && found.id.lo == i + 1);
    }
    /* Remove half of the names while counting the others: each of these must come once. */
    while (hier_iter(&root, &cursor, &item) == 1) {
        seen += item.found.id.lo % 2;
        if (item.found.id.lo % 2 == 0)
            CHECK(hier_remove(&root, (struct hier_name){ item.name, item.len }, 0) == 0);
    }
    CHECK(seen == count / 2 && hier_count(&root) == count / 2);
    for (uint32_t i = 0; i < count; i++) { /* free chunks are used again */
        snprintf(name, sizeof(name), "again%u", i % 100);
        if (hier_insert(&root, n(name), root.id, &plain) == -TWZ_EEXIST)
            CHECK(hier_remove(&root, n(name), 0) == 0);
    }
    check_clean(&root);
}

static void test_paths(void)
{
    struct hier_where where;
    twzobj a, b;
    objid_t f, id;
    char path[64];

    start_test();
    a = create_dir(&root, "a");
    b = create_dir(&a, "b");
    f = create_file(&b, "f");
    CHECK(hier_symlink(&root, n("l"), "a/b", 3) == 0);
    CHECK(hier_symlink(&b, n("up"), "../../l/f", 9) == 0);
    CHECK(hier_symlink(&b, n("abs"), "/a", 2) == 0);
    CHECK(hier_symlink(&b, n("loop"), "loop", 4) == 0);
    CHECK(twz_name_resolve("/a/b/f", &id) == 0 && objid_equal(id, f));
    CHECK(twz_name_resolve("l/f", &id) == 0 && objid_equal(id, f));
    CHECK(twz_name_resolve("//a/./b/..//b/up", &id) == 0 && objid_equal(id, f));
    CHECK(twz_name_resolve("/a/b/abs/b/f", &id) == 0 && objid_equal(id, f));
    CHECK(twz_name_resolve("/../..", &id) == 0 && objid_equal(id, root.id));
    CHECK(twz_name_resolve("/a/b/loop", &id) == -TWZ_ELOOP);
    CHECK(twz_name_resolve("/a/b/f/", &id) == -TWZ_ENOTDIR);
    CHECK(twz_name_resolve("/a/b/f/x", &id) == -TWZ_ENOTDIR);
    CHECK(twz_name_resolve("/a/x/f", &id) == -TWZ_ENONAME);
    CHECK(twz_name_resolve("", &id) == -TWZ_ENONAME);
    CHECK(hier_walk(root.id, b.id, "../b/l2", 0, &where) == 0);
    CHECK(where.kind == 0 && where.len == 2 && objid_equal(where.dir.id, b.id));
    hier_where_close(&where);
    CHECK(hier_walk(root.id, b.id, "loop", HIER_NOFOLLOW, &where) == 0);
    CHECK(where.kind == HIER_SYMLINK);
    hier_where_close(&where);
    CHECK(hier_path_of(root.id, b.id, path, sizeof(path)) == 4 && strcmp(path, "/a/b") == 0);
    CHECK(hier_path_of(root.id, b.id, path, 4) == -TWZ_ERANGE);
    CHECK(twz_name_of(f, path, sizeof(path)) == 6 && strcmp(path, "/a/b/f") == 0);
    for (size_t size = 2; size < 8; size++) { /* the path and its end fit, or nothing is stored */
        memset(path, '#', sizeof(path));
        CHECK(twz_name_of(f, path, size) == (size < 7 ? -TWZ_ENONAME : 6));
        CHECK(path[size] == '#' && path[size + 1] == '#');
    }
    CHECK(twz_name_mkdir("/a/c/") == 0 && twz_name_mkdir("/a/c") == -TWZ_EEXIST);
    CHECK(twz_name_rename("/a/c", "/a/b/c") == 0 && twz_name_unassign("/a/b/c/") == 0);
    CHECK(twz_name_unassign("/a/b/abs") == 0 && twz_name_resolve("/a/b/abs", &id) < 0);
}

/* A tool shows a header, whatever words it holds. */
static void keep_line(void *ctx, const char *line)
{
    snprintf(ctx, 256, "%s", line);
}

static void test_show(void)
{
    static const char *const states[] = { "idle", "dirty", "committed", "damaged" };
    struct hier_dir *head;
    char line[256], want[256];

    start_test();
    head = twz_object_base(&root);
    for (uint64_t op = 0; op <= HIER_COMMITTED + 1; op++) {
        head->op = op;
        CHECK(hier_show(&root, keep_line, line) == 0);
        snprintf(want, sizeof(want), "%s, parent %016llx:%016llx", states[op],
                 (unsigned long long)root.id.hi, (unsigned long long)root.id.lo);
        CHECK(strlen(line) > strlen(want));
        CHECK(strcmp(line + strlen(line) - strlen(want), want) == 0);
        CHECK(strncmp(line, "directory, names 0, buckets 32 used 0, bytes ", 45) == 0);
    }
}

static void print(void *ctx, const char *line)
{
    *(int *)ctx += line[0] != 0;
}

static void test_hostile(void)
{
    struct hier_found found;
    struct hier_item item;
    uint64_t cursor = 0, rnd = 88172645463325252ull;
    int lines = 0;

    /* Any content of the object must give an answer, without a crash or an endless loop. */
    for (uint32_t round = 0; round < 2000; round++) {
        uint64_t *word;

        start_test();
        (void)create_file(&root, "a");
        (void)create_dir(&root, "d");
        CHECK(hier_symlink(&root, n("s"), "a", 1) == 0);
        for (uint32_t i = 0; i <= round % 3; i++) {
            rnd ^= rnd << 13;
            rnd ^= rnd >> 7;
            rnd ^= rnd << 17;
            word = (uint64_t *)twz_object_base(&root) + rnd % 160;
            if (word >= (uint64_t *)twz_object_base(&root) + 16 &&
                word < (uint64_t *)twz_object_base(&root) + 24)
                continue; /* the locks: by design, an accessor waits for any owner that lives */
            *word = (rnd >> 8) % 3 ? rnd >> (rnd % 64) : 0;
        }
        (void)!hier_lookup(&root, n("a"), &found);
        cursor = 0;
        for (uint32_t i = 0; i < 100 && hier_iter(&root, &cursor, &item) == 1; i++)
            ;
        (void)!hier_check(&root, NULL, NULL);
    }
    start_test();
    CHECK(hier_show(&root, print, &lines) == 0 && lines == 1);
}

int main(void)
{
    test_names();
    test_links();
    test_records();
    test_create_fails();
    test_creator_dies();
    test_unknown_kinds();
    test_fill_faults();
    test_removal_of_a_dead_thread();
    test_free_chunks();
    test_forged_buckets();
    test_volumes();
    test_dirs();
    test_rename();
    test_paths();
    test_show();
    test_hostile();
    test_many();
    printf("17 passed, 0 failed\n");
    return 0;
}
