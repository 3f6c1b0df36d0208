/* SPDX-License-Identifier: MIT */
/*
 * The descriptor table, a fixed pool of open files, and the calls that read and write through
 * them. See fd.h for what is shared and which locks there are.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>

#include "err.h"
#include "fd.h"
#include "linux.h"
#include "lock.h"

#define IO_MAX 0x7ffff000ull /* bytes in one call, as on Linux */

struct slot {
    struct file *file;
    int cloexec;
};

static struct twz_mutex fd_lock;
static struct slot table[FD_MAX];
static struct file pool[FD_MAX];

struct file *file_new(const struct file_ops *ops, uint32_t kind, uint32_t flags)
{
    struct file *f = NULL;

    lock_take(&fd_lock);
    for (int i = 0; i < FD_MAX && !f; i++)
        if (pool[i].refs == 0)
            f = &pool[i];
    if (f) {
        *f = (struct file){ .ops = ops, .refs = 1, .kind = kind };
        f->access = flags & (O_ACCMODE | O_PATH);
        f->state = &f->own;
        f->own.magic = FILE_STATE_MAGIC;
        f->own.version = FILE_STATE_VERSION;
        f->own.kind = kind;
        f->own.flags = flags & (O_APPEND | O_NONBLOCK);
    }
    lock_drop(&fd_lock);
    return f;
}

/* The last reference is gone; the struct is still ours until refs says free. */
static void file_end(struct file *f)
{
    if (f->ops->release)
        f->ops->release(f);
    if (f->state_obj.start) {
        file_unshare(f);
        twz_object_release(&f->state_obj);
    }
    if (f->obj.start)
        twz_object_release(&f->obj);
    lock_take(&fd_lock);
    f->refs = 0;
    lock_drop(&fd_lock);
}

void file_put(struct file *f)
{
    uint32_t left;

    lock_take(&fd_lock);
    left = f->refs - 1;
    if (left)
        f->refs = left;
    lock_drop(&fd_lock);
    if (left == 0)
        file_end(f);
}

void file_ref(struct file *f)
{
    lock_take(&fd_lock);
    f->refs++;
    lock_drop(&fd_lock);
}

struct file *fd_get(int fd)
{
    struct file *f = NULL;

    if (fd < 0 || fd >= FD_MAX)
        return NULL;
    lock_take(&fd_lock);
    f = table[fd].file;
    if (f)
        f->refs++;
    lock_drop(&fd_lock);
    return f;
}

struct file *fd_look(int fd, int *cloexec)
{
    struct file *f;

    lock_take(&fd_lock);
    f = table[fd].file;
    *cloexec = table[fd].cloexec;
    if (f)
        f->refs++;
    lock_drop(&fd_lock);
    return f;
}

int fd_install(struct file *f, int min, int cloexec)
{
    int fd = -EMFILE;

    lock_take(&fd_lock);
    for (int i = min; i < FD_MAX; i++) {
        if (!table[i].file) {
            table[i] = (struct slot){ f, cloexec };
            fd = i;
            break;
        }
    }
    lock_drop(&fd_lock);
    if (fd < 0)
        file_put(f);
    return fd;
}

int fd_replace(int fd, struct file *f, int cloexec)
{
    struct file *old;

    if (fd < 0 || fd >= FD_MAX) {
        file_put(f);
        return -EBADF;
    }
    lock_take(&fd_lock);
    old = table[fd].file;
    table[fd] = (struct slot){ f, cloexec };
    lock_drop(&fd_lock);
    if (old)
        file_put(old);
    return fd;
}

int fd_close(int fd)
{
    struct file *f;

    if (fd < 0 || fd >= FD_MAX)
        return -EBADF;
    lock_take(&fd_lock);
    f = table[fd].file;
    table[fd] = (struct slot){ NULL, 0 };
    lock_drop(&fd_lock);
    if (!f)
        return -EBADF;
    file_put(f);
    return 0;
}

void fd_close_all(void)
{
    for (int fd = 0; fd < FD_MAX; fd++)
        if (table[fd].file)
            (void)fd_close(fd);
}

int fd_cloexec(int fd)
{
    int result = -EBADF;

    if (fd < 0 || fd >= FD_MAX)
        return -EBADF;
    lock_take(&fd_lock);
    if (table[fd].file)
        result = table[fd].cloexec;
    lock_drop(&fd_lock);
    return result;
}

int fd_set_cloexec(int fd, int cloexec)
{
    int result = -EBADF;

    if (fd < 0 || fd >= FD_MAX)
        return -EBADF;
    lock_take(&fd_lock);
    if (table[fd].file) {
        table[fd].cloexec = cloexec;
        result = 0;
    }
    lock_drop(&fd_lock);
    return result;
}

/* --- sharing with children -------------------------------------------------------------------- */

