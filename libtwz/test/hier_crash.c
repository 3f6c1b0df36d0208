/* SPDX-License-Identifier: MIT */
/*
 * Directories and the typed layer under power failure. For each operation, and for pairs of two,
 * each legal image (libtwz/test/host.h) at each crash point of the last operation is booted. It
 * must show the state before that operation or the state after it:
 *   - names, kinds, IDs, link texts, link counts, parents, and the objects that exist;
 *   - each directory passes hier_check and takes a change;
 *   - another reboot shows the same state.
 * On each image, follow-ups (hier_crash.h) are tried as the first operation, too. A sample of
 * recoveries is cut as well, after a power failure and after the death of the program alone.
 *
 * At the end the harness is tested (hier_mutants.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "hier_crash.h"

unsigned long crash_images;

static struct crash_effort effort;
static char before[STATE], before_names[STATE];
static char after[STATE], after_names[STATE];
static int failed;
static uint32_t recoveries;
static uint32_t deaths;

/* --- state as text ---------------------------------------------------------------------------- */

static size_t append(char *out, size_t at, const char *text)
{
    size_t len = strlen(text);

    CHECK(at + len < STATE);
    memcpy(out + at, text, len + 1);
    return at + len;
}

#define RECORDS 256u

static struct {
    int links;        /* 1: link counts are part of the state */
    unsigned a_names; /* names of crash_ids.a */
    unsigned dirs;
    unsigned empty_names;    /* names without an object */
    unsigned named[RECORDS]; /* entries that hold the index of a record */
} walk;

/* The attributes of an entry. A name's record must be durable with the name. */
static void attrs_text(const struct hier_found *found, char *text, size_t size)
{
    struct attr_values values;
    uint64_t names;
    twzobj table;

    CHECK(attr_open(crash_ids.attrs, TWZ_READ, &table) == 0 && found->attr < RECORDS);
    walk.named[found->attr]++;
    if (!attr_get(attr_at(&table, found->attr), found->id, &values, &names))
        snprintf(text, size, "no record");
    else
        snprintf(text, size, "n%llu m%llo %llu", walk.links ? (unsigned long long)names : 0,
                 (unsigned long long)values.mode, (unsigned long long)values.mtime_ns);
}

/* Each record of an object that exists counts the entries that hold its index; other records may
 * wait for a look (attr/layout.h). Only the root has a record without an entry. No record behind
 * the table's end has an entry. */
static void check_records(void)
{
    struct twz_stat stat;
    twzobj table;

    CHECK(attr_open(crash_ids.attrs, TWZ_READ, &table) == 0 && attr_end(&table) <= RECORDS);
    CHECK(attr_check(&table, NULL, NULL) == 0);
    for (uint32_t i = 1; i < RECORDS; i++) {
        const struct attr_record *r = attr_at(&table, i);

        CHECK(i < attr_end(&table) || walk.named[i] == 0);
        if (i == 1 || (r->names && twz_object_stat(r->id, &stat) < 0))
            continue;
        if (r->names != walk.named[i] && !effort.quiet)
            fprintf(stderr, "record %u: %llu names, %u entries\n", i, (unsigned long long)r->names,
                    walk.named[i]);
        CHECK(r->names == walk.named[i]);
    }
}

static size_t dump_item(const twzobj *dir, const struct hier_item *item, char *out, size_t at)
{
    char line[400], text[128] = "", attrs[80] = "";
    struct hier_name name = { item->name, item->len };
    twzobj obj;

    walk.a_names += objid_equal(item->found.id, crash_ids.a) ? 1u : 0u;

    if (item->found.kind == HIER_SYMLINK) {
        int len = hier_readlink(dir, name, text, sizeof(text) - 1);

        text[len < 0 ? 0 : len] = 0;
    } else if (twz_object_init_guid(&obj, item->found.id, TWZ_READ) == 0) {
        attrs_text(&item->found, attrs, sizeof(attrs));
        snprintf(text, sizeof(text), "%s t%llx", attrs,
                 (unsigned long long)twz_object_meta(&obj)->type);
    } else {
        strcpy(text, "(no object)");
        walk.empty_names++;
    }
    snprintf(line, sizeof(line), "%.20s %u %llx %s\n", item->name, item->found.kind,
             (unsigned long long)item->found.id.hi, text);
    return append(out, at, line);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sort names by text: the position of an entry is not part of the state. */
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
        at = append(text, at, lines[i]);
        at = append(text, at, "\n");
    }
}

