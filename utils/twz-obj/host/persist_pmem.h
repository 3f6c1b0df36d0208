/* SPDX-License-Identifier: MIT */
/*
 * The persistence seam's functions (kernel/store/host/persist_backend.h) for a mapped file. The
 * kind of file decides how a flush reaches the media.
 */
#ifndef PERSIST_PMEM_H
#define PERSIST_PMEM_H

#include <stdbool.h>
#include <stddef.h>

enum persist_media {
    PERSIST_NOWHERE, /* a private map: stores end with the process */
    PERSIST_CPU,     /* persistent memory, mapped directly: processor flushes */
    PERSIST_MSYNC,   /* ordinary storage: msync at each fence */
    PERSIST_LATER,   /* ordinary storage: msync by persist_media_sync only */
};

/* The media of the mapped pool. Must be set before the first flush to it. */
void persist_media_set(enum persist_media media);
enum persist_media persist_media_get(void);

/* Write all stores to the range, a whole map, to the media. 0, or -1 with errno. */
int persist_media_sync(const void *base, size_t len);

/* Has a fence ever failed to reach the media (a device error)? */
bool persist_media_failed(void);

#endif
