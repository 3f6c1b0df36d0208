/* SPDX-License-Identifier: MIT */
/*
 * The open pool file. Looking maps it privately and recovers in that copy, so nothing done here
 * can change the file; changing maps it shared and recovers in place first. One process at a time
 * changes it (utils/lib/pool_lock.h), several may look.
 */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <store/store.h>

enum pool_mode {
    POOL_LOOK,   /* private map: the file cannot change */
    POOL_CHANGE, /* shared map: each fence reaches the media before the next step */
    POOL_BULK,   /* shared map: on ordinary storage the disk is reached once, at pool_close */
};

struct pool {
    char *path;
    int fd;
    void *base;
    uint64_t size;
    enum pool_mode mode;
    struct store *store;
    struct store_recovery recovery;
    objid_t names;    /* root directory; 0: none */
    bool quiet;       /* damage is told elsewhere: no warning */
    uint64_t changes; /* objects that came or went, so that tables of them know their age */
};

/*
 * Open, lock, map, validate, recover. TOOL_OK, or an exit code after one line that says what is
 * wrong, where, and what to do; the file is unchanged then.
 */
int pool_open(struct pool **out, const char *path, enum pool_mode mode);

/* Everything reaches the media; the lock ends. TOOL_OK, or an exit code after a message. */
int pool_close(struct pool *pool);

/* Reach the media at each fence again (batch --sync). */
void pool_sync_each(struct pool *pool);

/* The pieces of pool_open, for commands that work below a recovered store: the file is locked and
 * mapped, the store neither opened nor recovered. */
int pool_map(struct pool **out, const char *path, enum pool_mode mode);
int pool_adopt(struct pool **out, const char *path, int fd, enum pool_mode mode); /* takes fd */
void pool_env(struct pool *pool, struct store_env *env);
int pool_validate(struct pool *pool); /* the superblock; opens the store */
int pool_recover(struct pool *pool);  /* after it; makes the pool ready for use */

/* New roots for the superblock; pool->names follows. */
int pool_roots_set(struct pool *pool, const struct store_roots *roots);

/* Bytes from the system's random generator. */
int pool_random(void *bytes, size_t len);

/* From now on a fault inside the map or a window ends the process with a line that says what to do:
 * TOOL_FULL where the host gave no storage, TOOL_DAMAGED where the pool's contents led there. */
void pool_catch_faults(void);

/* What such a fault of the first kind does; for a host that says so by EFAULT instead. */
void pool_storage_lost(void) __attribute__((noreturn));

#endif
