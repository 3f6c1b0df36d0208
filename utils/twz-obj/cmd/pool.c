/* SPDX-License-Identifier: MIT */
/*
 * mkpool, boot, df, snapshot.
 *
 * Crash protocol of mkpool: the pool is made in a file without a name, which gets its name last
 * (host_file.h). So a pool file exists whole or not at all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <twz/error.h>
#include <twz/persist.h>
#include <twz/ptr.h>
#include <unistd.h>

#include "command.h"
#include "content.h"
#include "host_file.h"
#include "host_platform.h"
#include "ident.h"
#include "names.h"
#include "owner.h"
#include "out.h"
#include "platform.h"
#include "pool.h"
#include "pool_lock.h"
#include "refs.h"
#include "secret_file.h"
#include "text.h"

#define DEFAULT_SIZE (1ull << 30)
/* The store's tables, and the root directory, its attribute table and first_dirs, the
 * context. With an owner also the ku, its hash tree, and a capability. */
#define SMALLEST_SIZE  (25u * STORE_FRAME_SIZE)
#define SMALLEST_OWNED (39u * STORE_FRAME_SIZE)

/* --- mkpool -------------------------------------------------------------------------------- */

/* The directories that the system expects. No program may delete one, make holes in it or change
 * its permissions: all that needs DEL. Programs in the system may not change the first two; this
 * tool, which owns the pool, may. */
#define SYSTEM_DIR (TWZ_READ | TWZ_USE)
#define OPEN_DIR   (TWZ_READ | TWZ_WRITE | TWZ_USE)

static const struct {
    const char *path;
    uint32_t perms;
} first_dirs[] = { { "/bin", SYSTEM_DIR },
                   { "/sys", SYSTEM_DIR },
                   { "/host", OPEN_DIR },
                   { "/data", OPEN_DIR },
                   { "/tmp", OPEN_DIR } };

static int make_root(struct pool *pool)
{
    twzobj root, attrs = { 0 };
    int err = twz_object_new(&root, NULL, NULL, TWZ_OC_PERSIST | OPEN_DIR);
    struct store_roots roots;

    if (err < 0)
        return err;
    err = twz_object_new(&attrs, NULL, NULL, TWZ_OC_PERSIST | OPEN_DIR);
    if (err >= 0)
        err = hier_init_volume(&root, &attrs);
    roots = store_super_get(pool->store)->roots;
    roots.names = root.id;
    if (err >= 0)
        err = store_super_set(pool->store, &roots);
    if (err >= 0)
        pool->names = root.id;
    twz_object_release(&attrs);
    twz_object_release(&root);
    return err;
}

static int make_namespace(struct pool *pool)
{
    int err = make_root(pool);

    for (size_t i = 0; err >= 0 && i < sizeof(first_dirs) / sizeof(first_dirs[0]); i++)
        err = names_mkdir(pool, first_dirs[i].path, first_dirs[i].perms);
    return err;
}

/* Operands and options of mkpool. */
struct mkpool {
    const char *path, *label;
    uint64_t size;
    bool force;
    bool owned;
    struct sign_key key; /* of the owner, if it is owned */
};

/* Format the file, open it as a pool, make the namespace. */
static int fill_pool(struct pool *pool, const struct mkpool *make)
{
    struct store_env env;
    struct store_mkpool format = { .created = (uint64_t)time(NULL) };
    int err = host_random(format.uuid, sizeof(format.uuid));

    if (err != TOOL_OK)
        return err;
    if (make->label)
        memcpy(format.label, make->label, strlen(make->label));
    pool_env(pool, &env);
    err = store_mkpool(&env, &format);
    if (err < 0)
        return fail(fail_code(err), "%s: cannot hold a pool of %llu bytes: %s", pool->path,
                    (unsigned long long)pool->size, fail_text(err));
    err = pool_validate(pool);
    if (err == TOOL_OK)
        err = pool_recover(pool);
    if (err != TOOL_OK)
        return err;
    err = make_namespace(pool);
    if (err == -TWZ_ENOSPC)
        return fail(TOOL_FULL, "%s: too small for a namespace: give a larger --size", pool->path);
    return err < 0 ? fail_twz(pool->path, err) : owner_make(pool, make->owned ? &make->key : NULL);
}

/* Lock the file that will be replaced; it must be a regular file that no process uses. *fd holds
 * the lock; -1: there is no such file. */