static void problem(void *ctx, const struct hier_problem *what)
{
    (void)ctx;
    if (!effort.quiet)
        fprintf(stderr, "at %llx: %s\n", (unsigned long long)what->off, what->what);
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
    CHECK(hier_parent(&dir, &up) == 0 && objid_equal(up, parent));
    CHECK(hier_check(&dir, problem, NULL) == 0);
    snprintf(head, sizeof(head), "[%llx] %u %llx\n", (unsigned long long)id.hi, hier_count(&dir),
             (unsigned long long)twz_object_meta(&dir)->type);
    at = append(out, at, head);
    at = append(out, at, part);
    cursor = 0;
    while (hier_iter(&dir, &cursor, &item) == 1) {
        if (item.found.kind == HIER_DIR)
            at = dump_dir(item.found.id, id, out, at);
    }
    return at;
}

static size_t dump_list(char *out, size_t at)
{
    return at + crash_list(out + at, STATE - at);
}

/* The names alone, in one pass. Reading any part of a directory finishes its change. Link counts
 * are left out: they are right only after the directory with the change was read. */
static void dump_names(char *out)
{
    walk.links = 0;
    (void)dump_dir(crash_ids.root, crash_ids.root, out, 0);
    walk.links = 1;
}

/* The operation's state outside of directories; NULL: none. */
static void (*dump_extra)(char *text, size_t size);

static void dump(char *out)
{
    objid_t ids[128];
    size_t count, at;
    char text[32];

    walk.a_names = walk.dirs = walk.empty_names = 0;
    memset(walk.named, 0, sizeof(walk.named));
    at = dump_dir(crash_ids.root, crash_ids.root, out, 0);
    at = dump_list(out, at);
    if (dump_extra)
        dump_extra(out + at, STATE - at);
    at += strlen(out + at);
    count = host_objects(ids, 128);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "alive %llx\n", (unsigned long long)ids[i].hi);
        at = append(out, at, text);
    }
}

/* --- one image -------------------------------------------------------------------------------- */

static int check_usable(objid_t id)
{
    struct hier_found found;
    twzobj dir;

    CHECK(twz_object_init_guid(&dir, id, TWZ_READ | TWZ_WRITE) == 0);
    CHECK(hier_insert(&dir, crash_name("probe"), crash_ids.root, &(struct attr_values){ 0 }) == 0);
    CHECK(hier_lookup(&dir, crash_name("probe"), &found) == 0);
    CHECK(hier_remove(&dir, crash_name("probe"), 0) == 0);
    CHECK(hier_check(&dir, NULL, NULL) == 0);
    return 0;
}

