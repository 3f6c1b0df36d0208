/* SPDX-License-Identifier: MIT */
/*
 * put and cp: make new objects with content. destination.c has the protocol by which they appear. A
 * file longer than one object continues in another object. That object is provisional; its witness
 * is the word of the first object that points to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <twz/error.h>
#include <unistd.h>

#include "command.h"
#include "content.h"
#include "ident.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "destination.h"
#include "platform.h"
#include "pool.h"
#include "text.h"
#include "window.h"

/* --- the source of the bytes --------------------------------------------------------------- */

struct input {
    int fd;
    const char *path;
    struct stat st;
    uint64_t done;
    bool ahead; /* `next` was read ahead, to find out whether there are more bytes */
    uint8_t next;
    struct out_progress progress;
};

/* A content_source: reads until `len` bytes or the end of the input. */
static int64_t input_read(void *ctx, void *bytes, uint64_t len)
{
    struct input *in = ctx;
    uint8_t *to = bytes;
    uint64_t got = 0;

    if (in->ahead && len > 0) {
        to[got++] = in->next;
        in->ahead = false;
    }
    while (got < len) {
        ssize_t n = read(in->fd, to + got, len - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail_host(in->path);
            return -1;
        }
        if (n == 0)
            break;
        got += (uint64_t)n;
    }
    in->done += got;
    out_progress(&in->progress, in->done);
    return (int64_t)got;
}

/* Are there more bytes? 1: yes; 0: no; -1 after a message. */
static int input_more(struct input *in)
{
    int64_t n = input_read(in, &in->next, 1);

    if (n > 0) {
        in->ahead = true;
        in->done--;
    }
    return n < 0 ? -1 : n > 0;
}

static int input_open(struct input *in, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    bool regular;

    *in = (struct input){ .path = standard ? "standard input" : path };
    in->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0)
        return fail_host(path);
    if (fstat(in->fd, &in->st) != 0)
        return fail_host(in->path);
    if (S_ISDIR(in->st.st_mode)) {
        close(in->fd);
        return fail(TOOL_NO, "%s: a directory: put its files one by one", path);
    }
    regular = S_ISREG(in->st.st_mode);
    out_progress_start(&in->progress, in->path, regular ? (uint64_t)in->st.st_size : 0);
    return TOOL_OK;
}

static void input_close(struct input *in)
{
    out_progress_end(&in->progress);
    if (in->fd != STDIN_FILENO)
        close(in->fd);
}

/* --- filling ------------------------------------------------------------------------------- */

static struct attr_values values_for(const struct input *in)
{
    bool regular = S_ISREG(in->st.st_mode);
    uint32_t mode = regular ? in->st.st_mode & 07777u : 0644u;
    uint64_t now = plat_time();

    return (struct attr_values){
        .mode = S_IFREG | mode,
        .mtime_ns = regular ? (uint64_t)in->st.st_mtim.tv_sec * 1000000000u +
                                  (uint64_t)in->st.st_mtim.tv_nsec
                            : now,
        .ctime_ns = now,
    };
}

static int fill_part(struct input *in, struct pool *pool, uint32_t row);

/* Make the object that continues the file of row `first`. Recovery keeps it if the `next` word of
 * the first object points to it. */
static int fill_continuation(struct input *in, struct pool *pool, uint32_t first, objid_t *id)
{
    struct store_stat stat;
    uint32_t row;
    int err = store_obj_stat(pool->store, first, &stat);
    struct twz_create create;

    if (err < 0)
        return err;
    create = (struct twz_create){
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = stat.perms,
        .witness = stat.id,
        .witness_off = TWZ_OBJ_META + offsetof(struct twz_meta, next),
        .witness_value = TWZ_PPTR(1, TWZ_OBJ_BASE),
        .tie = stat.id,
    };
    err = plat_obj_create(&create, id);
    if (err >= 0)
        err = store_lookup(pool->store, *id, &row);
    return err < 0 ? err : fill_part(in, pool, row);
}