/* Moves the state into an object of its own. */
static int64_t make_shared(struct file *f)
{
    twzobj obj;
    struct file_state *shared;
    int64_t r = twz_object_new(&obj, NULL, NULL,
                               TWZ_OC_DFL_READ | TWZ_OC_DFL_WRITE | TWZ_OC_DFL_DEL);

    if (r < 0)
        return err_linux(r);
    shared = twz_object_base(&obj);
    lock_take(&f->own.lock);
    *shared = f->own;
    shared->lock.word = 0;
    shared->users = 1;
    f->state_obj = obj;
    __atomic_store_n(&f->state, shared, __ATOMIC_RELEASE);
    lock_drop(&f->own.lock);
    return 0;
}

int64_t file_share(struct file *f, objid_t *id)
{
    int64_t r = f->state == &f->own ? make_shared(f) : 0;

    if (r < 0)
        return r;
    __atomic_fetch_add(&f->state->users, 1, __ATOMIC_ACQ_REL);
    *id = f->state_obj.id;
    return 0;
}

void file_unshare(struct file *f)
{
    if (__atomic_fetch_sub(&f->state->users, 1, __ATOMIC_ACQ_REL) == 1)
        (void)!twz_object_delete(&f->state_obj, TWZ_DELETE_DEFERRED);
}

int64_t file_attach(struct file *f, objid_t id)
{
    twzobj obj;
    struct file_state *shared;
    int64_t r = twz_object_init_guid(&obj, id, TWZ_READ | TWZ_WRITE);

    if (r < 0)
        return err_linux(r);
    shared = twz_object_base(&obj);
    if (shared->magic != FILE_STATE_MAGIC || shared->version != FILE_STATE_VERSION ||
        shared->kind != f->kind) {
        twz_object_release(&obj);
        return -EINVAL;
    }
    f->state_obj = obj;
    f->state = shared;
    return 0;
}

/* --- reading and writing ---------------------------------------------------------------------- */

static int may_read(const struct file *f)
{
    return (f->access & O_ACCMODE) != O_WRONLY && !(f->access & O_PATH);
}

static int may_write(const struct file *f)
{
    return (f->access & O_ACCMODE) != O_RDONLY && !(f->access & O_PATH);
}

int64_t file_read(struct file *f, void *buf, uint64_t len, int64_t off)
{
    int64_t n;

    if (!may_read(f))
        return -EBADF;
    if (!f->ops->read)
        return f->kind == FILE_DIRECTORY ? -EISDIR : -EINVAL;
    if (len > IO_MAX)
        len = IO_MAX;
    if (!f->ops->offsets)
        return off >= 0 ? -ESPIPE : f->ops->read(f, buf, len, 0);
    if (off >= 0)
        return f->ops->read(f, buf, len, (uint64_t)off);
    lock_take(&f->state->lock);
    n = f->ops->read(f, buf, len, f->state->offset & INT64_MAX);
    if (n > 0)
        f->state->offset += (uint64_t)n;
    lock_drop(&f->state->lock);
    return n;
}

int64_t file_write(struct file *f, const void *buf, uint64_t len, int64_t off)
{
    int64_t n;

    if (!may_write(f))
        return -EBADF;
    if (!f->ops->write)
        return -EINVAL;
    if (len > IO_MAX)
        len = IO_MAX;
    if (!f->ops->offsets)
        return off >= 0 ? -ESPIPE : f->ops->write(f, buf, len, 0);
    if (off >= 0)
        return f->ops->write(f, buf, len, (uint64_t)off);
    lock_take(&f->state->lock);
    if (f->state->flags & O_APPEND) {
        n = f->ops->write(f, buf, len, FILE_AT_END);
        if (n > 0)
            f->state->offset = (uint64_t)f->ops->seek(f, 0, SEEK_END);
    } else {
        n = f->ops->write(f, buf, len, f->state->offset & INT64_MAX);
        if (n > 0)
            f->state->offset += (uint64_t)n;
    }
    lock_drop(&f->state->lock);
    return n;
}

int64_t linux_read(int fd, void *buf, uint64_t len)
{
    struct file *f = fd_get(fd);
    int64_t n;

    if (!f)
        return -EBADF;
    n = file_read(f, buf, len, -1);
    file_put(f);
    return n;
}

int64_t linux_write(int fd, const void *buf, uint64_t len)
{
    struct file *f = fd_get(fd);
    int64_t n;

    if (!f)
        return -EBADF;
    n = file_write(f, buf, len, -1);
    file_put(f);
    return n;
}

int64_t linux_pread64(int fd, void *buf, uint64_t len, int64_t off)
{
    struct file *f;
    int64_t n;

    if (off < 0)
        return -EINVAL;
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    n = file_read(f, buf, len, off);
    file_put(f);
    return n;
}

int64_t linux_pwrite64(int fd, const void *buf, uint64_t len, int64_t off)
{
    struct file *f;
    int64_t n;

    if (off < 0)
        return -EINVAL;
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    n = file_write(f, buf, len, off);
    file_put(f);
    return n;
}

