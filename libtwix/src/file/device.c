/* SPDX-License-Identifier: MIT */
/* Devices; see device.h. */
#include <errno.h>
#include <fcntl.h>
#include <twz/call.h>

#include "base/copy.h"
#include "base/err.h"
#include "console.h"
#include "device.h"

static int64_t null_read(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    (void)f;
    (void)buf;
    (void)len;
    (void)off;
    return 0;
}

static int64_t null_write(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    (void)f;
    (void)buf;
    (void)off;
    return (int64_t)len;
}

static int64_t full_write(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    (void)f;
    (void)buf;
    (void)len;
    (void)off;
    return -ENOSPC;
}

static int64_t zero_read(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    int err = copy_zero(buf, len, NULL);

    (void)f;
    (void)off;
    return err < 0 ? err : (int64_t)len;
}

static int64_t random_read(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    uint64_t done = 0;

    (void)f;
    (void)off;
    while (done < len) {
        int64_t ret = ret_linux(twz_sys_random((uint8_t *)buf + done, len - done));

        if (ret <= 0)
            return done ? (int64_t)done : ret;
        done += (uint64_t)ret;
    }
    return (int64_t)done;
}

/* A device has no offset; seeking succeeds, as on Linux. */
static int64_t null_seek(struct file *f, int64_t off, int64_t whence)
{
    (void)f;
    (void)off;
    (void)whence;
    return 0;
}

static int null_stat(struct file *f, struct stat *st)
{
    (void)f;
    file_stat_device(st, 1, 3);
    return 0;
}

static int zero_stat(struct file *f, struct stat *st)
{
    file_stat_device(st, 1, f->sub ? 7 : 5);
    return 0;
}

static int random_stat(struct file *f, struct stat *st)
{
    (void)f;
    file_stat_device(st, 1, 9);
    return 0;
}

const struct file_ops null_ops = {
    .read = null_read, .write = null_write, .seek = null_seek, .stat = null_stat
};
const struct file_ops zero_ops = {
    .read = zero_read, .write = null_write, .seek = null_seek, .stat = zero_stat
};
const struct file_ops full_ops = {
    .read = zero_read, .write = full_write, .seek = null_seek, .stat = zero_stat
};
const struct file_ops random_ops = {
    .read = random_read, .write = null_write, .seek = null_seek, .stat = random_stat
};

/* --- names ------------------------------------------------------------------------------------ */

static const struct device {
    char name[8]; /* after "/dev/" */
    uint32_t kind;
    uint32_t sub; /* console: port, or 0 for the terminal; zero: 1 for full */
} devices[] = {
    { "null", FILE_NULL, 0 },
    { "zero", FILE_ZERO, 0 },
    { "full", FILE_ZERO, 1 },
    { "random", FILE_RANDOM, 0 },
    { "urandom", FILE_RANDOM, 0 },
    { "tty", FILE_CONSOLE, TWZ_PORT_CTL },
    { "stdin", FILE_CONSOLE, TWZ_PORT_IN },
    { "stdout", FILE_CONSOLE, TWZ_PORT_OUT },
    { "stderr", FILE_CONSOLE, TWZ_PORT_ERR },
};

static const struct device *find_device(const char *path)
{
    static const char prefix[] = "/dev/";

    for (unsigned i = 0; i < sizeof(prefix) - 1; i++)
        if (path[i] != prefix[i])
            return NULL;
    path += sizeof(prefix) - 1;
    for (unsigned d = 0; d < sizeof(devices) / sizeof(devices[0]); d++) {
        unsigned i = 0;

        while (path[i] && path[i] == devices[d].name[i])
            i++;
        if (!path[i] && !devices[d].name[i])
            return &devices[d];
    }
    return NULL;
}

bool device_is_named(const char *path)
{
    return find_device(path) != NULL;
}

const struct file_ops *device_ops(uint32_t kind, uint32_t sub)
{
    switch (kind) {
    case FILE_NULL: return &null_ops;
    case FILE_ZERO: return sub ? &full_ops : &zero_ops;
    case FILE_RANDOM: return &random_ops;
    case FILE_CONSOLE: return &console_ops;
    default: return NULL;
    }
}

int device_open(const char *path, uint32_t flags, struct file **out)
{
    const struct device *d = find_device(path);
    struct file *f;

    if (flags & O_DIRECTORY)
        return -ENOTDIR;
    f = file_new(device_ops(d->kind, d->sub), d->kind, flags);
    if (!f)
        return -EMFILE;
    f->sub = d->sub;
    *out = f;
    return 0;
}

int device_stat(const char *path, struct stat *st)
{
    const struct device *d = find_device(path);
    struct file f = { .kind = d->kind, .sub = d->sub };

    return device_ops(d->kind, d->sub)->stat(&f, st);
}