static int fill_part(struct input *in, struct pool *pool, uint32_t row)
{
    uint64_t size;
    objid_t next = TWZ_OBJID_NONE;
    int err = content_fill(pool, row, input_read, in, &size);
    int more = err == 0 && size == TWZ_OBJ_DATA_MAX ? input_more(in) : 0;

    if (more < 0)
        return 1;
    if (more > 0)
        err = fill_continuation(in, pool, row, &next);
    if (err != 0)
        return err;
    err = content_meta_add(pool, row, &(struct twz_meta){ .size = size }, next);
    return err < 0 || objid_is_none(next) ? err : plat_obj_ctl(next, TWZ_CTL_PERMANENT, 0);
}

static int fill_from_input(void *ctx, struct pool *pool, uint32_t row)
{
    return fill_part(ctx, pool, row);
}

/* --- put ----------------------------------------------------------------------------------- */

struct comparison {
    struct input *in;
    uint8_t *buffer;
    bool differs;
};

static int compare_chunk(void *ctx, const uint8_t *bytes, uint64_t len)
{
    struct comparison *c = ctx;
    static const uint8_t zeroes[TWZ_PAGE_SIZE];

    while (len > 0) {
        uint64_t n = len < TWZ_PAGE_SIZE ? len : TWZ_PAGE_SIZE;
        int64_t got = input_read(c->in, c->buffer, n);

        if (got < 0)
            return TOOL_NO;
        c->differs = (uint64_t)got < n || memcmp(c->buffer, bytes ? bytes : zeroes, n) != 0;
        if (c->differs)
            return -TWZ_EAGAIN;
        bytes = bytes ? bytes + n : NULL;
        len -= n;
    }
    return 0;
}

/* Does the object hold the file's bytes and mode, with these permissions? 1: yes; 0: no; -1 after a
 * message. */
static int same_content(struct tool *tool, struct input *in, uint32_t row, uint32_t attr,
                        uint32_t perms)
{
    uint8_t buffer[TWZ_PAGE_SIZE];
    struct comparison c = { .in = in, .buffer = buffer };
    struct attr_values values;
    struct store_stat stat;
    uint64_t length, names;
    int err;

    if (store_obj_stat(tool->pool->store, row, &stat) < 0 || stat.perms != perms)
        return 0;
    if (!S_ISREG(in->st.st_mode) || !posix_get(tool->pool, stat.id, attr, &values, &names) ||
        values.mode != values_for(in).mode || content_length(tool->pool, row, &length) < 0 ||
        length != (uint64_t)in->st.st_size)
        return 0;
    err = content_each(tool->pool, row, compare_chunk, &c);
    if (lseek(in->fd, 0, SEEK_SET) < 0)
        err = fail_host(in->path);
    in->done = 0;
    return err > 0 ? -1 : err == 0;
}

static void print_put(struct tool *tool, objid_t id, const char *path, uint64_t size, bool written)
{
    char text[OUT_ID_TEXT];

    if (!out_is_json()) {
        puts(out_id_text(text, id, ids_shown(tool->pool, id)));
        return;
    }
    out_begin();
    out_id("id", id);
    if (path)
        out_str("path", path);
    out_u64("size", size);
    out_bool("written", written);
    out_end();
}

/* Refuse an ID as destination: a name gets a new object in one step, but an object's content cannot
 * change in one step. */
static int check_destination(struct tool *tool, const char *path)
{
    char hex[33];
    objid_t found;
    int digits = strchr(path, '/') ? 0 : ids_prefix(path, hex);

    if (digits && ids_find(tool->pool, hex, digits, &found, 1) > 0)
        return fail(TOOL_USAGE, "%s: the ID of an object: give a path that begins with '/'", path);
    return TOOL_OK;
}

