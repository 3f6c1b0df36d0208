/* SPDX-License-Identifier: MIT */
/* The operations that a power failure cuts, and the follow-ups after one. */
#include <stdio.h>

#include <twz/typed.h>

#include "hier_crash.h"

#define LONG_TEXT                                                                              \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/" \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/" \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/" \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/" \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/"

#define LONG_NAME "a-name-that-takes-more-than-one-cell-a-name-that-takes-more"
#define TAG       0x7473657400000001ull
#define HEADER    0x4ead4eadull /* the header that the tag leads to */

struct tnode {
    twz_ref(struct tnode) next;
    uint64_t value;
};

struct tlist {
    twz_ref(struct tnode) head;
};

struct crash_ids crash_ids;
static const struct attr_values plain;

/* --- directories ----------------------------------------------------------------------------- */

twzobj crash_open(const char *path)
{
    twzobj obj = { 0 };

    (void)!twz_object_init_name(&obj, path, TWZ_READ | TWZ_WRITE);
    return obj;
}

static void op_create(void)
{
    const struct hier_create create = { .kind = HIER_OBJECT, .values = { 0100640, 7, 8 } };
    twzobj root = crash_open("/");

    (void)!hier_create(&root, crash_name("new"), &create, NULL);
}

/* A volume's table, as a named object. */
static void op_attrs(void)
{
    twzobj obj;

    (void)!twz_name_create("/attrs", 0, attr_init, NULL, &obj);
}

static void show_attrs(char *text, size_t size)
{
    twzobj table;
    objid_t id;
    int err = 0;

    if (twz_name_resolve("/attrs", &id) == 0)
        err = attr_open(id, TWZ_READ, &table);
    if (err == 0 && twz_name_resolve("/attrs", &id) == 0)
        err = twz_object_meta(&table)->type == ATTR_MAGIC && twz_object_getext(&table, ATTR_TAG)
                  ? 0
                  : 1;
    snprintf(text, size, "table %d\n", err);
}

static void op_mkdir(void)
{
    (void)!twz_name_mkdir("/d/new");
}

static void op_insert_long(void)
{
    twzobj root = crash_open("/");
    char name[200];

    memset(name, 'n', sizeof(name));
    (void)!hier_insert(&root, (struct hier_name){ name, sizeof(name) }, crash_ids.root, &plain);
}

static void op_symlink(void)
{
    twzobj root = crash_open("/");

    (void)!hier_symlink(&root, crash_name("sym"), "d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z",
                        45);
}

static void op_link(void)
{
    twzobj root = crash_open("/"), d = crash_open("/d");
    struct hier_found found;

    if (hier_lookup(&root, crash_name("a"), &found) == 0)
        (void)!hier_link(&d, crash_name("a3"), &found);
}

static void op_unlink_last(void)
{
    twzobj root = crash_open("/");

    (void)!hier_remove(&root, crash_name("b"), HIER_DELETE);
}

static void op_unlink_one(void)
{
    twzobj root = crash_open("/");

    (void)!hier_remove(&root, crash_name("a"), HIER_DELETE);
}

static void op_rmdir(void)
{
    twzobj root = crash_open("/");

    (void)!hier_remove(&root, crash_name("empty"), HIER_WANT_DIR);
}

static void op_replace(void)
{
    twzobj root = crash_open("/");
    objid_t id;

    if (twz_name_resolve("/d/x", &id) == 0)
        (void)!hier_replace(&root, crash_name("b"), id, &plain, HIER_DELETE);
}

static void op_rename_here(void)
{
    (void)!twz_name_rename("/b", "/c");
}

static void op_rename_over(void)
{
    twzobj root = crash_open("/");

    (void)!hier_rename(&root, crash_name("a2"), &root, crash_name("b"), HIER_DELETE);
}

static void op_rename_across(void)
{
    (void)!twz_name_rename("/b", "/d/b");
}

static void op_rename_across_over(void)
{
    twzobj root = crash_open("/");
    twzobj d = crash_open("/d");

    (void)!hier_rename(&d, crash_name("x"), &root, crash_name("b"), HIER_DELETE);
}

static void op_move_dir(void)
{
    (void)!twz_name_rename("/d/e", "/moved");
}

static void op_move_dir_over(void)
{
    (void)!twz_name_rename("/d/e", "/empty");
}

/* Insert names until the directory has a larger table. */
static void op_grow(void)
{
    twzobj root = crash_open("/");
    const struct hier_dir *dir = twz_object_base(&root);
    uint64_t table = dir->table;
    char name[8];

    for (uint32_t i = 0; i < 24 && dir->table == table; i++) {
        snprintf(name, sizeof(name), "g%u", i);
        (void)!hier_insert(&root, crash_name(name), crash_ids.root, &plain);
    }
}