static int lock_replaced(const char *path, int *fd)
{
    struct stat st;
    char holder[256];
    int err;

    *fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return errno == ENOENT ? TOOL_OK : fail_host(path);
    if (fstat(*fd, &st) != 0)
        return fail_host(path);
    if (!S_ISREG(st.st_mode))
        return fail(TOOL_NO, "%s: not a regular file: name another file", path);
    err = pool_lock_acquire(*fd, false, holder, sizeof(holder));
    if (err == POOL_LOCK_BUSY)
        return fail(TOOL_BUSY, "%s: in use (by %s): wait for it, or end it", path, holder);
    return err < 0 ? fail_host(path) : TOOL_OK;
}

/* Make the pool in a nameless file, then give it its name. */
static int make_pool(const struct mkpool *make)
{
    const char *exists = make->force ? NULL : "choose another name, or use --force";
    struct host_file file;
    struct pool *pool;
    int err = host_file_create(&file, make->path, exists, 0644);
    int fd;

    if (err != TOOL_OK)
        return err;
    fd = fcntl(file.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || ftruncate(file.fd, (off_t)make->size) != 0) {
        err = fail_host(make->path);
        host_file_abort(&file);
        return err;
    }
    err = pool_file_adopt(&pool, make->path, fd, POOL_BULK);
    if (err == TOOL_OK) {
        err = fill_pool(pool, make);
        err = fail_first(err, pool_close(pool));
    }
    if (err == TOOL_OK)
        return host_file_commit(&file);
    host_file_abort(&file);
    return err;
}

static int parse_mkpool(struct tool *tool, const struct args *args, struct mkpool *make)
{
    const char *size_text = args_option(args, "size");
    uint32_t smallest = args_flag(args, "key") ? SMALLEST_OWNED : SMALLEST_SIZE;

    make->path = args->argc ? args->argv[0] : command_pool_path(tool);
    make->label = args_option(args, "label");
    make->force = args_flag(args, "force");
    make->owned = args_flag(args, "key");
    make->size = DEFAULT_SIZE;
    if (!make->path)
        return TOOL_USAGE;
    if (size_text && (!text_size(size_text, &make->size) || make->size > INT64_MAX))
        return fail(TOOL_USAGE, "--size %s: not a size: give bytes, or a number with K, M, G or T",
                    size_text);
    if (make->size % STORE_FRAME_SIZE != 0)
        return fail(TOOL_USAGE, "--size %s: not a multiple of %u bytes", size_text,
                    STORE_FRAME_SIZE);
    if (make->size < smallest)
        return fail(TOOL_USAGE, "--size %s: less than the smallest pool, %u bytes (%uK)", size_text,
                    smallest, smallest >> 10);
    if (make->label && strlen(make->label) > 31)
        return fail(TOOL_USAGE, "--label: longer than 31 bytes");
    return TOOL_OK;
}

static int run_mkpool(const struct args *args, struct mkpool *make)
{
    int old = -1;
    int err = TOOL_OK;

    if (make->owned)
        err = secret_file_open(args_option(args, "key"), args_option(args, "passphrase-fd"),
                               &make->key);
    if (err == TOOL_OK && make->force)
        err = lock_replaced(make->path, &old);
    if (err == TOOL_OK)
        err = make_pool(make);
    sign_key_wipe(&make->key);
    if (old >= 0)
        close(old);
    return err;
}

int cmd_mkpool(struct tool *tool, const struct args *args)
{
    struct mkpool make = { 0 };
    int err = parse_mkpool(tool, args, &make);

    if (err == TOOL_OK)
        err = run_mkpool(args, &make);
    if (err == TOOL_OK && out_is_json()) {
        out_begin();
        out_str("pool", make.path);
        out_u64("size", make.size);
        out_end();
    }
    return err;
}

/* --- boot ---------------------------------------------------------------------------------- */

/* Delete the former first program if nothing refers to it: an update must leave nothing behind. */
static int delete_former(struct pool *pool, objid_t former)
{
    int err;

    if (objid_is_none(former) || refs_pointed(pool, former, true))
        return TOOL_OK;
    err = plat_obj_delete(former, TWZ_DELETE_DEFERRED);
    return err < 0 && err != -TWZ_ENOOBJ ? fail_twz(pool->path, err) : TOOL_OK;
}