/* One vector, piece by piece; the first short piece ends it. off < 0: at the file's place. */
static int64_t vector(int fd, const struct iovec *iov, uint64_t count, int64_t off, int writing)
{
    struct file *f;
    int64_t done = 0;

    if (count > IOV_MAX)
        return -EINVAL;
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    for (uint64_t i = 0; i < count; i++) {
        int64_t at = off < 0 ? -1 : off + done;
        int64_t n;

        if (iov[i].iov_len == 0)
            continue;
        n = writing ? file_write(f, iov[i].iov_base, iov[i].iov_len, at)
                    : file_read(f, iov[i].iov_base, iov[i].iov_len, at);
        if (n < 0) {
            done = done ? done : n;
            break;
        }
        done += n;
        if ((uint64_t)n < iov[i].iov_len)
            break;
    }
    file_put(f);
    return done;
}

int64_t linux_readv(int fd, const void *iov, uint64_t count)
{
    return vector(fd, iov, count, -1, 0);
}

int64_t linux_writev(int fd, const void *iov, uint64_t count)
{
    return vector(fd, iov, count, -1, 1);
}

int64_t linux_preadv(int fd, const void *iov, uint64_t count, int64_t off)
{
    return off < 0 ? -EINVAL : vector(fd, iov, count, off, 0);
}

int64_t linux_pwritev(int fd, const void *iov, uint64_t count, int64_t off)
{
    return off < 0 ? -EINVAL : vector(fd, iov, count, off, 1);
}

int64_t linux_lseek(int fd, int64_t off, int64_t whence)
{
    struct file *f = fd_get(fd);
    int64_t to;

    if (!f)
        return -EBADF;
    if (!f->ops->seek) {
        file_put(f);
        return -ESPIPE;
    }
    lock_take(&f->state->lock);
    to = f->ops->seek(f, off, whence);
    if (to >= 0)
        f->state->offset = (uint64_t)to;
    lock_drop(&f->state->lock);
    file_put(f);
    return to;
}

int64_t linux_close(int fd)
{
    return fd_close(fd);
}

int64_t linux_dup(int fd)
{
    struct file *f = fd_get(fd);

    return f ? fd_install(f, 0, 0) : -EBADF;
}

int64_t linux_dup3(int fd, int to, uint32_t flags)
{
    struct file *f;

    if (fd == to || (flags & ~(uint32_t)O_CLOEXEC))
        return -EINVAL;
    f = fd_get(fd);
    return f ? fd_replace(to, f, (flags & O_CLOEXEC) != 0) : -EBADF;
}

int64_t linux_dup2(int fd, int to)
{
    struct file *f;

    if (fd != to)
        return linux_dup3(fd, to, 0);
    f = fd_get(fd);
    if (!f)
        return -EBADF;
    file_put(f);
    return to;
}

/* Record locks: one process family, and nobody else's locks are seen; they always succeed. */
static int64_t record_lock(int64_t cmd, int64_t arg)
{
    struct flock *lock = (struct flock *)(uintptr_t)arg;

    if (cmd == F_GETLK)
        lock->l_type = F_UNLCK;
    return 0;
}

static int64_t control(struct file *f, int fd, int64_t cmd, int64_t arg)
{
    const uint64_t settable = O_APPEND | O_NONBLOCK;

    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (arg < 0 || arg >= FD_MAX)
            return -EINVAL;
        f = fd_get(fd);
        return f ? fd_install(f, (int)arg, cmd == F_DUPFD_CLOEXEC) : -EBADF;
    case F_GETFD:
        return fd_cloexec(fd);
    case F_SETFD:
        return fd_set_cloexec(fd, (arg & FD_CLOEXEC) != 0);
    case F_GETFL:
        return (int64_t)(f->access | (f->state->flags & settable) | O_LARGEFILE);
    case F_SETFL:
        f->state->flags = (uint64_t)arg & settable;
        return 0;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
        return record_lock(cmd, arg);
    default:
        return -EINVAL;
    }
}

int64_t linux_fcntl(int fd, int64_t cmd, int64_t arg)
{
    struct file *f = fd_get(fd);
    int64_t r;

    if (!f)
        return -EBADF;
    r = control(f, fd, cmd, arg);
    file_put(f);
    return r;
}

int64_t linux_flock(int fd, int64_t op)
{
    (void)op;
    return fd_cloexec(fd) < 0 ? -EBADF : 0;
}

int64_t linux_ioctl(int fd, int64_t request, void *arg)
{
    struct file *f = fd_get(fd);
    int64_t r = -ENOTTY;

    if (!f)
        return -EBADF;
    if (f->ops->ioctl)
        r = f->ops->ioctl(f, request, arg);
    file_put(f);
    return r;
}