/* Insert one name more than the table takes. */
static void op_grow_one(void)
{
    twzobj e = crash_open("/d/e");

    if (!e.start)
        return;
    (void)!hier_insert(&e, crash_name("grown"), crash_ids.root, &plain);
}

static void op_symlink_long(void)
{
    twzobj root = crash_open("/");

    (void)!hier_symlink(&root, crash_name("sym"), LONG_TEXT, sizeof(LONG_TEXT) - 1);
}

static void op_unlink_in_d(void)
{
    twzobj d = crash_open("/d");

    (void)!hier_remove(&d, crash_name("a4"), HIER_DELETE);
}

static void op_move_dir_in(void)
{
    (void)!twz_name_rename("/empty", "/d/e/empty");
}

static void op_remove(void)
{
    (void)!twz_name_unassign("/s");
}

static void op_create_again(void)
{
    twzobj obj;

    (void)!twz_name_create("/b", 0, NULL, NULL, &obj);
}

/* Neither directory is the root. */
static void op_move_dir_between(void)
{
    (void)!twz_name_rename("/d/e", "/empty/e");
}

/* --- the typed layer ------------------------------------------------------------------------- */

static void op_typed_open(void)
{
    (void)twz_open("/d/typed", struct tlist, TWZ_CREATE);
}

void crash_typed_add(void)
{
    const struct tlist *l = twz_open("/list", struct tlist, 0);
    const struct tlist *m = l;
    struct tnode *node;
    objid_t id;

    if (twz_name_resolve("/d/list", &id) == 0)
        m = twz_open("/d/list", struct tlist, 0);
    node = twz_new(m, struct tnode);
    CHECK(l && m && node);
    node->value = 1 + (twz_isnull(l->head) ? 0 : twz_at(l->head)->value);
    (void)twz_init(node->next, twz_at_or_null(l->head));
    twz_persist_flush(node, sizeof(*node));
    twz_persist_fence();
    (void)twz_set(l->head, node);
}

static void op_typed_put(void)
{
    const struct tlist *l = twz_open("/list", struct tlist, 0);

    if (!twz_isnull(l->head))
        twz_put(twz_at(l->head)->value, 99);
}

size_t crash_list(char *out, size_t size)
{
    const struct tlist *l = twz_open("/list", struct tlist, 0);
    const struct tnode *node = l ? twz_at_or_null(l->head) : NULL;
    size_t at = 0;

    out[0] = 0;
    for (; node; node = twz_at_or_null(node->next)) {
        at += (size_t)snprintf(out + at, size - at, "node %llu\n", (unsigned long long)node->value);
        CHECK(at < size);
    }
    return at;
}

static void op_space(void)
{
    CHECK(twz_new(twz_open("/list", struct tlist, 0), struct tnode));
}

static void show_space(char *text, size_t size)
{
    twzobj list = crash_open("/list");

    snprintf(text, size, "size %llu\n", (unsigned long long)twz_object_size(&list));
}

/* --- one object ------------------------------------------------------------------------------- */

static void op_ext(void)
{
    twzobj b = crash_open("/b");

    if (!b.start)
        return;
    twz_persist_store64(twz_object_base(&b), HEADER);
    twz_persist_flush(twz_object_base(&b), sizeof(uint64_t)); /* addext fences */
    (void)!twz_object_addext(&b, TAG, twz_object_base(&b));
}

static void op_ext_delete(void)
{
    twzobj x = crash_open("/d/x");

    if (!x.start)
        return;
    (void)!twz_object_delext(&x, TAG);
}

static void show_ext(char *text, size_t size)
{
    twzobj b = crash_open("/b"), x = crash_open("/d/x");
    const uint64_t *header = b.start ? twz_object_getext(&b, TAG) : NULL;

    snprintf(text, size, "ext %d %llx %d\n", header ? 1 : 0,
             header ? (unsigned long long)*header : 0, x.start && twz_object_getext(&x, TAG));
}

static void op_size(void)
{
    twzobj b = crash_open("/b");

    if (!b.start)
        return;
    CHECK(twz_object_set_size(&b, 777) == 0);
}

static void show_size(char *text, size_t size)
{
    twzobj b = crash_open("/b");
    const struct twz_meta *meta;

    if (!b.start)
        return;
    meta = twz_object_meta(&b);
    snprintf(text, size, "size %llu\n",
             meta->magic == TWZ_META_MAGIC ? (unsigned long long)meta->size : 0);
}

