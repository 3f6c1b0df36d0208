/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "pool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "host_fault.h"
#include "persist_pmem.h"
#include "pool_lock.h"

static int open_pool_file(const char *path, enum pool_mode mode, int *fd)
{
    int flags = (mode == POOL_READ ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;

    *fd = open(path, flags);
    if (*fd >= 0)
        return TOOL_OK;
    if (errno == ENOENT)
        return fail(TOOL_MISSING, "%s: no such file: make a pool with 'twz-obj mkpool %s'", path,
                    path);
    if (errno == EISDIR)
        return fail(TOOL_DAMAGED, "%s: not a pool (a directory): name a pool file", path);
    return fail_host(path);
}

static int check_pool_file(const char *path, int fd, uint64_t *size)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return fail_host(path);
    if (!S_ISREG(st.st_mode))
        return fail(TOOL_DAMAGED, "%s: not a pool (not a regular file): name a pool file", path);
    *size = (uint64_t)st.st_size;
    if (*size < STORE_FRAMES_MIN * STORE_FRAME_SIZE)
        return fail(TOOL_DAMAGED,
                    "%s: not a pool (only %llu bytes long): name another file, or overwrite it "
                    "with 'twz-obj mkpool --force %s'",
                    path, (unsigned long long)*size, path);
    return TOOL_OK;
}

static int lock_pool_file(const char *path, int fd, enum pool_mode mode)
{
    char holder[256];
    int err = pool_lock_acquire(fd, mode == POOL_READ, holder, sizeof(holder));

    if (err == POOL_LOCK_BUSY)
        return fail(TOOL_BUSY, "%s: in use (by %s): wait for it, or end it", path, holder);
    if (err < 0)
        return fail_host(path);
    return TOOL_OK;
}

/* Map by the descriptor's own name, so that map and lock concern the same file. */
static int map_shared(struct pool *pool)
{
    char name[64];
    size_t len = 0;
    int is_pmem = 0;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", pool->fd);
    pool->base = pmem_map_file(name, 0, 0, 0, &len, &is_pmem);
    if (!pool->base)
        return fail(fail_code_host(errno), "%s: cannot map it: %s", pool->path, pmem_errormsg());
    if (len < pool->size)
        return fail(TOOL_DAMAGED, "%s: its size changed while it was opened: try again",
                    pool->path);
    if (is_pmem)
        persist_media_set(PERSIST_CPU);
    else
        persist_media_set(pool->mode == POOL_BULK ? PERSIST_LATER : PERSIST_MSYNC);
    return TOOL_OK;
}

static int map_pool_file(struct pool *pool)
{
    host_fault_prepare(pool->path);
    if (pool->mode != POOL_READ)
        return map_shared(pool);
    persist_media_set(PERSIST_NOWHERE);
    pool->base =
        mmap(NULL, pool->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, pool->fd, 0);
    if (pool->base == MAP_FAILED) {
        pool->base = NULL;
        return fail_host(pool->path);
    }
    return TOOL_OK;
}

int pool_file_close(struct pool *pool)
{
    int err = TOOL_OK;

    if (pool->base) {
        int synced = persist_media_sync(pool->base, pool->size);

        if (synced == 0 && persist_media_failed())
            errno = EIO;
        if (synced != 0 || persist_media_failed())
            err = fail_host(pool->path);
        persist_media_set(PERSIST_NOWHERE);
        host_fault_watch(HOST_FAULT_POOL, NULL, 0);
        munmap(pool->base, pool->size);
    }
    close(pool->fd);
    free(pool->path);
    free(pool);
    return err;
}

int pool_file_adopt(struct pool **out, const char *path, int fd, enum pool_mode mode)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    char *copy = strdup(path);
    int err;

    if (!pool || !copy) {
        free(pool);
        free(copy);
        close(fd);
        return fail(TOOL_FULL, "out of memory");
    }
    *pool = (struct pool){ .path = copy, .fd = fd, .mode = mode };
    err = lock_pool_file(path, fd, mode);
    if (!err)
        err = check_pool_file(path, fd, &pool->size);
    if (!err)
        err = map_pool_file(pool);
    if (!err) {
        host_fault_watch(HOST_FAULT_POOL, pool->base, pool->size);
        *out = pool;
        return TOOL_OK;
    }
    return fail_first(err, pool_file_close(pool));
}

int pool_file_open(struct pool **out, const char *path, enum pool_mode mode)
{
    int fd;
    int err = open_pool_file(path, mode, &fd);

    return err ? err : pool_file_adopt(out, path, fd, mode);
}

void pool_file_sync_each(struct pool *pool)
{
    if (persist_media_get() == PERSIST_LATER) {
        persist_media_set(PERSIST_MSYNC);
        pool->mode = POOL_WRITE;
    }
}
