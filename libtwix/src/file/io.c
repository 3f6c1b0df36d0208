/* SPDX-License-Identifier: MIT */
/* read, write and the calls built on them, for all kinds of files. The functions here check access
 * and keep the state's offset; a kind's operations move the bytes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/linux.h"
#include "fd.h"
#include "regular.h"

#define IO_MAX 0x7ffff000ull /* bytes in one call, as on Linux */

static bool is_readable(const struct file *f)
{
    return (f->access & O_ACCMODE) != O_WRONLY && !(f->access & O_PATH);
}

static bool is_writable(const struct file *f)
{
    return (f->access & O_ACCMODE) != O_RDONLY && !(f->access & O_PATH);
}

static int64_t read_file(struct file *f, void *buf, uint64_t len, int64_t off)
{
    struct file_state *s;
    int64_t n;

    file_watch(f);
    if (!is_readable(f))
        return -EBADF;
    if (!f->ops->read)
        return f->kind == FILE_DIRECTORY ? -EISDIR : -EINVAL;
    if (len > IO_MAX)
        len = IO_MAX;
    if (!f->ops->offsets)
        return off >= 0 ? -ESPIPE : f->ops->read(f, buf, len, 0);
    if (off >= 0)
        return f->ops->read(f, buf, len, (uint64_t)off);
    s = file_lock_state(f);
    n = f->ops->read(f, buf, len, s->offset & INT64_MAX);
    if (n > 0)
        s->offset += (uint64_t)n;
    file_unlock_state(s);
    return n;
}

int64_t file_read(struct file *f, void *buf, uint64_t len, int64_t off)
{
    return GUARDED(read_file(f, buf, len, off));
}

static int64_t write_file(struct file *f, const void *buf, uint64_t len, int64_t off)
{
    struct file_state *s;
    int64_t n;

    file_watch(f);
    if (!is_writable(f))
        return -EBADF;
    if (!f->ops->write)
        return -EINVAL;
    if (len > IO_MAX)
        len = IO_MAX;
    if (!f->ops->offsets)
        return off >= 0 ? -ESPIPE : f->ops->write(f, buf, len, 0);
    if (off >= 0)
        return f->ops->write(f, buf, len, (uint64_t)off);
    s = file_lock_state(f);
    if (s->flags & O_APPEND) {
        n = f->ops->write(f, buf, len, FILE_AT_END);
        if (n > 0)
            s->offset = (uint64_t)f->ops->seek(f, 0, SEEK_END);
    } else {
        n = f->ops->write(f, buf, len, s->offset & INT64_MAX);
        if (n > 0)
            s->offset += (uint64_t)n;
    }
    file_unlock_state(s);
    return n;
}

int64_t file_write(struct file *f, const void *buf, uint64_t len, int64_t off)
{
    return GUARDED(write_file(f, buf, len, off));
}

int64_t linux_read(int fd, void *buf, uint64_t len)
{
    struct file *f = fd_get(fd);
    int64_t n;

    if (!f)
        return -EBADF;
    n = file_read(f, buf, len, -1);
    file_put(f);
    return n;
}

int64_t linux_write(int fd, const void *buf, uint64_t len)
{
    struct file *f = fd_get(fd);
    int64_t n;

    if (!f)
        return -EBADF;
    n = file_write(f, buf, len, -1);
    file_put(f);
    return n;
}

int64_t linux_pread64(int fd, void *buf, uint64_t len, int64_t off)
{
    struct file *f;
    int64_t n;

    if (off < 0)
        return -EINVAL;
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    n = file_read(f, buf, len, off);
    file_put(f);
    return n;
}

int64_t linux_pwrite64(int fd, const void *buf, uint64_t len, int64_t off)
{
    struct file *f;
    int64_t n;

    if (off < 0)
        return -EINVAL;
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    n = file_write(f, buf, len, off);
    file_put(f);
    return n;
}

/* Reads or writes each buffer in turn; a short transfer ends the call. If off < 0, uses the state's
 * offset. */
static int64_t transfer_vector(int fd, const struct iovec *iov, uint64_t count, int64_t off,
                               bool writing)
{
    struct file *f;
    int64_t done = 0;

    if (count > IOV_MAX)
        return -EINVAL;
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    for (uint64_t i = 0; i < count; i++) {
        int64_t at = off < 0 ? -1 : off + done;
        int64_t n;

        if (iov[i].iov_len == 0)
            continue;
        n = writing ? file_write(f, iov[i].iov_base, iov[i].iov_len, at)
                    : file_read(f, iov[i].iov_base, iov[i].iov_len, at);
        if (n < 0) {
            done = done ? done : n;
            break;
        }
        done += n;
        if ((uint64_t)n < iov[i].iov_len)
            break;
    }
    file_put(f);
    return done;
}