/* A new node gets space of its own: the others do not change. */
static void list_usable(void)
{
    static char old[STATE], new[STATE];

    (void)dump_list(old, 0);
    crash_typed_add();
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

/* Bit set: the states that are legal. */
#define IN_BETWEEN 1 /* the operation is several changes in a row */
#define AGAIN      2 /* the image is of a crash in a recovery */
#define DONE       4 /* the operation has returned: only the state after it is legal */

/* Report an illegal state, unless quiet. */
static bool is_legal(const char *state, const char *old, const char *new, int legal)
{
    if ((legal & IN_BETWEEN) || strcmp(state, new) == 0)
        return true;
    if (!(legal & DONE) && strcmp(state, old) == 0)
        return true;
    if (!effort.quiet)
        fprintf(stderr, "--- state\n%s--- before\n%s--- after\n%s", state, old, new);
    return false;
}

/* After a follow-up: the records agree with the names, the parents have no cycle, and the
 * follow-up's change is there. */
static int check_follow(uint32_t what)
{
    static char state[STATE];

    dump(state); /* the walk checks the parents */
    dump(state);
    if (walk.dirs != live_dirs() || crash_follow_check(what) < 0)
        return -1;
    if (what == FOLLOW_MOVE && walk.empty_names) /* after other operations some are legal */
        return -1;
    check_records();
    return 0;
}

/* How an image is checked. */
struct image_view {
    int legal;
    uint32_t follow; /* one FOLLOW_*; 0: check_image */
};

static uint32_t follows; /* follow-ups of the operation */

static void on_recovery_point(void *ctx);

/* Read the names, then the whole state; both finish changes. This recovery may be cut. */
static void recover(int legal, char *names, char *all)
{
    int cut = effort.recovery && !(legal & AGAIN) && ++recoveries % effort.recovery == 0;

    if (cut)
        host_crash_points(on_recovery_point, &legal);
    host_count_sites(1);
    dump_names(names);
    dump(all);
    host_count_sites(0);
    host_crash_points(NULL, NULL);
}

static int check_image(int legal)
{
    static char state[STATE], again[STATE];
    objid_t id;

    recover(legal, state, again);
    if (failed || !is_legal(state, before_names, after_names, legal))
        return -1;
    dump(state);
    if (!is_legal(state, before, after, legal))
        return -1;
    check_records();
    check_usable(crash_ids.root);
    if (twz_name_resolve("/d", &id) == 0)
        check_usable(id);
    dump(again);
    CHECK(strcmp(state, again) == 0);
    list_usable();
    dump(state);
    host_reboot();
    dump(again);
    CHECK(strcmp(state, again) == 0);
    return 0;
}

static int check_one(void *ctx)
{
    const struct image_view *view = ctx;

    if (!view->follow)
        return check_image(view->legal);
    crash_follow(view->follow);
    return check_follow(view->follow);
}

static void try_images(int legal, uint32_t follow)
{
    struct image_view view = { legal, follow };
    uint64_t salt = (uint64_t)follow << 8 | (uint64_t)legal;
    int count = failed ? 0 : host_images(salt, check_one, &view);

    if (count < 0)
        failed = 1;
    else
        crash_images += (unsigned long)count;
}

static void try_all_images(int legal)
{
    recoveries = (uint32_t)crash_images; /* varies which recoveries are cut */
    try_images(legal, 0);
    if (effort.skip != HOST_NO_SITE && effort.recovery && !(legal & AGAIN))
        return; /* the pass without recoveries has tried these */
    for (uint32_t i = 0; i < FOLLOWS; i++) {
        if (follows & 1u << i)
            try_images(legal, 1u << i);
    }
}

static void on_recovery_point(void *ctx)
{
    try_all_images(*(int *)ctx | AGAIN);
}

/* Record without trying images. */
static void ignore_point(void *ctx)
{
    (void)ctx;
}

/* The thread after a dead program finishes its change, and is cut, too. */
static int recover_after_death(void *ctx)
{
    static char state[STATE];

    host_crash_points(on_recovery_point, ctx);
    dump_names(state);
    dump(state);
    if (follows & FOLLOW_MOVE) {
        host_crash_points(ignore_point, NULL); /* neither state is legal any more */
        crash_follow(FOLLOW_MOVE);
        try_images(AGAIN, FOLLOW_MOVE);
    }
    host_crash_points(NULL, NULL);
    return failed ? -1 : 0;
}

static void on_next_point(void *ctx)
{
    try_images(AGAIN, *(uint32_t *)ctx);
}

/* The thread after a dead program, or beside one that stands still, uses what that has stored. */
static int follow_after_death(void *ctx)
{
    host_crash_points(on_next_point, ctx);
    crash_follow(*(uint32_t *)ctx);
    on_next_point(ctx);
    host_crash_points(NULL, NULL);
    return failed ? -1 : 0;
}

static void try_death(int legal)
{
    /* Few crash points matter for these. */
    bool every = (follows & (FOLLOW_MOVE | FOLLOW_NEXT)) != 0;

    if (!effort.recovery || failed || (++deaths % effort.recovery && !every))
        return;
    if (host_death(recover_after_death, &legal) < 0)
        failed = 1;
    for (uint32_t i = 0; i < FOLLOWS; i++) {
        uint32_t what = 1u << i & follows & FOLLOW_NEXT;

        if (what && !failed && host_death(follow_after_death, &what) < 0)
            failed = 1;
    }
}

static void on_crash_point(void *ctx)
{
    /* Before the site that is left out, images are the same as without leaving it out, unless
     * recovery reaches it. */
    if (effort.skip == HOST_NO_SITE || effort.recovery || host_skipped())
        try_all_images(*(int *)ctx);
    try_death(*(int *)ctx);
}

/* --- the workloads ---------------------------------------------------------------------------- */

static void run_unless(int op)
{
    if (op >= 0)
        crash_ops[op].run();
}

/* Run operation `first` (-1: none), then `second` with crash points. 0 is good. */
static int try_pair(int first, int second)
{
    const struct crash_op *op = &crash_ops[second];
    int legal = op->steps ? IN_BETWEEN : 0;

    failed = 0;
    dump_extra = op->show;
    follows = op->follow;
    crash_setup();
    run_unless(first);
    dump_names(before_names);
    dump(before);
    op->run();
    dump_names(after_names);
    dump(after);
    crash_setup();
    host_skip_site(effort.skip);
    host_crash_points(ignore_point, NULL);
    run_unless(first);
    host_crash_points(on_crash_point, &legal);
    op->run();
    legal |= DONE;
    on_crash_point(&legal);
    host_crash_points(NULL, NULL);
    if (failed && !effort.quiet)
        fprintf(stderr, "failed: %s, then %s\n", first < 0 ? "nothing" : crash_ops[first].name,
                op->name);
    return failed ? -1 : 0;
}

static int op_named(const char *name)
{
    int i = 0;

    while (strcmp(crash_ops[i].name, name) != 0)
        i++;
    return i;
}

/* Pairs in which the second operation depends on a store that the first must have made durable. */
static const char *const pairs[][2] = {
    { "typed-add", "typed-add" },
    { "typed-add", "typed-put" },
    { "rename-across", "create-again" },
    { "unlink-last", "create-again" },
    { "link", "unlink-one" },
    { "move-dir", "move-dir-in" },
};

size_t crash_workloads(void)
{
    return crash_ops_count + sizeof(pairs) / sizeof(pairs[0]);
}

void crash_workload_name(size_t w, char *text, size_t size)
{
    if (w < crash_ops_count)
        snprintf(text, size, "%s", crash_ops[w].name);
    else
        snprintf(text, size, "%s, %s", pairs[w - crash_ops_count][0],
                 pairs[w - crash_ops_count][1]);
}

int crash_try(size_t w, const struct crash_effort *e)
{
    effort = *e;
    if (w < crash_ops_count)
        return try_pair(-1, (int)w);
    w -= crash_ops_count;
    return try_pair(op_named(pairs[w][0]), op_named(pairs[w][1]));
}

/* One recovery in so many is cut, too. */
static int all_workloads(uint32_t recovery)
{
    const struct crash_effort all = { .skip = HOST_NO_SITE, .recovery = recovery };

    for (size_t w = 0; w < crash_workloads(); w++) {
        unsigned long images = crash_images;

        host_reached_clear();
        if (crash_try(w, &all) < 0)
            return -1;
        crash_reached(w, crash_images - images);
    }
    return 0;
}

static int all_pairs(void)
{
    int ops = (int)crash_ops_count;

    for (int i = 0; i < ops * ops; i++) {
        if (try_pair(i / ops, i % ops) < 0)
            return -1;
    }
    return 0;
}

/* Usage: hier-crash [pairs | recoveries | mutants] */
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int err = all_workloads(strcmp(what, "recoveries") == 0 ? 1 : 8);

    if (err == 0 && strcmp(what, "pairs") == 0)
        err = all_pairs();
    printf("%lu crash images\n", crash_images);
    if (err == 0 && strcmp(what, "mutants") == 0)
        err = crash_mutants();
    printf("%u passed, %u failed\n", err == 0, err != 0);
    return err != 0;
}
