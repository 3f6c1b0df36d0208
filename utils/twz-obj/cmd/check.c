/* SPDX-License-Identifier: MIT */
/*
 * check: checks the invariants of the media, then of the directories, then the metadata page of
 * each object, so that stat finds no damage that check does not find, and sealed objects against
 * their hash trees. It works on a private map and changes nothing. --repair runs the recovery that
 * every writing command runs, reports what it completed, and checks again. Other damage is only
 * reported; check never guesses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_objects.h"
#include "command.h"
#include "fail.h"
#include "host_file.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "pool.h"
#include "posix.h"

/* A problem that store_check found. */
static void print_store_problem(void *ctx, const struct store_report *report)
{
    (void)ctx;
    if (out_is_json()) {
        out_begin();
        out_str("problem", report->what);
        out_id("id", report->object);
        out_u64("offset", report->offset);
        out_hex("found", report->found);
        out_hex("wanted", report->wanted);
        out_end();
        return;
    }
    printf("%s: byte %llu of the pool", report->what, (unsigned long long)report->offset);
    if (!objid_is_none(report->object))
        printf(", object " IDFMT, IDPR(report->object));
    if (report->found != report->wanted)
        printf(", found %llx, wanted %llx", (unsigned long long)report->found,
               (unsigned long long)report->wanted);
    putchar('\n');
}

static void print_directory_problem(void *ctx, const struct hier_problem *problem)
{
    const objid_t *dir = ctx;

    if (out_is_json()) {
        out_begin();
        out_str("problem", problem->what);
        out_id("id", *dir);
        out_u64("offset", problem->off);
        out_end();
        return;
    }
    printf("%s: directory " IDFMT ", offset %llu\n", problem->what, IDPR(*dir),
           (unsigned long long)problem->off);
}

/* --- directories --------------------------------------------------------------------------- */

struct dir_walk {
    struct pool *pool;
    uint64_t directories, names, problems;
    twzobj table;    /* the attribute table; start NULL: none */
    uint32_t *named; /* for each record: names that hold its index */
    uint64_t records;
    objid_t reported; /* the last directory whose problems were reported */
};

static void check_hier(struct dir_walk *walk, objid_t id)
{
    twzobj dir;
    int err = twz_object_init_guid(&dir, id, TWZ_READ);

    if (err >= 0) {
        err = hier_check(&dir, print_directory_problem, &id);
        twz_object_release(&dir);
    }
    if (err < 0)
        print_directory_problem(&id, &(struct hier_problem){ 0, fail_text(err) });
    walk->problems += err < 0 ? 1 : (uint64_t)err;
    walk->directories++;
    if (err != 0)
        walk->reported = id;
}

/* The record of a name must be that of its object. Records are counted, for check_records. */
static void check_record(struct dir_walk *walk, const struct name_visit *visit)
{
    const struct attr_record *record;
    objid_t dir = visit->dir;

    if (!walk->table.start || visit->name->attr == 0)
        return;
    record = attr_at(&walk->table, visit->name->attr);
    if (record && visit->name->attr < walk->records) {
        walk->named[visit->name->attr]++;
        if (record->names != 0 && attr_is_of(record, visit->name->id))
            return;
    }
    walk->problems++;
    print_directory_problem(
        &dir, &(struct hier_problem){ 0, "a name whose attributes are of another object" });
}

/* Each name must mean an object that exists, and a directory must have one name. */
static int check_name(void *ctx, const struct name_visit *visit)
{
    struct dir_walk *walk = ctx;
    uint32_t row;
    int err;

    walk->names++;
    if (visit->name->kind == HIER_SYMLINK)
        return 0;
    err = store_lookup(walk->pool->store, visit->name->id, &row);
    if (err < 0) {
        objid_t dir = visit->dir;

        walk->problems++;
        print_directory_problem(&dir, &(struct hier_problem){ 0, "a name of a missing object" });
        return 0;
    }
    check_record(walk, visit);
    if (visit->again) {
        objid_t dir = visit->dir;

        walk->problems++;
        print_directory_problem(&dir, &(struct hier_problem){ 0, "a second name of a directory" });
    } else if (visit->name->kind == HIER_DIR) {
        check_hier(walk, visit->name->id);
    }
    return 0;
}

/* A directory that cannot be listed; the walk goes on with the rest of the tree. */
static int report_unlistable(void *ctx, objid_t dir, const char *path, int error)
{
    struct dir_walk *walk = ctx;

    (void)path;
    if (!objid_equal(walk->reported, dir))
        print_directory_problem(&dir, &(struct hier_problem){ 0, fail_text(error) });
    walk->problems += objid_equal(walk->reported, dir) ? 0 : 1;
    return 0;
}

static void print_table_problem(void *ctx, uint64_t off, const char *what)
{
    print_directory_problem(ctx, &(struct hier_problem){ off, what });
}

