/* SPDX-License-Identifier: MIT */
/*
 * The mapped pool file. Commands that only look map the file privately, so that nothing they do can
 * change it. Commands that change the pool map it shared. One process at a time changes a pool
 * (utils/lib/pool_lock.h); several may look.
 */
#ifndef POOL_FILE_H
#define POOL_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <store/store.h>

enum pool_mode {
    POOL_READ,  /* private map: the file cannot change */
    POOL_WRITE, /* shared map: each fence reaches the media before the next step */
    POOL_BULK,  /* shared map: ordinary storage is written once, when the pool is closed */
};

struct pool {
    char *path;
    int fd;
    void *base;
    uint64_t size;
    enum pool_mode mode;
    struct store *store; /* NULL until pool_validate */
    struct store_recovery recovery;
    objid_t names;    /* root directory; 0: none */
    bool quiet;       /* damage is reported elsewhere: no warning */
    uint64_t changes; /* objects made and deleted, so that caches of them can be dropped */
};

/*
 * Open, lock and map a pool file; the store in it is not opened. Return TOOL_OK, or an exit code
 * after a message. pool_file_adopt takes over an open descriptor and closes it on an error.
 */
int pool_file_open(struct pool **out, const char *path, enum pool_mode mode);
int pool_file_adopt(struct pool **out, const char *path, int fd, enum pool_mode mode);

/* Write all to the media, unmap, unlock and free. TOOL_OK, or an exit code after a message. */
int pool_file_close(struct pool *pool);

/* From now on each fence reaches the media (batch --sync). */
void pool_file_sync_each(struct pool *pool);

#endif
