/* SPDX-License-Identifier: MIT */
/*
 * A channel carries bytes from one descriptor to another through a buffer and never blocks. The
 * caller must poll for channel_wants() and then call channel_move().
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
    size_t most;  /* bytes that one write to `to` takes without blocking, after poll allowed it */
    size_t start; /* unwritten bytes are buffer[start, end) */
    size_t end;
    bool ended;  /* `from` gave end of file */
    bool broken; /* writing to `to` failed: further bytes are dropped */
    int error;   /* the errno of that failure */
    unsigned char buffer[CHANNEL_BUFFER];
};

void channel_init(struct channel *c, int from, int to);

/* Has `from` ended, and are all its bytes delivered? */
bool channel_done(const struct channel *c);

/* The one descriptor to poll for; fd is -1 if there is none. */
struct pollfd channel_wants(const struct channel *c);

/* Read or write once. Must follow a poll that reported channel_wants(). True: `to` just broke. */
bool channel_move(struct channel *c);

/* Write without blocking. Returns the bytes written, 0 if nothing fits now, -1 with errno. */
long write_some(int fd, const void *data, size_t size);

#endif
