/* SPDX-License-Identifier: MIT */
/*
 * Life of a pool file in this process: open, lock, map, validate, recover; and back.
 *
 * Crash protocol: none of its own. Everything that changes the file goes through kernel/store or
 * objects/hier, whose protocols leave the pool as before or as after wherever the process ends.
 */
#define _GNU_SOURCE
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <twz/error.h>
#include <unistd.h>

#include "fail.h"
#include "host_platform.h"
#include "persist_pmem.h"
#include "pool_lock.h"
#include "window.h"

/* --- faults on the map --------------------------------------------------------------------- */

/*
 * Two things end a command in the middle of a load or store: the host has no storage for a page
 * (SIGBUS), or a damaged or hostile pool led to an address of its own that may not be touched so
 * (SIGSEGV), for no check of ours foresees all that another's bytes can say. The texts are made
 * before, the handler only writes one and ends the process, as a kill would: the lock goes with it.
 * A fault anywhere else is a bug of ours and takes its usual way.
 */
struct fault_text {
    char text[512];
    size_t len;
};

static struct {
    const uint8_t *base; /* the map of the pool */
    uint64_t size;
    struct fault_text storage, damage;
} fault;

static _Noreturn void fault_end(const struct fault_text *why, enum tool_exit code)
{
    ssize_t n = write(STDERR_FILENO, why->text, why->len);
    (void)n;
    _exit((int)code);
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)context;
    const uint8_t *at = info->si_addr;
    bool mapped = info->si_code > 0 &&
                  ((uintptr_t)at - (uintptr_t)fault.base < fault.size || window_covers(at));
    bool failing = info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO;
    if (signo == SIGBUS && mapped && !failing)
        pool_storage_lost();
    if (mapped)
        fault_end(&fault.damage, TOOL_DAMAGED);
    signal(signo, SIG_DFL);
    raise(signo); /* comes when this returns */
}

void pool_storage_lost(void)
{
    fault_end(&fault.storage, TOOL_FULL);
}

void pool_catch_faults(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
}

static void fault_say(struct fault_text *why, const char *path, const char *what, const char *todo)
{
    snprintf(why->text, sizeof(why->text) - 1, "twz-obj: %.200s: %s: %s", path, what, todo);
    for (char *p = why->text; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    }
    why->len = strlen(why->text) + 1;
    why->text[why->len - 1] = '\n';
}

static void fault_texts(const char *path)
{
    fault_say(&fault.storage, path,
              "the host gave no storage (its disk is full, or the file was cut short)",
              "make room; the pool is as before or after the last step");
    fault_say(&fault.damage, path, "damaged: what it says led where it holds nothing",
              fail_damaged_todo());
}

/* The map that commands work on from now on; NULL: none. */
static void fault_range(const struct pool *pool)
{
    fault.size = pool ? pool->size : 0;
    fault.base = pool ? pool->base : NULL;
}

/* --- open and map -------------------------------------------------------------------------- */