/* Put the input at `path`; with `update` only if the object there has another content. */
static int put_input(struct tool *tool, struct input *in, const char *path,
                     const struct object_spec *spec, bool update)
{
    objid_t id;
    uint32_t row, attr;
    int err;

    if (update && path && destination_find(tool->pool, path, spec->leaf, &id, &attr) == 0 &&
        store_lookup(tool->pool->store, id, &row) == 0) {
        int same = same_content(tool, in, row, attr, spec->perms);

        if (same < 0)
            return TOOL_NO;
        if (same) {
            print_put(tool, id, path, (uint64_t)in->st.st_size, false);
            return TOOL_OK;
        }
    }
    err = destination_create(tool->pool, path, spec, &id);
    if (err == TOOL_OK)
        print_put(tool, id, path, in->done, true);
    return err;
}

int cmd_put(struct tool *tool, const struct args *args)
{
    struct input in;
    const char *host = args->argv[0];
    const char *path = args->argc == 2 ? args->argv[1] : NULL;
    const char *perms = args_option(args, "perms");
    bool standard = strcmp(host, "-") == 0;
    struct object_spec spec = { .perms = TWZ_PERMS, .fill = fill_from_input, .ctx = &in };
    int err = path ? check_destination(tool, path) : TOOL_OK;
    char *leaf;

    if (perms && (!text_perms(perms, &spec.perms) || spec.perms == 0))
        return fail(TOOL_USAGE, "--perms %s: give letters of rwxud", perms);
    if (err == TOOL_OK)
        err = input_open(&in, host);
    if (err != TOOL_OK)
        return err;
    leaf = names_base(standard ? "stdin" : host);
    spec.leaf = leaf;
    spec.values = values_for(&in);
    err = leaf ? put_input(tool, &in, path, &spec, args_flag(args, "update"))
               : fail(TOOL_FULL, "out of memory");
    input_close(&in);
    free(leaf);
    return err;
}

/* --- cp ------------------------------------------------------------------------------------ */

/* Fill the copy: its data pages are shared until one side writes, its metadata page is its own. */
static int fill_shared(void *ctx, struct pool *pool, uint32_t row)
{
    const struct ident *source = ctx;
    struct twz_meta meta;
    int err = content_meta(pool, source->row, &meta);

    if (err < 0)
        return err;
    if (meta.next != 0)
        return -TWZ_ENOTSUP;
    err = store_page_share(pool->store, row, 1, source->row, 1, TWZ_PAGE_META - 1);
    if (err >= 0)
        err = window_refresh(source->row);
    if (err < 0 || meta.magic == 0)
        return err;
    return content_meta_add(pool, row, &meta, TWZ_OBJID_NONE);
}

int cmd_cp(struct tool *tool, const struct args *args)
{
    struct ident source;
    struct store_stat stat;
    objid_t id;
    uint64_t names;
    int err = check_destination(tool, args->argv[1]);
    int got;
    char *leaf;
    struct object_spec spec;

    if (err == TOOL_OK)
        err = ident_one(tool, args->argv[0], &source);
    if (err != TOOL_OK)
        return err;
    got = store_obj_stat(tool->pool->store, source.row, &stat);
    leaf = names_base(source.text);
    spec = (struct object_spec){
        .perms = stat.perms, .leaf = leaf, .fill = fill_shared, .ctx = &source
    };
    if (posix_get(tool->pool, source.id, 0, &spec.values, &names))
        spec.values.ctime_ns = plat_time();
    if (got < 0)
        err = fail_twz(source.text, got);
    else if (source.kind == HIER_DIR || names_is_directory(source.id))
        err = fail(TOOL_NO, "%s: a directory: copy its objects one by one", source.text);
    else
        err = leaf ? destination_create(tool->pool, args->argv[1], &spec, &id)
                   : fail(TOOL_FULL, "out of memory");
    if (err == TOOL_OK)
        print_put(tool, id, args->argv[1], 0, true);
    free(leaf);
    ident_done(&source);
    return err;
}
