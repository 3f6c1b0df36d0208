/* SPDX-License-Identifier: MIT */
/*
 * A channel carries bytes from one descriptor to another through a buffer, never blocking: it says
 * what to poll for, and moves bytes when told that something is ready.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define CHANNEL_BUFFER 65536

struct channel {
    int from;
    int to;
    size_t most;  /* bytes that one write to `to` takes without blocking, once poll said so */
    size_t start; /* unwritten bytes are buffer[start, end) */
    size_t end;
    bool ended;  /* `from` gave end of file */
    bool broken; /* `to` takes no more: what comes is thrown away */
    int error;   /* why, as errno */
    unsigned char buffer[CHANNEL_BUFFER];
};

void channel_init(struct channel *c, int from, int to);

/* Everything that `from` gave was delivered, and no more will come. */
bool channel_done(const struct channel *c);

/* The one descriptor to wait for, as a pollfd; fd is -1 when done. */
struct pollfd channel_wants(const struct channel *c);

/* After poll reported something for channel_wants(). Returns true when `to` broke just now. */
bool channel_move(struct channel *c);

/* Write what fits now. Returns bytes written, 0 when nothing fits, -1 when `fd` takes no more. */
long write_some(int fd, const void *data, size_t size);

#endif
