/* SPDX-License-Identifier: MIT */
/*
 * Directories and the typed layer under power failure. For every sequence of one and two
 * operations: at each moment of the last one where a power cut shows something new, each legal
 * content of the media (libtwz/test/host.h) is booted. It must show the state before that operation
 * or the one after it: the same names, kinds, IDs, link texts, link counts and parents, the same
 * objects alive; every directory sound, and usable; and the same again after another reboot.
 *
 * Afterwards the harness is tried itself: each flush and fence that was met is left out in turn,
 * and must be missed by some image. Those that are not are listed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hier/hier.h>
#include <twz/typed.h>

#include "host.h"

#define STATE 8192u
#define LONG_TEXT                                                                                  \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/"     \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/"     \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/"     \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/"     \
    "a/long/text/that/takes/more/than/five/cells/a/long/text/that/takes/more/than/five/cells/"

struct tnode {
    twz_ref(struct tnode) next;
    uint64_t value;
};

struct tlist {
    twz_ref(struct tnode) head;
};

static objid_t root_id;
static objid_t a_id;     /* has several names */
static objid_t empty_id; /* an empty directory */
static objid_t d_id;
static char before[STATE], before_names[STATE];
static char after[STATE], after_names[STATE];
static unsigned long images;
static int bad;
static int quiet;
static int recoveries;
static int points;

static struct hier_name n(const char *text)
{
    return (struct hier_name){ text, strlen(text) };
}

/* --- operations ------------------------------------------------------------------------------- */

static twzobj open_dir(const char *path)
{
    twzobj obj = { 0 };

    (void)!twz_object_init_name(&obj, path, TWZ_READ | TWZ_WRITE);
    return obj;
}

static void op_create(void)
{
    twzobj obj;

    (void)!twz_name_create("/new", 0, NULL, NULL, &obj);
}

static void op_mkdir(void)
{
    (void)!twz_name_mkdir("/d/new");
}

static void op_insert_long(void)
{
    char name[200];

    memset(name, 'n', sizeof(name));
    twzobj root = open_dir("/");

    (void)!hier_insert(&root, (struct hier_name){ name, sizeof(name) }, root_id);
}

static void op_symlink(void)
{
    twzobj root = open_dir("/");

    (void)!hier_symlink(&root, n("sym"), "d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z", 45);
}

static void op_link(void)
{
    twzobj d = open_dir("/d");
    objid_t id;

    if (twz_name_resolve("/a", &id) == 0)
        (void)!hier_link(&d, n("a3"), id);
}

static void op_unlink_last(void)
{
    twzobj root = open_dir("/");

    (void)!hier_remove(&root, n("b"), HIER_DELETE);
}

static void op_unlink_one(void)
{
    twzobj root = open_dir("/");

    (void)!hier_remove(&root, n("a"), HIER_DELETE);
}

static void op_rmdir(void)
{
    twzobj root = open_dir("/");

    (void)!hier_remove(&root, n("empty"), HIER_WANT_DIR);
}

static void op_replace(void)
{
    twzobj root = open_dir("/");
    objid_t id;

    if (twz_name_resolve("/d/x", &id) == 0)
        (void)!hier_replace(&root, n("b"), id, HIER_DELETE);
}

static void op_rename_here(void)
{
    (void)!twz_name_rename("/b", "/c");
}

static void op_rename_over(void)
{
    twzobj root = open_dir("/");

    (void)!hier_rename(&root, n("a2"), &root, n("b"), HIER_DELETE);
}

static void op_rename_across(void)
{
    (void)!twz_name_rename("/b", "/d/b");
}

static void op_rename_across_over(void)
{
    twzobj root = open_dir("/");
    twzobj d = open_dir("/d");

    (void)!hier_rename(&d, n("x"), &root, n("b"), HIER_DELETE);
}

static void op_move_dir(void)
{
    (void)!twz_name_rename("/d/e", "/moved");
}

static void op_move_dir_over(void)
{
    (void)!twz_name_rename("/d/e", "/empty");
}

