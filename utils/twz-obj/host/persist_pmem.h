/* SPDX-License-Identifier: MIT */
/*
 * The persistence seam's functions (kernel/store/host/persist_backend.h) for a mapped file. How a
 * flush reaches the media is a property of the file under the map.
 */
#ifndef PERSIST_PMEM_H
#define PERSIST_PMEM_H

#include <stddef.h>

enum persist_media {
    PERSIST_NOWHERE, /* a private map: stores end with the process */
    PERSIST_CPU,     /* persistent memory mapped directly: processor flushes */
    PERSIST_MSYNC,   /* ordinary storage: msync at each fence */
    PERSIST_LATER,   /* ordinary storage: msync by persist_media_sync only */
};

/* From now on all flushes concern this map and maps of the same file. */
void persist_media_set(enum persist_media media);
enum persist_media persist_media_get(void);

/* All stores to the range (a whole map) reach the media. 0, or -1 with errno. */
int persist_media_sync(const void *base, size_t len);

/* True once a fence could not reach the media (a device error); it does not go back. */
int persist_media_failed(void);

#endif