static int file_open(const char *path, enum pool_mode mode, int *fd)
{
    int flags = (mode == POOL_LOOK ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
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

static int file_check(const char *path, int fd, uint64_t *size)
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

static int file_lock(const char *path, int fd, enum pool_mode mode)
{
    char holder[256];
    int err = pool_lock(fd, mode == POOL_LOOK, holder, sizeof(holder));
    if (err == -1)
        return fail(TOOL_BUSY, "%s: in use (by %s): wait for it, or end it", path, holder);
    if (err < 0)
        return fail_host(path);
    return TOOL_OK;
}

/* pmem_map_file by the descriptor's own name, so that map and lock are of one file. */
static int file_map_shared(struct pool *pool)
{
    char name[64];
    size_t len = 0;
    int is_pmem = 0;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", pool->fd);
    pool->base = pmem_map_file(name, 0, 0, 0, &len, &is_pmem);
    if (!pool->base)
        return fail(fail_code_host(errno), "%s: cannot map it: %s", pool->path, pmem_errormsg());
    if (len < pool->size)
        return fail(TOOL_DAMAGED, "%s: changed its size while it was opened: try again",
                    pool->path);
    if (is_pmem)
        persist_media_set(PERSIST_CPU);
    else
        persist_media_set(pool->mode == POOL_BULK ? PERSIST_LATER : PERSIST_MSYNC);
    return TOOL_OK;
}

static int file_map(struct pool *pool)
{
    fault_texts(pool->path);
    if (pool->mode != POOL_LOOK)
        return file_map_shared(pool);
    persist_media_set(PERSIST_NOWHERE);
    pool->base =
        mmap(NULL, pool->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, pool->fd, 0);
    if (pool->base == MAP_FAILED) {
        pool->base = NULL;
        return fail_host(pool->path);
    }
    return TOOL_OK;
}

int pool_adopt(struct pool **out, const char *path, int fd, enum pool_mode mode)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    char *copy = strdup(path);
    if (!pool || !copy) {
        free(pool);
        free(copy);
        close(fd);
        return fail(TOOL_FULL, "out of memory");
    }
    *pool = (struct pool){ .path = copy, .fd = fd, .mode = mode };
    int err = file_lock(path, fd, mode);
    if (!err)
        err = file_check(path, fd, &pool->size);
    if (!err)
        err = file_map(pool);
    if (!err) {
        fault_range(pool);
        *out = pool;
        return TOOL_OK;
    }
    return fail_first(err, pool_close(pool));
}

int pool_map(struct pool **out, const char *path, enum pool_mode mode)
{
    int fd;
    int err = file_open(path, mode, &fd);
    return err ? err : pool_adopt(out, path, fd, mode);
}

/* --- store --------------------------------------------------------------------------------- */

static void *env_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void env_free(void *ctx, void *mem, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(mem);
}

static void env_report(void *ctx, const struct store_report *report)
{
    struct pool *pool = ctx;
    bool quiet = pool->quiet;
    pool->quiet = true;
    if (!quiet)
        fail_warn("%s: warning: %s (object " IDFMT ", byte %llu of the pool): run 'twz-obj check' "
                  "for the whole list",
                  pool->path, report->what, IDPR(report->object),
                  (unsigned long long)report->offset);
}

void pool_env(struct pool *pool, struct store_env *env)
{
    *env = (struct store_env){
        .base = pool->base,
        .size = pool->size,
        .ctx = pool,
        .alloc = env_alloc,
        .free = env_free,
        .report = env_report,
    };
}

/* The message for an error of store_open, with its remedy. */
static int refuse(const char *path, int error, const struct store_report *why)
{
    unsigned long long found = why->found;
    unsigned long long wanted = why->wanted;
    unsigned long long offset = why->offset;
    const char *what = why->what ? why->what : "superblock";
    switch (-error) {
    case TWZ_ENOTPOOL:
        return fail(TOOL_DAMAGED,
                    "%s: not a pool (no superblock in the first two frames): name another file, or "
                    "overwrite it with 'twz-obj mkpool --force %s'",
                    path, path);
    case TWZ_EVERSION:
        return fail(TOOL_DAMAGED,
                    "%s: made by another version (%s: %llu, this tool knows %llu): use the tool "
                    "that made it",
                    path, what, found, wanted);
    case TWZ_ESHORT:
        return fail(TOOL_DAMAGED,
                    "%s: shorter than it says (%s: %llu, wanted %llu): restore it from a copy",
                    path, what, found, wanted);
    case TWZ_ERANGE:
        return fail(TOOL_DAMAGED,
                    "%s: longer than it says (%s: %llu, wanted %llu): cut it to that size, or "
                    "restore it from a copy",
                    path, what, found, wanted);
    case TWZ_EMEMBER:
        return fail(TOOL_DAMAGED,
                    "%s: a member of the pool is missing (member %llu): only pools of one file can "
                    "be opened here",
                    path, found);
    case TWZ_ENOMEM: return fail(TOOL_FULL, "%s: out of memory for its tables: free memory", path);
    default:
        return fail(fail_code(error), "%s: %s (%s, byte %llu): restore it from a copy", path,
                    fail_text(error), what, offset);
    }
}

int pool_validate(struct pool *pool)
{
    struct store_env env;
    struct store_report why = { 0 };
    pool_env(pool, &env);
    int err = store_open(&env, &pool->store, &why);
    return err < 0 ? refuse(pool->path, err, &why) : TOOL_OK;
}

int pool_recover(struct pool *pool)
{
    int err = store_recover(pool->store, &pool->recovery);
    if (err < 0)
        return fail(fail_code(err), "%s: %s (recovery): restore it from a copy", pool->path,
                    fail_text(err));
    pool->names = store_super_get(pool->store)->roots.names;
    return host_platform_attach(pool);
}

int pool_open(struct pool **out, const char *path, enum pool_mode mode)
{
    struct pool *pool;
    int err = pool_map(&pool, path, mode);
    if (err)
        return err;
    err = pool_validate(pool);
    if (!err)
        err = pool_recover(pool);
    if (err)
        return fail_first(err, pool_close(pool));
    *out = pool;
    return TOOL_OK;
}

int pool_close(struct pool *pool)
{
    int err = TOOL_OK;
    host_platform_detach(pool);
    if (pool->store)
        store_close(pool->store);
    if (pool->base) {
        int synced = persist_media_sync(pool->base, pool->size);
        if (synced == 0 && persist_media_failed())
            errno = EIO;
        if (synced != 0 || persist_media_failed())
            err = fail_host(pool->path);
        persist_media_set(PERSIST_NOWHERE);
        fault_range(NULL);
        munmap(pool->base, pool->size);
    }
    close(pool->fd);
    free(pool->path);
    free(pool);
    return err;
}

void pool_sync_each(struct pool *pool)
{
    if (persist_media_get() == PERSIST_LATER) {
        persist_media_set(PERSIST_MSYNC);
        pool->mode = POOL_CHANGE;
    }
}

int pool_roots_set(struct pool *pool, const struct store_roots *roots)
{
    int err = store_super_set(pool->store, roots);
    if (err < 0)
        return fail_twz(pool->path, err);
    pool->names = roots->names;
    return TOOL_OK;
}

int pool_random(void *bytes, size_t len)
{
    uint8_t *p = bytes;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno != EINTR)
            return fail_host("random generator");
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return TOOL_OK;
}