/*
 * The first program finds the directories that no program may change through its FOT, and restores
 * their names (utils/init/names.h). The resolver word of such an entry names the directory; the
 * library does not read it in an entry by ID. All other entries belong to the program.
 *
 *   step                                  durable before   after a crash
 *   0 COMMIT flags := 0, if the entry     1                init does not find the directory; boot
 *     exists and has another ID                            is to be called again
 *   1 resolver and ID; fot_count, flush   2                the entry is free
 *   2 COMMIT flags                        the root         the entry exists
 *   3 COMMIT the pool's first program     -                the program boots, with its entries
 */

/* The index of the program's entry with that resolver word, else of a free one; 0: none. */
static uint32_t find_entry(const twzobj *program, uint64_t resolver)
{
    uint32_t unused = 0;

    for (uint32_t i = 1; i <= TWZ_FOT_MAX; i++) {
        const struct twz_fot_entry *entry = twz_fot_entry(program, i);

        if ((entry->flags & (TWZ_FOT_VALID | TWZ_FOT_NAME)) == TWZ_FOT_VALID &&
            entry->resolver == resolver)
            return i;
        if (entry->flags == 0 && unused == 0)
            unused = i;
        if (i > twz_object_meta(program)->fot_count && unused)
            break;
    }
    return unused;
}

/* Make an entry of the program name a directory. -TWZ_EFULL. */
static int point_to(const twzobj *program, uint64_t resolver, objid_t id)
{
    const uint32_t index = find_entry(program, resolver);
    struct twz_fot_entry *entry = twz_fot_entry(program, index);
    struct twz_meta *meta = twz_object_meta(program);
    int err = entry ? twz_touch(entry, sizeof(*entry)) : -TWZ_EFULL;

    if (err >= 0)
        err = twz_touch(meta, sizeof(*meta));
    if (err < 0 || (entry->flags != 0 && objid_equal(entry->id, id)))
        return err;
    if (entry->flags != 0)
        twz_persist_commit64(&entry->flags, 0); /* COMMIT: no entry while its ID changes */
    twz_persist_store64(&entry->resolver, resolver);
    twz_persist_store64(&entry->id.lo, id.lo);
    twz_persist_store64(&entry->id.hi, id.hi);
    if (meta->fot_count < index)
        twz_persist_store64(&meta->fot_count, index);
    twz_persist_flush(&meta->fot_count, sizeof(meta->fot_count));
    twz_persist_flush(entry, sizeof(*entry));
    twz_persist_fence(); /* ID and count, before the flags make it an entry */
    twz_persist_commit64(&entry->flags, TWZ_FOT_VALID | TWZ_READ); /* COMMIT: the entry */
    return 0;
}

static int point_to_system(struct pool *pool, objid_t id)
{
    twzobj program;
    uint64_t resolver = TWZ_FOT_SYSTEM;
    int err = twz_object_init_guid(&program, id, TWZ_READ | TWZ_WRITE);

    for (size_t i = 0; err >= 0 && i < sizeof(first_dirs) / sizeof(first_dirs[0]); i++) {
        struct hier_where where;

        if (first_dirs[i].perms != SYSTEM_DIR)
            continue;
        resolver++;
        if (names_walk(pool, first_dirs[i].path, 0, &where) < 0)
            continue;
        if (where.kind == HIER_DIR)
            err = point_to(&program, resolver, where.id);
        hier_where_close(&where);
    }
    twz_object_release(&program);
    return err < 0 ? fail_twz(pool->path, err) : TOOL_OK;
}

static bool is_elf(const struct pool *pool, uint32_t row)
{
    uint8_t start[4];

    return content_read(pool, row, TWZ_OBJ_BASE, start, sizeof(start)) == 0 &&
           memcmp(start, "\177ELF", sizeof(start)) == 0;
}

int cmd_boot(struct tool *tool, const struct args *args)
{
    struct ident program;
    int err = ident_one(tool, args->argv[0], &program);
    struct store_roots roots;
    objid_t former;

    if (err != TOOL_OK)
        return err;
    roots = store_super_get(tool->pool->store)->roots;
    former = roots.init;
    roots.init = program.id;
    if (program.kind == HIER_DIR)
        err = fail(TOOL_NO, "%s: a directory, not a program", program.text);
    else if (!is_elf(tool->pool, program.row))
        err = fail(TOOL_NO, "%s: not a program (not an ELF file): name a program for twz",
                   program.text);
    else
        err = point_to_system(tool->pool, program.id);
    if (err == TOOL_OK && !objid_equal(former, program.id))
        err = pool_roots_set(tool->pool, &roots);
    if (err == TOOL_OK && !objid_equal(former, program.id))
        err = delete_former(tool->pool, former);
    ident_done(&program);
    return err;
}