static void op_ptr_guid(void)
{
    twzobj x = crash_open("/d/x");

    if (!x.start)
        return;
    CHECK(twz_ptr_store_guid(&x, twz_object_base(&x), crash_ids.a, TWZ_OBJ_BASE, TWZ_READ) == 0);
}

static void op_ptr_name(void)
{
    twzobj x = crash_open("/d/x");

    if (!x.start)
        return;
    CHECK(twz_ptr_store_name(&x, twz_object_base(&x), "/d/list", TWZ_OBJ_BASE, 0, TWZ_READ) == 0);
}

/* Tools read entries up to fot_count, so it must cover each entry that is referred to. */
static void show_ptr(char *text, size_t size)
{
    twzobj x = crash_open("/d/x");
    objid_t id = TWZ_OBJID_NONE;
    uint32_t index, rights = 0;
    uint64_t raw;
    int err;

    if (!x.start)
        return;
    raw = ((const twz_pptr_t *)twz_object_base(&x))->raw;
    index = (uint32_t)(raw >> 30);
    err = raw ? twz_fot_target(&x, index, &id, &rights) : 0;
    if (index > twz_object_meta(&x)->fot_count)
        err = 1;
    snprintf(text, size, "ptr %llx to %llx: %d\n", (unsigned long long)raw,
             (unsigned long long)id.hi, err);
}

#define LINKS FOLLOW_LINKS
#define TAGS  (FOLLOW_TAG | FOLLOW_LOOK)
#define MOVES (FOLLOW_TREE | FOLLOW_BACK | FOLLOW_NAME)

const struct crash_op crash_ops[] = {
    { "create", op_create, NULL, FOLLOW_MOVE, 0 },
    { "attrs", op_attrs, show_attrs, 0, 0 },
    { "mkdir", op_mkdir, NULL, 0, 0 },
    { "insert-long", op_insert_long, NULL, 0, 0 },
    { "symlink", op_symlink, NULL, 0, 0 },
    { "link", op_link, NULL, LINKS, 0 },
    { "unlink-last", op_unlink_last, NULL, FOLLOW_NAME, 0 },
    { "unlink-one", op_unlink_one, NULL, LINKS, 0 },
    { "rmdir", op_rmdir, NULL, FOLLOW_TREE, 0 },
    { "replace", op_replace, NULL, LINKS, 0 },
    { "rename-here", op_rename_here, NULL, FOLLOW_NAME, 0 },
    { "rename-over", op_rename_over, NULL, LINKS, 0 },
    { "rename-across", op_rename_across, NULL, LINKS | FOLLOW_NAME, 0 },
    { "rename-across-over", op_rename_across_over, NULL, LINKS | FOLLOW_NAME, 0 },
    { "move-dir", op_move_dir, NULL, MOVES, 0 },
    { "move-dir-over", op_move_dir_over, NULL, MOVES, 0 },
    { "symlink-long", op_symlink_long, NULL, 0, 0 },
    { "unlink-in-d", op_unlink_in_d, NULL, LINKS, 0 },
    { "move-dir-in", op_move_dir_in, NULL, MOVES, 0 },
    { "move-dir-between", op_move_dir_between, NULL, MOVES, 0 },
    { "remove", op_remove, NULL, 0, 0 },
    { "create-again", op_create_again, NULL, 0, 0 },
    { "typed-open", op_typed_open, NULL, 0, 0 },
    { "typed-add", crash_typed_add, NULL, 0, 0 },
    { "typed-put", op_typed_put, NULL, 0, 0 },
    { "space", op_space, show_space, 0, 0 },
    { "ext", op_ext, show_ext, TAGS, 0 },
    { "ext-delete", op_ext_delete, show_ext, TAGS, 0 },
    { "size", op_size, show_size, 0, 0 },
    { "ptr-guid", op_ptr_guid, show_ptr, FOLLOW_POINT, 0 },
    { "ptr-name", op_ptr_name, show_ptr, 0, 0 },
    { "grow-one", op_grow_one, NULL, 0, 0 },
    { "grow", op_grow, NULL, 0, 1 },
};
const size_t crash_ops_count = sizeof(crash_ops) / sizeof(crash_ops[0]);

/* --- follow-ups ------------------------------------------------------------------------------- */

static int used_again[2]; /* 1: the name was free and has a new object */

static void use_name_again(int which, const twzobj *dir, const char *name)
{
    used_again[which] = hier_insert(dir, crash_name(name), crash_ids.root, &plain) == 0;
}

