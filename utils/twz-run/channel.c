/* SPDX-License-Identifier: MIT */
/*
 * twz-run's own output may be a blocking descriptor that other processes share, so its mode must
 * not change. A pipe or terminal that poll reports as writable takes PIPE_BUF bytes without
 * blocking.
 */
#define _GNU_SOURCE
#include "channel.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

void channel_init(struct channel *c, int from, int to)
{
    struct stat st;
    bool regular = fstat(to, &st) == 0 && S_ISREG(st.st_mode);

    c->from = from;
    c->to = to;
    c->most = regular ? CHANNEL_BUFFER : PIPE_BUF;
    c->start = c->end = 0;
    c->ended = c->broken = false;
    c->error = 0;
}

bool channel_done(const struct channel *c)
{
    return c->ended && c->start == c->end;
}

struct pollfd channel_wants(const struct channel *c)
{
    struct pollfd p = { .fd = -1 };

    if (c->start < c->end) {
        p.fd = c->to;
        p.events = POLLOUT;
    } else if (!c->ended) {
        p.fd = c->from;
        p.events = POLLIN;
    }
    return p;
}

long write_some(int fd, const void *data, size_t size)
{
    ssize_t n = write(fd, data, size);

    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void fill_buffer(struct channel *c)
{
    ssize_t n = read(c->from, c->buffer, sizeof(c->buffer));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        c->ended = true;
        return;
    }
    c->start = 0;
    c->end = c->broken ? 0 : (size_t)n;
}

bool channel_move(struct channel *c)
{
    size_t size;
    long n;

    if (c->start == c->end) {
        fill_buffer(c);
        return false;
    }
    size = c->end - c->start;
    n = write_some(c->to, c->buffer + c->start, size < c->most ? size : c->most);
    if (n < 0) {
        c->error = errno;
        c->broken = true;
        c->start = c->end = 0;
        return true;
    }
    c->start += (size_t)n;
    return false;
}