/* Open the attribute table and check it by itself. */
static int check_table(struct pool *pool, struct dir_walk *walk)
{
    objid_t id = posix_table(pool);
    int err = objid_is_none(id) ? 0 : attr_open(id, TWZ_READ, &walk->table);

    if (err < 0 || !walk->table.start) {
        walk->problems += err < 0 ? 1 : 0;
        if (err < 0)
            print_table_problem(&id, 0, fail_text(err));
        walk->table.start = NULL;
        return TOOL_OK;
    }
    err = attr_check(&walk->table, print_table_problem, &id);
    walk->problems += err < 0 ? 1 : (uint64_t)err;
    walk->records = attr_end(&walk->table);
    walk->named = calloc(walk->records, sizeof(*walk->named));
    return walk->named ? TOOL_OK : fail(TOOL_FULL, "out of memory");
}

/* A record of an object that exists must count the names. A record of another object waits for its
 * reuse, and the root's has no name. */
static void check_records(struct dir_walk *walk)
{
    objid_t id = walk->table.id;
    uint32_t row;

    for (uint64_t i = 1; walk->table.start && i < walk->records; i++) {
        const struct attr_record *record = attr_at(&walk->table, i);

        if (record->names == walk->named[i] || objid_equal(record->id, walk->pool->names) ||
            store_lookup(walk->pool->store, record->id, &row) < 0)
            continue;
        walk->problems++;
        print_table_problem(&id, ATTR_RECORDS + i * ATTR_RECORD,
                            "a record that does not count its names");
    }
    free(walk->named);
    twz_object_release(&walk->table);
}

static int check_names(struct pool *pool, struct dir_walk *walk)
{
    int err;

    *walk = (struct dir_walk){ .pool = pool };
    if (objid_is_none(pool->names))
        return TOOL_OK;
    check_hier(walk, pool->names);
    err = check_table(pool, walk);
    if (err != TOOL_OK)
        return err;
    err = names_each_whole(pool, pool->names, "/", check_name, report_unlistable, walk);
    if (err < 0) {
        walk->problems++;
        print_directory_problem(&pool->names, &(struct hier_problem){ 0, fail_text(err) });
    }
    check_records(walk);
    return TOOL_OK;
}

/* --- the pool ------------------------------------------------------------------------------ */

#define NO_COPY 2u

/* The superblock copy that recovery will write again, or NO_COPY. The pool is opened and not yet
 * recovered: one copy is in force, and the other one must be equal. */
static uint32_t invalid_super_copy(const struct pool *pool)
{
    const struct store_super *super = store_super_get(pool->store);

    for (uint32_t copy = 0; copy < 2; copy++) {
        const uint8_t *frame = (const uint8_t *)pool->base + (size_t)copy * STORE_FRAME_SIZE;

        if (memcmp(frame, super, sizeof(*super)) != 0)
            return copy;
    }
    return NO_COPY;
}

/* The words among the mirrors that a recovery completes; the rest is the superblock copy. */
static uint32_t mirrored_words(const struct store_recovery *done, uint32_t super_copy)
{
    return done->mirrors - (super_copy != NO_COPY && done->mirrors ? 1 : 0);
}

/* "3 objects", behind `before`. */
static void print_count(const char *before, uint32_t count, const char *what)
{
    printf("%s%u %s%s", before, count, what, count == 1 ? "" : "s");
}

static void print_recovery(const struct store_recovery *done, uint32_t super_copy)
{
    if (super_copy != NO_COPY)
        printf("superblock copy %u (damaged, or older than the other), ", super_copy);
    print_count("", mirrored_words(done, super_copy), "mirrored word");
    print_count(", ", done->retained, "new object");
    fputs(" kept", stdout);
    print_count(", ", done->reclaimed, "unfinished object");
    fputs(" removed", stdout);
    print_count(", ", done->deleted, "deletion");
}

/* The last line: what was checked, the number of problems, and what recovery will complete. */
static void print_result(const struct store_checked *result, const struct dir_walk *walk,
                         const struct store_recovery *todo, uint32_t super_copy)
{
    uint64_t problems = result->problems + walk->problems;

    if (out_is_json()) {
        out_begin();
        out_u64("objects", result->objects);
        out_u64("frames", result->frames);
        out_u64("directories", walk->directories);
        out_u64("names", walk->names);
        out_u64("pending", result->pending);
        out_u64("pending_superblocks", super_copy != NO_COPY);
        out_u64("pending_words", mirrored_words(todo, super_copy));
        out_u64("pending_objects", (uint64_t)todo->retained + todo->reclaimed + todo->deleted);
        out_u64("problems", problems);
        out_end();
        return;
    }
    printf("%llu objects, %llu frames, %llu directories, %llu names: ",
           (unsigned long long)result->objects, (unsigned long long)result->frames,
           (unsigned long long)walk->directories, (unsigned long long)walk->names);
    if (problems)
        printf("%s%llu problems%s", out_colour(31), (unsigned long long)problems, out_plain());
    else
        printf("%sno problem%s", out_colour(32), out_plain());
    if (result->pending) {
        fputs(", for recovery to complete: ", stdout);
        print_recovery(todo, super_copy);
    }
    putchar('\n');
}