static void op_grow(void)
{
    twzobj root = open_dir("/");
    char name[8];

    for (uint32_t i = 0; i < 22; i++) {
        snprintf(name, sizeof(name), "g%u", i);
        (void)!hier_insert(&root, n(name), root_id);
    }
}

static void op_symlink_long(void)
{
    twzobj root = open_dir("/");

    (void)!hier_symlink(&root, n("sym"), LONG_TEXT, sizeof(LONG_TEXT) - 1);
}

static void op_unlink_there(void)
{
    twzobj d = open_dir("/d");

    (void)!hier_remove(&d, n("a4"), HIER_DELETE);
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

static void op_typed_open(void)
{
    (void)twz_open("/d/typed", struct tlist, TWZ_CREATE);
}

static void op_typed_add(void)
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

static const struct {
    const char *name;
    void (*run)(void);
    int steps; /* it is several changes in a row: states in between are legal */
} ops[] = {
    { "create", op_create, 0 },
    { "mkdir", op_mkdir, 0 },
    { "insert-long", op_insert_long, 0 },
    { "symlink", op_symlink, 0 },
    { "link", op_link, 0 },
    { "unlink-last", op_unlink_last, 0 },
    { "unlink-one", op_unlink_one, 0 },
    { "rmdir", op_rmdir, 0 },
    { "replace", op_replace, 0 },
    { "rename-here", op_rename_here, 0 },
    { "rename-over", op_rename_over, 0 },
    { "rename-across", op_rename_across, 0 },
    { "rename-across-over", op_rename_across_over, 0 },
    { "move-dir", op_move_dir, 0 },
    { "move-dir-over", op_move_dir_over, 0 },
    { "symlink-long", op_symlink_long, 0 },
    { "unlink-there", op_unlink_there, 0 },
    { "move-dir-in", op_move_dir_in, 0 },
    { "remove", op_remove, 0 },
    { "create-again", op_create_again, 0 },
    { "typed-open", op_typed_open, 0 },
    { "typed-add", op_typed_add, 0 },
    { "typed-put", op_typed_put, 0 },
    { "grow", op_grow, 1 },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

/* --- state as text ---------------------------------------------------------------------------- */

static size_t put(char *out, size_t at, const char *text)
{
    size_t len = strlen(text);

    CHECK(at + len < STATE);
    memcpy(out + at, text, len + 1);
    return at + len;
}

static struct {
    int links;           /* link counts are part of it */
    unsigned a_names;    /* names of a_id met */
    unsigned dirs;
} walk;

static size_t dump_item(const twzobj *dir, const struct hier_item *item, char *out, size_t at)
{
    char line[400], text[128] = "";
    struct hier_name name = { item->name, item->len };
    twzobj obj;

    walk.a_names += twz_objid_equal(item->found.id, a_id) ? 1u : 0u;

    if (item->found.kind == HIER_SYMLINK) {
        int len = hier_readlink(dir, name, text, sizeof(text) - 1);

        text[len < 0 ? 0 : len] = 0;
    } else if (twz_object_init_guid(&obj, item->found.id, TWZ_READ) == 0) {
        const struct twz_meta *meta = twz_object_meta(&obj);

        snprintf(text, sizeof(text), "l%llu t%llx",
                 walk.links ? (unsigned long long)meta->links : 0, (unsigned long long)meta->type);
    } else {
        strcpy(text, "(no object)");
    }
    snprintf(line, sizeof(line), "%.20s %u %llx %s\n", item->name, item->found.kind,
             (unsigned long long)item->found.id.hi, text);
    return put(out, at, line);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in the order of the alphabet: where entries lie is not part of the state. */
static void sort_lines(char *text)
{
    static char copy[STATE];
    char *lines[256];
    size_t count = 0, at = 0;

    strcpy(copy, text);
    for (char *line = strtok(copy, "\n"); line && count < 256; line = strtok(NULL, "\n"))
        lines[count++] = line;
    qsort(lines, count, sizeof(lines[0]), by_line);
    for (size_t i = 0; i < count; i++) {
        at = put(text, at, lines[i]);
        at = put(text, at, "\n");
    }
}

static size_t dump_dir(objid_t id, objid_t parent, char *out, size_t at)
{
    char part[STATE] = "", head[80];
    struct hier_item item;
    uint64_t cursor = 0;
    size_t len = 0;
    objid_t up;
    twzobj dir;

    walk.dirs++;
    CHECK(twz_object_init_guid(&dir, id, TWZ_READ | TWZ_WRITE) == 0);
    while (hier_iter(&dir, &cursor, &item) == 1)
        len = dump_item(&dir, &item, part, len);
    sort_lines(part);
    CHECK(hier_parent(&dir, &up) == 0 && twz_objid_equal(up, parent));
    CHECK(hier_check(&dir, NULL, NULL) == 0);
    snprintf(head, sizeof(head), "[%llx] %u %llx\n", (unsigned long long)id.hi, hier_count(&dir),
             (unsigned long long)twz_object_meta(&dir)->type);
    at = put(out, at, head);
    at = put(out, at, part);
    cursor = 0;
    while (hier_iter(&dir, &cursor, &item) == 1) {
        if (item.found.kind == HIER_DIR)
            at = dump_dir(item.found.id, id, out, at);
    }
    return at;
}

static size_t dump_list(char *out, size_t at)
{
    const struct tlist *l = twz_open("/list", struct tlist, 0);
    const struct tnode *node = l ? twz_at_or_null(l->head) : NULL;
    char text[32];

    out[at] = 0;
    for (; node; node = twz_at_or_null(node->next)) {
        snprintf(text, sizeof(text), "node %llu\n", (unsigned long long)node->value);
        at = put(out, at, text);
    }
    return at;
}

/* The names alone, in one pass: a change in one directory is finished when any part of it is seen,
 * but for link counts, which are right once the directory with the change was looked at. */
static void dump_names(char *out)
{
    walk.links = 0;
    (void)dump_dir(root_id, root_id, out, 0);
    walk.links = 1;
}

static void dump(char *out)
{
    objid_t ids[128];
    size_t count, at;
    char text[32];

    walk.a_names = walk.dirs = 0;
    at = dump_dir(root_id, root_id, out, 0);
    at = dump_list(out, at);
    count = host_objects(ids, 128);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "alive %llx\n", (unsigned long long)ids[i].hi);
        at = put(out, at, text);
    }
}

/* --- one image -------------------------------------------------------------------------------- */

static int usable(objid_t id)
{
    struct hier_found found;
    twzobj dir;

    CHECK(twz_object_init_guid(&dir, id, TWZ_READ | TWZ_WRITE) == 0);
    CHECK(hier_insert(&dir, n("probe"), root_id) == 0);
    CHECK(hier_lookup(&dir, n("probe"), &found) == 0);
    CHECK(hier_remove(&dir, n("probe"), 0) == 0);
    CHECK(hier_check(&dir, NULL, NULL) == 0);
    return 0;
}

/* A further node gets room of its own: the others stay what they were. */
static void list_usable(void)
{
    static char old[STATE], new[STATE];

    (void)dump_list(old, 0);
    op_typed_add();
    (void)dump_list(new, 0);
    CHECK(strlen(new) > strlen(old) && strcmp(new + strlen(new) - strlen(old), old) == 0);
}

static unsigned live_dirs(void)
{
    objid_t ids[128];
    size_t count = host_objects(ids, 128);
    unsigned dirs = 0;
    twzobj obj;

    for (size_t i = 0; i < count; i++) {
        if (twz_object_init_guid(&obj, ids[i], TWZ_READ) == 0)
            dirs += hier_probe(&obj) == 0;
    }
    return dirs;
}

/* Bit set of what is legal. */
#define IN_BETWEEN 1 /* the operation is several changes in a row */
#define AGAIN      2 /* this image comes from a crash of a recovery already */
#define DONE       4 /* the operation has returned: only the state after it */

static void at_point_of_recovery(void *ctx);

static int one_of(const char *state, const char *old, const char *new, int legal)
{
    if ((legal & IN_BETWEEN) || strcmp(state, new) == 0)
        return 1;
    if (!(legal & DONE) && strcmp(state, old) == 0)
        return 1;
    if (!quiet)
        fprintf(stderr, "--- state\n%s--- before\n%s--- after\n%s", state, old, new);
    return 0;
}

/* First thing after the crash, something that what was interrupted must not spoil, in a directory
 * that had no part in it: as many names as meta.links says, no circle of parents. */
static int meddle(void *ctx)
{
    int links_too = *(int *)ctx;
    static char state[STATE];
    twzobj root = open_dir("/"), d, empty, a;
    unsigned long long links;

    if (links_too)
        (void)!hier_remove(&root, n("a2"), HIER_DELETE);
    else if (twz_object_init_guid(&d, d_id, TWZ_READ | TWZ_WRITE) == 0 &&
             twz_object_init_guid(&empty, empty_id, TWZ_READ | TWZ_WRITE) == 0)
        (void)!hier_rename(&d, n("e"), &empty, n("e"), 0);
    dump(state); /* the walk itself finds parents that do not agree */
    dump(state);
    if (walk.dirs != live_dirs())
        return -1;
    if (twz_object_init_guid(&a, a_id, TWZ_READ) < 0)
        return walk.a_names == 0 ? 0 : -1;
    links = twz_object_meta(&a)->links;
    return links + 1 == walk.a_names ? 0 : -1;
}

static int check_image(void *ctx)
{
    static char state[STATE], again[STATE];
    int legal = *(int *)ctx;
    int second = legal | AGAIN;
    objid_t id;

    if (!quiet && !(legal & AGAIN) && ++recoveries % 8 == 0)
        host_crash_points(at_point_of_recovery, &second);
    dump_names(state);
    dump(again);
    host_crash_points(NULL, NULL);
    if (bad || !one_of(state, before_names, after_names, legal))
        return -1;
    dump(state);
    if (!one_of(state, before, after, legal))
        return -1;
    usable(root_id);
    if (twz_name_resolve("/d", &id) == 0)
        usable(id);
    dump(again);
    CHECK(strcmp(state, again) == 0);
    list_usable();
    dump(state);
    host_reboot();
    dump(again);
    CHECK(strcmp(state, again) == 0);
    return 0;
}

static void at_point_of_recovery(void *ctx)
{
    if (!bad && host_images(check_image, ctx) < 0)
        bad = 1;
}

static void try_images(int (*check)(void *ctx), void *ctx)
{
    int count = bad ? 0 : host_images(check, ctx);

    if (count < 0)
        bad = 1;
    else
        images += (unsigned long)count;
}

static void at_point(void *ctx)
{
    int links_too = (int)(++points % 2);

    recoveries = points; /* which of the next ones crash in recovery as well */
    try_images(check_image, ctx);
    try_images(meddle, &links_too);
}

/* What the first operation did not make durable stays so. */
static void no_point(void *ctx)
{
    (void)ctx;
}

/* --- the workloads ---------------------------------------------------------------------------- */

static void setup(int first)
{
    struct twz_name_info info;
    twzobj root, a, d;

    host_reset();
    CHECK(twz_object_new(&root, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(hier_init(&root, TWZ_OBJID_NONE) == 0);
    root_id = root.id;
    host_root_set(root.id);
    CHECK(twz_name_create("/a", 0, NULL, NULL, &a) == 0);
    CHECK(hier_link(&root, n("a2"), a.id) == 0);
    a_id = a.id;
    CHECK(twz_name_create("/b", 0, NULL, NULL, &a) == 0);
    CHECK(twz_name_mkdir("/d") == 0 && twz_name_mkdir("/d/e") == 0);
    CHECK(twz_name_mkdir("/empty") == 0);
    /* Free chunks of several lengths, in both directories. */
    CHECK(hier_insert(&root, n("short"), root_id) == 0 && twz_name_unassign("/short") == 0);
    CHECK(hier_symlink(&root, n("long"), LONG_TEXT, sizeof(LONG_TEXT) - 1) == 0);
    CHECK(hier_symlink(&root, n("less"), LONG_TEXT, sizeof(LONG_TEXT) - 70) == 0);
    CHECK(twz_name_unassign("/long") == 0 && twz_name_unassign("/less") == 0);
    CHECK(twz_name_assign("/d/short", root_id) == 0 && twz_name_unassign("/d/short") == 0);
    CHECK(twz_name_create("/d/x", 0, NULL, NULL, &a) == 0);
    CHECK(twz_name_lookup("/empty", &info) == 0);
    empty_id = info.id;
    d = open_dir("/d");
    d_id = d.id;
    CHECK(hier_link(&d, n("a4"), a_id) == 0);
    CHECK(hier_symlink(&root, n("s"), "a", 1) == 0);
    CHECK(twz_open("/list", struct tlist, TWZ_CREATE));
    CHECK(twz_open("/d/list", struct tlist, TWZ_CREATE));
    if (first >= 0)
        ops[first].run();
}

/* Operation `second` after operation `first` (-1: after none). 0 good. */
static int try_pair(int first, int second)
{
    int legal = ops[second].steps && first != second ? IN_BETWEEN : 0;

    bad = 0;
    setup(first);
    dump_names(before_names);
    dump(before);
    ops[second].run();
    dump_names(after_names);
    dump(after);
    setup(-1);
    host_crash_points(no_point, NULL);
    if (first >= 0)
        ops[first].run();
    host_crash_points(at_point, &legal);
    ops[second].run();
    legal |= DONE;
    at_point(&legal);
    host_crash_points(NULL, NULL);
    if (bad && !quiet)
        fprintf(stderr, "failed: %s, then %s\n", first < 0 ? "nothing" : ops[first].name,
                ops[second].name);
    return bad ? -1 : 0;
}

static int op_named(const char *name)
{
    int i = 0;

    while (strcmp(ops[i].name, name) != 0)
        i++;
    return i;
}

/* Pairs where the second shows what the first must have made durable. */
static const char *const telling[][2] = {
    { "typed-add", "typed-add" },     { "typed-add", "typed-put" },
    { "rename-across", "create-again" }, { "unlink-last", "create-again" },
    { "link", "unlink-one" },         { "move-dir", "move-dir-in" },
};

static int all_single(void)
{
    for (int i = 0; i < (int)OPS; i++) {
        if (try_pair(-1, i) < 0)
            return -1;
    }
    for (int i = 0; i < (int)(sizeof(telling) / sizeof(telling[0])); i++) {
        if (try_pair(op_named(telling[i][0]), op_named(telling[i][1])) < 0)
            return -1;
    }
    return 0;
}

/* One flush or fence is left out: does any workload fail? */
static int mutant_survives(const void *site)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        host_skip_site(site);
        host_quiet(1);
        host_effort(16, 8);
        quiet = 1;
        _exit(all_single() < 0 ? 1 : 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Of all sites, each step-th. Known to be not missed, since something else makes up for them: what
 * only saves work after a crash (hier_end, see_clear, hier_tree_unlock, fot_count), and fences that
 * another one follows before anything depends on them (addext, typed_init, claim). */
static int mutants(const char *program, size_t step)
{
    const void *sites[256];
    size_t count = host_sites(sites, 256), caught = 0, tried = 0;

    for (size_t i = 0; i < count; i += step, tried++) {
        if (!mutant_survives(sites[i]))
            caught++;
        else
            printf("not missed: addr2line -fe %s %p\n", program, sites[i]);
    }
    printf("%zu of %zu flushes and fences are missed when left out\n", caught, tried);
    return caught * 5 >= tried * 3 ? 0 : -1; /* a sample may meet most of the known ones */
}

static int all_pairs(void)
{
    for (int i = 0; i < (int)(OPS * OPS); i++) {
        if (try_pair(i / (int)OPS, i % (int)OPS) < 0)
            return -1;
    }
    return 0;
}

/* Usage: crash [pairs | mutants STEP] */
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int r = all_single();

    if (r == 0 && strcmp(what, "pairs") == 0)
        r = all_pairs();
    printf("%lu crash images\n", images);
    if (r == 0 && strcmp(what, "mutants") == 0)
        r = mutants(argv[0], argc > 2 ? (size_t)atoi(argv[2]) : 1);
    printf("%u passed, %u failed\n", r == 0, r != 0);
    return r != 0;
}