int64_t linux_readv(int fd, const void *iov, uint64_t count)
{
    return transfer_vector(fd, iov, count, -1, false);
}

int64_t linux_writev(int fd, const void *iov, uint64_t count)
{
    return transfer_vector(fd, iov, count, -1, true);
}

int64_t linux_preadv(int fd, const void *iov, uint64_t count, int64_t off)
{
    return off < 0 ? -EINVAL : transfer_vector(fd, iov, count, off, false);
}

int64_t linux_pwritev(int fd, const void *iov, uint64_t count, int64_t off)
{
    return off < 0 ? -EINVAL : transfer_vector(fd, iov, count, off, true);
}

static int64_t seek_file(struct file *f, int64_t off, int64_t whence)
{
    struct file_state *s;
    int64_t to;

    file_watch(f);
    s = file_lock_state(f);
    to = f->ops->seek(f, off, whence);
    if (to >= 0)
        s->offset = (uint64_t)to;
    file_unlock_state(s);
    return to;
}

int64_t linux_lseek(int fd, int64_t off, int64_t whence)
{
    struct file *f = fd_get(fd);
    int64_t to;

    if (!f)
        return -EBADF;
    to = f->ops->seek ? GUARDED(seek_file(f, off, whence)) : -ESPIPE;
    file_put(f);
    return to;
}

/* --- from file to file ------------------------------------------------------------------------ */

#define COPY_MAX (1u << 20) /* bytes in one write */

/* Writes bytes [off, off + len) of the regular file `in` to `out`, straight from the object of
 * `in`. If out_off < 0, writes at the offset of out's state. Returns the number of bytes written,
 * or an error. */
static int64_t write_from_object(struct file *in, uint64_t off, struct file *out, int64_t out_off,
                                 uint64_t len)
{
    const uint8_t *base = twz_object_base(&in->obj);
    uint64_t size = twz_object_size(&in->obj);
    uint64_t done = 0;

    if (size > REGULAR_MAX)
        return -EIO;
    if (off >= size)
        return 0;
    if (len > size - off)
        len = size - off;
    while (done < len) {
        uint64_t part = len - done < COPY_MAX ? len - done : COPY_MAX;
        int64_t n =
            file_write(out, base + off + done, part, out_off < 0 ? -1 : out_off + (int64_t)done);

        if (n < 0)
            return done ? (int64_t)done : n;
        done += (uint64_t)n;
        if ((uint64_t)n < part)
            break;
    }
    return (int64_t)done;
}

/* Moves the state's offset by n. Returns the previous offset. */
static uint64_t advance_offset(struct file *f, uint64_t n)
{
    struct file_state *s = file_lock_state(f);
    uint64_t before = s->offset;

    s->offset = before + n;
    file_unlock_state(s);
    return before;
}

/* Copies from `in` at *off, or at the offset of in's state if off is NULL. Advances the offset that
 * was used. */
static int64_t copy_from(struct file *in, int64_t *off, struct file *out, int64_t out_off,
                         uint64_t len)
{
    uint64_t from;
    int64_t n;

    file_watch(in);
    from = off ? (uint64_t)*off : advance_offset(in, 0);
    if (in->kind != FILE_REGULAR || (in->access & O_ACCMODE) == O_WRONLY)
        return in->kind == FILE_REGULAR ? -EBADF : -EINVAL;
    if (off && *off < 0)
        return -EINVAL;
    n = write_from_object(in, from & INT64_MAX, out, out_off, len);
    if (n > 0 && off)
        *off += n;
    else if (n > 0)
        (void)advance_offset(in, (uint64_t)n);
    return n;
}

/* Serves sendfile and copy_file_range. For an offset that is NULL, the offset of the file's state
 * is used. */
static int64_t copy_between(int in_fd, int64_t *in_off, int out_fd, int64_t *out_off, uint64_t len)
{
    struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
    int64_t n = -EBADF;

    if (in && out)
        n = GUARDED(copy_from(in, in_off, out, out_off ? *out_off : -1, len));
    if (n > 0 && out_off)
        *out_off += n;
    if (in)
        file_put(in);
    if (out)
        file_put(out);
    return n;
}

int64_t linux_sendfile(int out, int in, void *off, uint64_t len)
{
    return copy_between(in, off, out, NULL, len);
}

int64_t linux_copy_file_range(int in, void *in_off, int out, void *out_off, uint64_t len,
                              uint32_t flags)
{
    const int64_t *to = out_off;

    if (flags || (to && *to < 0))
        return -EINVAL;
    return copy_between(in, in_off, out, out_off, len);
}
