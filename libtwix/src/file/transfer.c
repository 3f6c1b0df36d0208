/* SPDX-License-Identifier: MIT */
/*
 * Bytes from a regular file to another descriptor, without a buffer between: they are written
 * straight from the object.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/linux.h"
#include "fd.h"
#include "regular.h"

#define PIECE (1u << 20)

/* [off, off + len) of `in` to out's place out_off (< 0: its own): bytes moved. */
static int64_t move(struct file *in, uint64_t off, struct file *out, int64_t out_off, uint64_t len)
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
        uint64_t piece = len - done < PIECE ? len - done : PIECE;
        int64_t n =
            file_write(out, base + off + done, piece, out_off < 0 ? -1 : out_off + (int64_t)done);

        if (n < 0)
            return done ? (int64_t)done : n;
        done += (uint64_t)n;
        if ((uint64_t)n < piece)
            break;
    }
    return (int64_t)done;
}

/* The file's own place, which moves on by n. */
static uint64_t place_of(struct file *f, uint64_t n)
{
    struct file_state *s = file_lock(f);
    uint64_t place = s->offset;

    s->offset = place + n;
    file_unlock(s);
    return place;
}

/* Where to read: *off, or the file's own place, which then moves. */
static int64_t move_from(struct file *in, int64_t *off, struct file *out, int64_t out_off,
                         uint64_t len)
{
    uint64_t from = off ? (uint64_t)*off : place_of(in, 0);
    int64_t n;

    if (in->kind != FILE_REGULAR || (in->access & O_ACCMODE) == O_WRONLY)
        return in->kind == FILE_REGULAR ? -EBADF : -EINVAL;
    if (off && *off < 0)
        return -EINVAL;
    n = move(in, from & INT64_MAX, out, out_off, len);
    if (n > 0 && off)
        *off += n;
    else if (n > 0)
        (void)place_of(in, (uint64_t)n);
    return n;
}

static int64_t transfer(int in_fd, int64_t *in_off, int out_fd, int64_t *out_off, uint64_t len)
{
    struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
    int64_t n = -EBADF;

    if (in && out)
        n = move_from(in, in_off, out, out_off ? *out_off : -1, len);
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
    return transfer(in, off, out, NULL, len);
}

int64_t linux_copy_file_range(int in, void *in_off, int out, void *out_off, uint64_t len,
                              uint32_t flags)
{
    const int64_t *to = out_off;

    if (flags || (to && *to < 0))
        return -EINVAL;
    return transfer(in, in_off, out, out_off, len);
}