/* Check the media as they are, then the directories of the recovered private map. */
static int check_mapped(struct pool *pool, bool *walked)
{
    struct store_env env;
    struct store_checked result;
    struct dir_walk walk;
    uint32_t super_copy;
    int err = pool_validate(pool);

    if (err != TOOL_OK)
        return err;
    super_copy = invalid_super_copy(pool);
    pool_env(pool, &env);
    env.report = NULL;
    err = store_check(&env, print_store_problem, NULL, &result);
    if (err < 0)
        return fail_twz(pool->path, err);
    pool->quiet = true; /* store_check reported every damage already */
    err = pool_recover(pool);
    if (err == TOOL_OK)
        err = check_names(pool, &walk);
    if (err != TOOL_OK)
        return err;
    err = check_objects(pool, &walk.problems);
    if (err != TOOL_OK)
        return err;
    print_result(&result, &walk, &pool->recovery, super_copy);
    *walked = true;
    return result.problems + walk.problems ? TOOL_DAMAGED : TOOL_OK;
}

/* *walked: the check came to its end and reported all problems. */
static int check_pool(const char *path, bool *walked)
{
    struct pool *pool;
    int err = pool_file_open(&pool, path, POOL_READ);

    if (err != TOOL_OK)
        return err;
    err = check_mapped(pool, walked);
    return fail_first(err, pool_close(pool));
}

static int copy_to_backup(const struct pool *pool, const char *path)
{
    struct host_file file;
    int err = host_file_create(&file, path, "choose another name", 0644);

    if (err != TOOL_OK)
        return err;
    err = host_copy_sparse(pool->fd, file.fd, path, pool->size);
    if (err == TOOL_OK)
        return host_file_commit(&file);
    host_file_abort(&file);
    return err;
}

static int ignore_name(void *ctx, const struct name_visit *visit)
{
    (void)ctx;
    (void)visit;
    return 0;
}

static int ignore_unlistable(void *ctx, objid_t dir, const char *path, int error)
{
    (void)ctx;
    (void)dir;
    (void)path;
    (void)error;
    return 0;
}

/* Recover the store, then each directory: listing a directory completes what was interrupted there.
 * A directory that cannot be read is left to the check that follows. */
static int recover_all(struct pool *pool, uint32_t *super_copy)
{
    int err = pool_validate(pool);

    if (err == TOOL_OK) {
        *super_copy = invalid_super_copy(pool);
        err = pool_recover(pool);
    }
    if (err == TOOL_OK && !objid_is_none(pool->names))
        (void)names_each_whole(pool, pool->names, "/", ignore_name, ignore_unlistable, NULL);
    return err;
}

static int repair_pool(const char *path, bool dry, const char *copy)
{
    struct pool *pool;
    uint32_t super_copy = NO_COPY;
    int err = pool_file_open(&pool, path, dry ? POOL_READ : POOL_WRITE);

    if (err != TOOL_OK)
        return err;
    if (copy && !dry)
        err = copy_to_backup(pool, copy);
    pool->quiet = true;
    if (err == TOOL_OK)
        err = recover_all(pool, &super_copy);
    if (err == TOOL_OK && !out_is_json()) {
        printf("%s: ", dry ? "would be completed" : "completed");
        print_recovery(&pool->recovery, super_copy);
        putchar('\n');
    }
    return fail_first(err, pool_close(pool));
}

/* The remedies for damage; other commands advise to run check. */
#define CHECK_TODO                                                                                 \
    "'twz-obj check --repair --backup FILE' completes what was interrupted, for the rest restore " \
    "the pool from a copy"
#define REPAIR_TODO "restore the pool from a copy"

static void print_advice(const char *path, bool repaired)
{
    if (repaired)
        fail_warn("%s: what remains cannot be repaired: delete the objects named above, or restore "
                  "the pool from a copy",
                  path);
    else
        fail_warn("%s: 'twz-obj check --repair --backup FILE' completes what was interrupted; for "
                  "the rest delete the objects named above, or restore the pool from a copy",
                  path);
}

int cmd_check(struct tool *tool, const struct args *args)
{
    const char *path = command_pool_path(tool);
    const char *copy = args_option(args, "backup");
    bool dry = args_flag(args, "dry-run");
    bool repaired = args_flag(args, "repair") && !dry;
    bool walked = false;
    int err;

    if (!path)
        return TOOL_USAGE;
    if (!args_flag(args, "repair") && (dry || copy))
        return fail(TOOL_USAGE, "check: --dry-run and --backup need --repair");
    fail_damaged_todo_set(repaired ? REPAIR_TODO : CHECK_TODO);
    err = args_flag(args, "repair") ? repair_pool(path, dry, copy) : TOOL_OK;
    if (err != TOOL_OK)
        return err;
    err = check_pool(path, &walked);
    if (err == TOOL_DAMAGED && walked)
        print_advice(path, repaired);
    return err;
}