/* --- df ------------------------------------------------------------------------------------ */

static void format_uuid(char text[37], const uint8_t uuid[16])
{
    char *p = text;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        p += sprintf(p, "%02x", uuid[i]);
    }
}

/* The entry of df. */
static void df_json(const struct pool *pool, const struct store_super *super,
                    const struct store_usage *space, const char *uuid)
{
    out_begin();
    out_str("pool", pool->path);
    out_str("uuid", uuid);
    out_bytes("label", super->label, strnlen((const char *)super->label, sizeof(super->label)));
    out_u64("version", super->version);
    out_u64("created", super->created);
    out_u64("size", space->frames * STORE_FRAME_SIZE);
    out_u64("free", space->free * STORE_FRAME_SIZE);
    out_u64("meta", space->meta * STORE_FRAME_SIZE);
    out_u64("data", space->pages * STORE_FRAME_SIZE);
    out_u64("bad", space->bad * STORE_FRAME_SIZE);
    out_u64("objects", space->objects);
    out_u64("objects_max", space->rows_max);
    out_u64("boots", store_mono_get(pool->store, STORE_MONO_RESUME));
    out_u64("generation", store_mono_get(pool->store, STORE_MONO_WRITER));
    out_id("names", super->roots.names);
    out_id("init", super->roots.init);
    out_id("context", super->roots.sctx);
    out_id("owner", super->roots.owner);
    out_end();
}

static void print_size_line(const char *what, uint64_t frames, uint64_t of, bool human)
{
    char text[OUT_SIZE_TEXT];
    uint64_t tenths = of ? frames * 1000 / of : 0;

    printf("%-10s %14s  %3llu.%llu %%\n", what,
           out_size_text(text, frames * STORE_FRAME_SIZE, human), (unsigned long long)(tenths / 10),
           (unsigned long long)(tenths % 10));
}

int cmd_df(struct tool *tool, const struct args *args)
{
    const struct pool *pool = tool->pool;
    const struct store_super *super = store_super_get(pool->store);
    struct store_usage space;
    char uuid[37];
    char text[OUT_TIME_TEXT];
    char id[OUT_ID_TEXT];
    bool human = args_flag(args, "human");

    store_usage(pool->store, &space);
    format_uuid(uuid, super->uuid);
    if (out_is_json()) {
        df_json(pool, super, &space, uuid);
        return TOOL_OK;
    }
    printf("%-10s %s\n%-10s %s\n", "pool", pool->path, "uuid", uuid);
    if (super->label[0])
        printf("%-10s %.32s\n", "label", (const char *)super->label);
    printf("%-10s %s\n", "made", out_time_text(text, super->created * 1000000000u));
    printf("%-10s %llu times\n", "booted",
           (unsigned long long)store_mono_get(pool->store, STORE_MONO_RESUME));
    printf("%-10s %llu\n", "generation",
           (unsigned long long)store_mono_get(pool->store, STORE_MONO_WRITER));
    if (!objid_is_none(super->roots.init))
        printf("%-10s %s\n", "boots", out_id_text(id, super->roots.init, 32));
    printf("%-10s %14llu of %llu\n", "objects", (unsigned long long)space.objects,
           (unsigned long long)space.rows_max);
    print_size_line("data", space.pages, space.frames, human);
    if (space.bad)
        print_size_line("bad", space.bad, space.frames, human);
    print_size_line("metadata", space.meta, space.frames, human);
    print_size_line("free", space.free, space.frames, human);
    print_size_line("size", space.frames, space.frames, human);
    return TOOL_OK;
}

/* --- snapshot ------------------------------------------------------------------------------ */

int cmd_snapshot(struct tool *tool, const struct args *args)
{
    struct host_file file;
    int err = host_file_create(&file, args->argv[0], "choose another name", 0644);

    if (err != TOOL_OK)
        return err;
    err = host_copy_sparse(tool->pool->fd, file.fd, args->argv[0], tool->pool->size);
    if (err == TOOL_OK)
        return host_file_commit(&file);
    host_file_abort(&file);
    return err;
}