/* A note lies in /d/x, in a line of its own. */
static uint64_t *note_of(const twzobj *x, uint32_t which)
{
    return (uint64_t *)(void *)((uint8_t *)twz_object_base(x) + (1 + which) * TWZ_PERSIST_LINE);
}

#define NOTE_POINTER 2u /* after one note for each object with a tag */
#define NOTE_THERE   1u
#define NOTE_GONE    2u

/* A pointer that is durable leads to the object. Tools read entries up to fot_count. */
static void follow_point(const twzobj *x)
{
    uint64_t *note = note_of(x, NOTE_POINTER);
    const uint32_t index = (uint32_t)TWZ_PPTR_FOT(*note);
    uint32_t rights;
    objid_t id;

    if (*note) {
        CHECK(twz_fot_target(x, index, &id, &rights) == 0 && objid_equal(id, crash_ids.a));
        CHECK(index <= twz_object_meta(x)->fot_count);
    }
    CHECK(twz_ptr_store_guid(x, (twz_pptr_t *)note, crash_ids.a, TWZ_OBJ_BASE, TWZ_READ) == 0);
}

/* The image must be as the durable notes say. Note it again. change: first add the tag to the first
 * object, and delete it from the second one. */
static void follow_tags(const twzobj *b, const twzobj *x, bool change)
{
    const twzobj *objs[] = { b, x };

    for (uint32_t i = 0; i < 2; i++) {
        uint64_t *note = note_of(x, i);

        if (*note)
            CHECK(*note == (twz_object_getext(objs[i], TAG) ? NOTE_THERE : NOTE_GONE));
    }
    for (uint32_t i = 0; i < 2; i++) {
        int err = 0;

        if (change)
            err = i ? twz_object_delext(x, TAG) : twz_object_addext(b, TAG, twz_object_base(b));
        CHECK(err == 0 || err == (i ? -TWZ_ENONAME : -TWZ_EEXIST));
        if (change)
            twz_persist_commit64(note_of(x, i), i ? NOTE_GONE : NOTE_THERE);
        else
            twz_persist_commit64(note_of(x, i),
                                 twz_object_getext(objs[i], TAG) ? NOTE_THERE : NOTE_GONE);
    }
}

static void follow_next(uint32_t what)
{
    twzobj b = crash_open("/b"), x = crash_open("/d/x");

    if (!b.start || !x.start)
        return;
    if (what == FOLLOW_POINT)
        follow_point(&x);
    else
        follow_tags(&b, &x, what == FOLLOW_TAG);
}

void crash_follow(uint32_t what)
{
    twzobj root = crash_open("/"), d, e, empty;

    if (twz_object_init_guid(&d, crash_ids.d, TWZ_READ | TWZ_WRITE) < 0 ||
        twz_object_init_guid(&empty, crash_ids.empty, TWZ_READ | TWZ_WRITE) < 0 ||
        twz_object_init_guid(&e, crash_ids.e, TWZ_READ | TWZ_WRITE) < 0)
        return;
    if (what == FOLLOW_LINKS) {
        (void)!hier_remove(&root, crash_name("a2"), HIER_DELETE);
    } else if (what == FOLLOW_TREE) {
        (void)!hier_rename(&d, crash_name("e"), &empty, crash_name("e"), 0);
    } else if (what == FOLLOW_BACK) {
        (void)!hier_rename(&root, crash_name("empty"), &e, crash_name("empty"), 0);
    } else if (what & FOLLOW_NEXT) {
        follow_next(what);
    } else if (what == FOLLOW_MOVE) {
        (void)!hier_rename(&root, crash_name("new"), &d, crash_name("newer"), 0);
    } else {
        use_name_again(0, &root, "b");
        use_name_again(1, &d, "x");
    }
}

static bool is_name_of_root(const twzobj *dir, const char *name)
{
    struct hier_found found;

    return hier_lookup(dir, crash_name(name), &found) == 0 && objid_equal(found.id, crash_ids.root);
}

/* The change of the follow-up itself; the caller checks the tree. */
int crash_follow_check(uint32_t what)
{
    twzobj root = crash_open("/"), d;

    if (what != FOLLOW_NAME)
        return 0;
    CHECK(twz_object_init_guid(&d, crash_ids.d, TWZ_READ | TWZ_WRITE) == 0);
    return (used_again[0] && !is_name_of_root(&root, "b")) ||
                   (used_again[1] && !is_name_of_root(&d, "x"))
               ? -1
               : 0;
}

/* --- the tree that every workload starts from ------------------------------------------------- */

