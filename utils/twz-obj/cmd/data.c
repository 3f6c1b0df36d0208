/* SPDX-License-Identifier: MIT */
/* get and cat: copy bytes out of objects. get's host file has its name only when it is complete. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "content.h"
#include "attrs.h"
#include "host_file.h"
#include "ident.h"
#include "names.h"
#include "out.h"
#include "pool.h"

struct output {
    int fd;
    const char *path;
    bool seekable; /* absent pages become holes */
    uint64_t done;
    struct out_progress progress;
    int err; /* exit code of a failed write, after its message */
};

static int write_zeroes(struct output *out, uint64_t len)
{
    static const uint8_t zeroes[1 << 16];
    int err = TOOL_OK;

    if (out->seekable)
        return lseek(out->fd, (off_t)len, SEEK_CUR) < 0 ? fail_host(out->path) : TOOL_OK;
    while (len > 0 && err == TOOL_OK) {
        uint64_t n = len < sizeof(zeroes) ? len : sizeof(zeroes);

        err = host_write(out->fd, out->path, zeroes, n);
        len -= n;
    }
    return err;
}

static int write_chunk(void *ctx, const uint8_t *bytes, uint64_t len)
{
    struct output *out = ctx;

    out->err = bytes ? host_write(out->fd, out->path, bytes, len) : write_zeroes(out, len);
    out->done += len;
    out_progress(&out->progress, out->done);
    return out->err != TOOL_OK;
}

/* Write all data of one object to out->fd. */
static int write_object(struct tool *tool, const struct ident *item, struct output *out)
{
    uint64_t length;
    int err = content_length(tool->pool, item->row, &length);

    if (err < 0)
        return fail_twz(item->text, err);
    out_progress_start(&out->progress, item->text, length);
    err = content_each(tool->pool, item->row, write_chunk, out);
    out_progress_end(&out->progress);
    if (err < 0)
        return fail_twz(item->text, err);
    if (out->err == TOOL_OK && out->seekable && ftruncate(out->fd, (off_t)length) != 0)
        return fail_host(out->path);
    return out->err;
}

static int refuse_directory(const struct ident *item)
{
    if (item->kind == HIER_DIR)
        return fail(TOOL_NO, "%s: a directory has no data: see ls, tree", item->text);
    return TOOL_OK;
}

static int write_stdout(struct tool *tool, const struct ident *item)
{
    struct output out = { .fd = STDOUT_FILENO, .path = "standard output" };
    int err;

    fflush(stdout);
    err = refuse_directory(item);
    return err == TOOL_OK ? write_object(tool, item, &out) : err;
}

int cmd_cat(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    int err;

    if (out_is_json())
        return fail(TOOL_USAGE, "cat: writes raw bytes, not JSON: leave --json out");
    err = ident_all(tool, args, &list);
    for (size_t i = 0; err == TOOL_OK && i < list.count; i++)
        err = write_stdout(tool, &list.item[i]);
    ident_free(&list);
    return err;
}

/* --- get ----------------------------------------------------------------------------------- */

/* An existing file that is not regular (a device, a pipe) is written to, not replaced. */
static int write_special(struct tool *tool, const struct ident *item, const char *path)
{
    struct output out = { .path = path, .fd = open(path, O_WRONLY | O_CLOEXEC) };
    int err;

    if (out.fd < 0)
        return fail_host(path);
    err = write_object(tool, item, &out);
    close(out.fd);
    return err;
}

/* Make or replace a host file, with the mode of the object. */
static int get_regular(struct tool *tool, const struct ident *item, const char *path)
{
    struct attrs attrs;
    struct host_file file;
    int err = attrs_get(tool->pool, item->row, 0, &attrs);
    uint32_t mode;
    struct output out;

    if (err < 0 || attrs.error < 0)
        return fail_twz(item->text, err < 0 ? err : attrs.error);
    mode = attrs.posix.mode ? (uint32_t)attrs.posix.mode & 0777u : 0666u;
    err = host_file_create(&file, path, NULL, mode);
    if (err != TOOL_OK)
        return err;
    out = (struct output){ .fd = file.fd, .path = path, .seekable = true };
    err = write_object(tool, item, &out);
    if (err == TOOL_OK)
        return host_file_commit(&file);
    host_file_abort(&file);
    return err;
}

static int get_to(struct tool *tool, const struct ident *item, const char *path)
{
    struct stat st;
    char *leaf;
    char *inside;
    int err;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return get_regular(tool, item, path);
    if (!S_ISDIR(st.st_mode))
        return write_special(tool, item, path);
    leaf = names_base(item->text);
    inside = leaf ? names_join(path, leaf) : NULL;
    err = inside ? get_regular(tool, item, inside) : fail(TOOL_FULL, "out of memory");
    free(inside);
    free(leaf);
    return err;
}

int cmd_get(struct tool *tool, const struct args *args)
{
    struct ident item;
    int err = ident_one(tool, args->argv[0], &item);

    if (err != TOOL_OK)
        return err;
    err = refuse_directory(&item);
    if (err == TOOL_OK && args->argc == 2 && strcmp(args->argv[1], "-") == 0)
        err = out_is_json() ? fail(TOOL_USAGE, "get: writes raw bytes to '-': leave --json out")
                            : write_stdout(tool, &item);
    else if (err == TOOL_OK)
        err = get_to(tool, &item, args->argc == 2 ? args->argv[1] : ".");
    ident_done(&item);
    return err;
}
