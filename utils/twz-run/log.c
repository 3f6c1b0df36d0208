/* SPDX-License-Identifier: MIT */
/*
 * The file is written at offsets, never appended to, so that its start can be replaced. The copy of
 * the newer half goes toward the start, in pieces; no piece overwrites one that was not copied yet.
 */
#define _GNU_SOURCE
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of one read, at most: less than half of the least limit, to fit behind the newer half. */
#define PIECE 16384

int log_connect(struct log *l, int file, uint64_t limit)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *l = (struct log){ .from = ends[0], .to = file, .limit = limit };
    return ends[1];
}

static bool write_at(struct log *l, const char *data, size_t size, uint64_t at)
{
    while (size > 0) {
        ssize_t n = pwrite(l->to, data, size, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

/* The start of the first whole line at or after `from`, if one is near; else `from`. */
static uint64_t find_line(const struct log *l, uint64_t from)
{
    char text[4096];
    ssize_t n = pread(l->to, text, sizeof(text), (off_t)from);
    const char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;

    return end ? from + (uint64_t)(end - text) + 1 : from;
}

/* Keep the newer half of the file, behind a line that counts what is gone. */
static bool drop_older_half(struct log *l)
{
    uint64_t half = l->limit / 2;
    uint64_t from = l->size > half ? find_line(l, l->size - half) : l->size;
    char piece[PIECE];
    uint64_t to;

    l->dropped += from;
    to = (uint64_t)snprintf(piece, sizeof(piece),
                            "twz: run: %llu bytes of older log were dropped here\n",
                            (unsigned long long)l->dropped);
    if ((to > from && from < l->size) || !write_at(l, piece, (size_t)to, 0))
        return false;
    l->dropped -= to; /* this line is dropped, too, the next time */
    while (from < l->size) {
        ssize_t n = pread(l->to, piece, sizeof(piece), (off_t)from);

        if (n <= 0 || !write_at(l, piece, (size_t)n, to))
            return false;
        from += (uint64_t)n;
        to += (uint64_t)n;
    }
    l->size = to;
    return ftruncate(l->to, (off_t)to) == 0;
}

void log_move(struct log *l)
{
    char data[PIECE];
    ssize_t n = read(l->from, data, sizeof(data));

    if (n == 0)
        l->ended = true;
    if (n <= 0 || l->to < 0)
        return;
    if (l->size + (uint64_t)n > l->limit && !drop_older_half(l)) {
        l->to = -1;
        return;
    }
    if (write_at(l, data, (size_t)n, l->size))
        l->size += (uint64_t)n;
    else
        l->to = -1;
}