/* /b has space for a header. /d/x has a tag, space for pointers and notes, and a size. */
static void setup_object(void)
{
    twzobj b = crash_open("/b"), x = crash_open("/d/x");

    CHECK(twz_touch(twz_object_base(&b), TWZ_PAGE_SIZE) == 0);
    CHECK(twz_touch(twz_object_base(&x), TWZ_PAGE_SIZE) == 0);
    CHECK(twz_object_set_size(&x, 64) == 0);
    CHECK(twz_object_addext(&x, TAG, twz_object_base(&x)) == 0);
}

/* /d/e has a few names, and a table full of tombstones. */
static void setup_full(void)
{
    twzobj e = crash_open("/d/e");
    const struct hier_dir *dir = twz_object_base(&e);
    char name[8];

    CHECK(hier_insert(&e, crash_name("k1"), crash_ids.root, &plain) == 0);
    CHECK(hier_insert(&e, crash_name("k2"), crash_ids.root, &plain) == 0);
    for (uint32_t i = 0; (dir->used + 1) * 4 <= 3 * HIER_BUCKETS_MIN; i++) {
        snprintf(name, sizeof(name), "t%u", i);
        CHECK(hier_insert(&e, crash_name(name), crash_ids.root, &plain) == 0);
        CHECK(hier_remove(&e, crash_name(name), 0) == 0);
    }
}

/* Free chunks of several lengths in both directories, in another order than hier_rebuild lists
 * them. */
static void setup_chunks(const twzobj *root)
{
    CHECK(hier_insert(root, crash_name(LONG_NAME "1"), root->id, &plain) == 0);
    CHECK(hier_insert(root, crash_name(LONG_NAME "2"), root->id, &plain) == 0);
    CHECK(hier_insert(root, crash_name("short"), root->id, &plain) == 0);
    CHECK(twz_name_unassign("/short") == 0);
    CHECK(hier_symlink(root, crash_name("long"), LONG_TEXT, sizeof(LONG_TEXT) - 1) == 0);
    CHECK(hier_symlink(root, crash_name("less"), LONG_TEXT, sizeof(LONG_TEXT) - 70) == 0);
    CHECK(twz_name_unassign("/long") == 0 && twz_name_unassign("/less") == 0);
    CHECK(twz_name_unassign("/" LONG_NAME "2") == 0);
    CHECK(twz_name_unassign("/" LONG_NAME "1") == 0);
    CHECK(twz_name_assign("/d/short", root->id) == 0 && twz_name_unassign("/d/short") == 0);
}

/* The next record that is not reused lies at the table's end, as after a full page of records. */
static void setup_end(const twzobj *attrs)
{
    struct attr_head *head = twz_object_base(attrs);
    uint64_t end = 1;

    while (attr_at(attrs, end)->names || !objid_is_none(attr_at(attrs, end)->id))
        end++;
    head->next = 1;
    head->fresh = head->ready = end;
    twz_persist_store64(&head->end, end);
    twz_persist(head, 2 * TWZ_PERSIST_LINE);
}

void crash_setup(void)
{
    struct twz_name_info info;
    struct hier_found found;
    twzobj root, attrs, a, d;

    host_reset();
    CHECK(twz_object_new(&root, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(twz_object_new(&attrs, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(hier_init_volume(&root, &attrs) == 0);
    crash_ids.attrs = attrs.id;
    crash_ids.root = root.id;
    host_root_set(root.id);
    CHECK(twz_name_create("/a", 0, NULL, NULL, &a) == 0);
    CHECK(hier_lookup(&root, crash_name("a"), &found) == 0);
    CHECK(hier_link(&root, crash_name("a2"), &found) == 0);
    crash_ids.a = a.id;
    CHECK(twz_name_create("/b", 0, NULL, NULL, &a) == 0);
    CHECK(twz_name_mkdir("/d") == 0 && twz_name_mkdir("/d/e") == 0);
    CHECK(twz_name_mkdir("/empty") == 0);
    setup_chunks(&root);
    CHECK(twz_name_create("/d/x", 0, NULL, NULL, &a) == 0);
    CHECK(twz_name_lookup("/empty", &info) == 0);
    crash_ids.empty = info.id;
    d = crash_open("/d");
    crash_ids.d = d.id;
    CHECK(hier_link(&d, crash_name("a4"), &found) == 0);
    CHECK(hier_symlink(&root, crash_name("s"), "a", 1) == 0);
    CHECK(twz_open("/list", struct tlist, TWZ_CREATE));
    CHECK(twz_open("/d/list", struct tlist, TWZ_CREATE));
    CHECK(twz_name_lookup("/d/e", &info) == 0);
    crash_ids.e = info.id;
    setup_object();
    setup_full();
    setup_end(&attrs);
}
