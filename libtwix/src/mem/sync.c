/* SPDX-License-Identifier: MIT */
/* The calls that make files durable. A write is durable when it returns, so only shared mappings
 * are left to flush. */
#include <errno.h>

#include "base/linux.h"
#include "file/fd.h"
#include "mem.h"

int64_t linux_fsync(int fd)
{
    struct file *f = fd_get(fd);
    int err = 0;

    if (!f)
        return -EBADF;
    if (f->kind == FILE_REGULAR)
        err = mem_flush(f->obj.id);
    else if (f->kind != FILE_DIRECTORY)
        err = -EINVAL;
    file_put(f);
    return err;
}

int64_t linux_fdatasync(int fd)
{
    return linux_fsync(fd);
}

int64_t linux_sync(void)
{
    mem_flush_all();
    return 0;
}

int64_t linux_syncfs(int fd)
{
    return fd_cloexec(fd) < 0 ? -EBADF : linux_sync();
}
