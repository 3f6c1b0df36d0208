/* SPDX-License-Identifier: MIT */
/*
 * step                                durable before      after a crash
 * 1  write the file                   -                   PATH as before
 * 2  fdatasync                        -                   PATH as before
 * 3  COMMIT: link or rename to PATH   the data (step 2)   PATH as before, or whole
 * 4  fsync the directory              -                   PATH whole
 *
 * A file with a temporary name, PATH and a suffix, may be left before step 4.
 */
#define _GNU_SOURCE
#include "host_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "host_fault.h"
#include "out.h"

/* The name of the directory that a path lies in; the caller frees it. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int fail_exists(const char *path, const char *todo)
{
    return fail(TOOL_NO, "%s: exists already: %s", path, todo);
}

/* ENOENT means the directory here: the file itself is only about to be made. */
static int fail_no_directory(const char *dir)
{
    if (errno == ENOENT)
        return fail(TOOL_MISSING, "%s: no such directory: make it, or choose another name", dir);
    return fail_host(dir);
}

/* The mode as open(2) would set it: mkostemp sets 0600, and fchmod ignores the umask. */
static uint32_t apply_umask(uint32_t mode)
{
    mode_t mask = umask(0);

    umask(mask);
    return mode & ~(uint32_t)mask;
}

static int create_named(struct host_file *file, uint32_t mode)
{
    if (asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0)
        return fail(TOOL_FULL, "out of memory");
    file->fd = mkostemp(file->temporary, O_CLOEXEC);
    if (file->fd < 0)
        return fail_host(file->path);
    return fchmod(file->fd, apply_umask(mode)) == 0 ? TOOL_OK : fail_host(file->path);
}

int host_file_create(struct host_file *file, const char *path, const char *exists, uint32_t mode)
{
    struct stat st;
    char *dir;
    int err = TOOL_OK;

    if (!*path)
        return fail(TOOL_USAGE, "the file name is empty: give a name");
    *file = (struct host_file){ .fd = -1, .path = strdup(path), .exists = exists };
    if (lstat(path, &st) == 0 && exists) {
        host_file_abort(file);
        return fail_exists(path, exists);
    }
    dir = directory_of(path);
    file->fd = dir ? open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, mode) : -1;
    if (file->fd < 0 && dir && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        err = create_named(file, mode);
    else if (file->fd < 0 && dir && (errno == ENOENT || errno == ENOTDIR))
        err = fail_no_directory(dir);
    else if (file->fd < 0)
        err = fail_host(path);
    free(dir);
    if (err != TOOL_OK)
        host_file_abort(file);
    return err;
}

/* Give the nameless file a temporary name, which can then be renamed. */
static int link_temporary(struct host_file *file, const char *self)
{
    for (unsigned n = 0;; n++) {
        if (asprintf(&file->temporary, "%s.%ld.%u", file->path, (long)getpid(), n) < 0) {
            file->temporary = NULL;
            errno = ENOMEM;
            return -1;
        }
        if (linkat(AT_FDCWD, self, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        free(file->temporary);
        file->temporary = NULL;
        if (errno != EEXIST)
            return -1;
    }
}

/* 0, or -1 with errno. */
static int link_into_place(struct host_file *file)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
    if (file->exists && !file->temporary)
        return linkat(AT_FDCWD, self, AT_FDCWD, file->path, AT_SYMLINK_FOLLOW);
    if (!file->temporary && link_temporary(file, self) != 0)
        return -1;
    if (file->exists ? link(file->temporary, file->path) != 0
                     : rename(file->temporary, file->path) != 0)
        return -1;
    if (file->exists)
        unlink(file->temporary);
    free(file->temporary);
    file->temporary = NULL;
    return 0;
}

static void sync_directory(const char *path)
{
    char *dir = directory_of(path);
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
    free(dir);
}

int host_file_commit(struct host_file *file)
{
    int err = TOOL_OK;

    /* COMMIT: the name of the file. */
    if (fdatasync(file->fd) != 0 || link_into_place(file) != 0)
        err = errno == EEXIST ? fail_exists(file->path, file->exists) : fail_host(file->path);
    else
        sync_directory(file->path);
    host_file_abort(file);
    return err;
}

void host_file_abort(struct host_file *file)
{
    if (file->temporary)
        unlink(file->temporary);
    if (file->fd >= 0)
        close(file->fd);
    free(file->temporary);
    free(file->path);
    *file = (struct host_file){ .fd = -1 };
}

int host_write(int fd, const char *path, const void *bytes, uint64_t len)
{
    const uint8_t *p = bytes;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        /* The bytes lie in a mapped file that gave no page; a load there would raise SIGBUS. */
        if (n < 0 && errno == EFAULT)
            host_storage_lost();
        if (n < 0 && errno != EINTR)
            return fail_host(path);
        if (n > 0) {
            p += n;
            len -= (uint64_t)n;
        }
    }
    return TOOL_OK;
}

/* Copy bytes [at, end); moves the position of `to`. */
static int copy_range(int from, int to, const char *path, uint64_t at, uint64_t end)
{
    static uint8_t buffer[1 << 20];

    while (at < end) {
        size_t want = end - at < sizeof(buffer) ? end - at : sizeof(buffer);
        ssize_t n = pread(from, buffer, want, (off_t)at);
        int err;

        if (n <= 0)
            return fail_host(path);
        if (lseek(to, (off_t)at, SEEK_SET) < 0)
            return fail_host(path);
        err = host_write(to, path, buffer, (uint64_t)n);
        if (err != TOOL_OK)
            return err;
        at += (uint64_t)n;
    }
    return TOOL_OK;
}

/* A clone where the file system can; else each run of data between two holes. */
int host_copy_sparse(int from, int to, const char *path, uint64_t size)
{
    struct out_progress progress;
    int err = TOOL_OK;

    if (ioctl(to, FICLONE, from) == 0)
        return TOOL_OK;
    if (ftruncate(to, (off_t)size) != 0)
        return fail_host(path);
    out_progress_start(&progress, path, size);
    for (uint64_t at = 0; err == TOOL_OK && at < size;) {
        off_t data = lseek(from, (off_t)at, SEEK_DATA);
        off_t hole;
        uint64_t start;
        uint64_t end;

        if (data < 0 && errno == ENXIO)
            break;
        hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
        start = data < 0 ? at : (uint64_t)data;
        end = hole < 0 ? size : (uint64_t)hole;
        err = copy_range(from, to, path, start, end < size ? end : size);
        at = end;
        out_progress(&progress, at);
    }
    out_progress_end(&progress);
    return err;
}
