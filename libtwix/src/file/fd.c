/* SPDX-License-Identifier: MIT */
/*
 * The descriptor table and a fixed pool of open files. See fd.h for what is shared and which locks
 * there are; io.c reads and writes through them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/linux.h"
#include "base/lock.h"
#include "base/thread.h"
#include "fd.h"

struct slot {
    struct file *file;
    bool cloexec;
};

static struct twz_mutex fd_lock;
static struct slot table[FD_MAX];
static struct file pool[FD_MAX];

struct file *file_new(const struct file_ops *ops, uint32_t kind, uint32_t flags)
{
    struct file *f = NULL;

    lock_acquire(&fd_lock);
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
    lock_release(&fd_lock);
    return f;
}

/* The last reference is gone; the struct is still ours until refs says free. */
static void file_end(struct file *f)
{
    if (f->ops->release)
        f->ops->release(f);
    if (f->state_obj.start) {
        file_revoke(f, f->end);
        twz_object_release(&f->state_obj);
    }
    if (f->obj.start)
        twz_object_release(&f->obj);
    lock_acquire(&fd_lock);
    f->refs = 0;
    lock_release(&fd_lock);
}

void file_put(struct file *f)
{
    uint32_t left;

    lock_acquire(&fd_lock);
    left = f->refs - 1;
    if (left)
        f->refs = left;
    lock_release(&fd_lock);
    if (left == 0)
        file_end(f);
}

void file_ref(struct file *f)
{
    lock_acquire(&fd_lock);
    f->refs++;
    lock_release(&fd_lock);
}

struct file *fd_get(int fd)
{
    struct file *f = NULL;

    if (fd < 0 || fd >= FD_MAX)
        return NULL;
    lock_acquire(&fd_lock);
    f = table[fd].file;
    if (f)
        f->refs++;
    lock_release(&fd_lock);
    return f;
}

struct file *fd_look(int fd, bool *cloexec)
{
    struct file *f;

    lock_acquire(&fd_lock);
    f = table[fd].file;
    *cloexec = table[fd].cloexec;
    if (f)
        f->refs++;
    lock_release(&fd_lock);
    return f;
}

int fd_install(struct file *f, int min, bool cloexec)
{
    int fd = -EMFILE;

    lock_acquire(&fd_lock);
    for (int i = min; i < FD_MAX; i++) {
        if (!table[i].file) {
            table[i] = (struct slot){ f, cloexec };
            fd = i;
            break;
        }
    }
    lock_release(&fd_lock);
    if (fd < 0)
        file_put(f);
    return fd;
}

int fd_replace(int fd, struct file *f, bool cloexec)
{
    struct file *old;

    if (fd < 0 || fd >= FD_MAX) {
        file_put(f);
        return -EBADF;
    }
    lock_acquire(&fd_lock);
    old = table[fd].file;
    table[fd] = (struct slot){ f, cloexec };
    lock_release(&fd_lock);
    if (old)
        file_put(old);
    return fd;
}

int fd_close(int fd)
{
    struct file *f;

    if (fd < 0 || fd >= FD_MAX)
        return -EBADF;
    lock_acquire(&fd_lock);
    f = table[fd].file;
    table[fd] = (struct slot){ NULL, false };
    lock_release(&fd_lock);
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
    lock_acquire(&fd_lock);
    if (table[fd].file)
        result = table[fd].cloexec;
    lock_release(&fd_lock);
    return result;
}

int fd_set_cloexec(int fd, bool cloexec)
{
    int result = -EBADF;

    if (fd < 0 || fd >= FD_MAX)
        return -EBADF;
    lock_acquire(&fd_lock);
    if (table[fd].file) {
        table[fd].cloexec = cloexec;
        result = 0;
    }
    lock_release(&fd_lock);
    return result;
}

/* --- the state -------------------------------------------------------------------------------- */

struct file_state *file_lock(struct file *f)
{
    for (;;) {
        struct file_state *s = __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);

        lock_acquire(&s->lock);
        if (s == __atomic_load_n(&f->state, __ATOMIC_ACQUIRE))
            return s;
        lock_release(&s->lock); /* it moved into an object while we waited */
    }
}

void file_unlock(struct file_state *s)
{
    lock_release(&s->lock);
}

/* --- sharing with children -------------------------------------------------------------------- */

/* An entry of the process, in place of a free or a dead one. */
static int64_t hold(struct file_shared *shared)
{
    int64_t entry = -ENFILE;

    lock_acquire(&shared->lock);
    for (uint32_t i = 0; i < FILE_HOLDERS && entry < 0; i++) {
        if (twz_mutex_trylock(&shared->holder[i]) < 0)
            continue;
        shared->holder[i].word = thread_process_word();
        entry = i;
    }
    lock_release(&shared->lock);
    return entry;
}

/* Moves the state into an object of its own. */
static int make_shared(struct file *f)
{
    twzobj obj;
    struct file_shared *shared;
    int err = twz_object_new(&obj, NULL, NULL, TWZ_OC_DFL_READ | TWZ_OC_DFL_WRITE | TWZ_OC_DFL_DEL);

    if (err < 0)
        return err_linux(err);
    shared = twz_object_base(&obj);
    f->end = (uint32_t)hold(shared);
    lock_acquire(&f->own.lock);
    shared->state = f->own;
    shared->state.lock.word = 0;
    f->state_obj = obj;
    __atomic_store_n(&f->state, &shared->state, __ATOMIC_RELEASE);
    lock_release(&f->own.lock);
    return 0;
}

int64_t file_inherit(struct file *f, objid_t *id)
{
    int64_t ret = f->state == &f->own ? make_shared(f) : 0;

    if (ret < 0)
        return ret;
    ret = hold(twz_object_base(&f->state_obj));
    if (ret >= 0)
        *id = f->state_obj.id;
    return ret;
}

/* Child and parent both do this: whoever comes first. */
void file_transfer(struct file *f, uint64_t entry, const struct twz_thread *child)
{
    struct file_shared *shared = twz_object_base(&f->state_obj);

    lock_acquire(&shared->lock);
    if (shared->holder[entry].word == thread_process_word())
        shared->holder[entry].word = thread_owner_word(child);
    lock_release(&shared->lock);
}

static void end_unused(const twzobj *obj)
{
    struct file_shared *shared = twz_object_base(obj);
    int used = 0;

    lock_acquire(&shared->lock);
    for (uint32_t i = 0; i < FILE_HOLDERS && !used; i++) {
        if (!shared->holder[i].word)
            continue;
        used = twz_mutex_trylock(&shared->holder[i]) < 0;
        if (!used)
            shared->holder[i].word = 0;
    }
    lock_release(&shared->lock);
    if (!used)
        (void)!twz_object_delete(obj, TWZ_DELETE_DEFERRED);
}

void file_revoke(struct file *f, uint64_t entry)
{
    struct file_shared *shared = twz_object_base(&f->state_obj);

    lock_acquire(&shared->lock);
    shared->holder[entry].word = 0;
    lock_release(&shared->lock);
    end_unused(&f->state_obj);
}

static int is_state(const struct file_state *s)
{
    return s->magic == FILE_STATE_MAGIC && s->version == FILE_STATE_VERSION;
}

void file_reap(const twzobj *obj)
{
    if (is_state(twz_object_base(obj)))
        end_unused(obj);
}

int file_attach(struct file *f, objid_t id, uint64_t entry)
{
    twzobj obj;
    struct file_shared *shared;
    int err = twz_object_init_guid(&obj, id, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err_linux(err);
    shared = twz_object_base(&obj);
    if (!is_state(&shared->state) || shared->state.kind != f->kind || entry >= FILE_HOLDERS) {
        twz_object_release(&obj);
        return -EINVAL;
    }
    lock_acquire(&shared->lock);
    shared->holder[entry].word = thread_process_word();
    lock_release(&shared->lock);
    f->state_obj = obj;
    f->state = &shared->state;
    f->end = (uint32_t)entry;
    return 0;
}

/* --- attributes ------------------------------------------------------------------------------- */

void file_stat_device(struct stat *st, uint32_t major, uint32_t minor)
{
    *st = (struct stat){ 0 };
    st->st_dev = 2;
    st->st_ino = ((uint64_t)major << 8) + minor;
    st->st_mode = S_IFCHR | 0666;
    st->st_nlink = 1;
    st->st_rdev = makedev(major, minor);
    st->st_blksize = 4096;
}

/* --- the calls -------------------------------------------------------------------------------- */

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
static int record_lock(int64_t cmd, int64_t arg)
{
    struct flock *lock = (struct flock *)(uintptr_t)arg;

    if (cmd == F_GETLK)
        lock->l_type = F_UNLCK;
    return 0;
}

static int set_flags(struct file *f, uint64_t flags)
{
    struct file_state *s = file_lock(f);

    s->flags = flags;
    file_unlock(s);
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
    case F_GETFD: return fd_cloexec(fd);
    case F_SETFD: return fd_set_cloexec(fd, (arg & FD_CLOEXEC) != 0);
    case F_GETFL: return (int64_t)(f->access | (f->state->flags & settable) | O_LARGEFILE);
    case F_SETFL: return set_flags(f, (uint64_t)arg & settable);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW: return record_lock(cmd, arg);
    default: return -EINVAL;
    }
}

int64_t linux_fcntl(int fd, int64_t cmd, int64_t arg)
{
    struct file *f = fd_get(fd);
    int64_t ret;

    if (!f)
        return -EBADF;
    ret = control(f, fd, cmd, arg);
    file_put(f);
    return ret;
}

int64_t linux_flock(int fd, int64_t op)
{
    (void)op;
    return fd_cloexec(fd) < 0 ? -EBADF : 0;
}

int64_t linux_ioctl(int fd, int64_t request, void *arg)
{
    struct file *f = fd_get(fd);
    int64_t ret = -ENOTTY;

    if (!f)
        return -EBADF;
    if (f->ops->ioctl)
        ret = f->ops->ioctl(f, request, arg);
    file_put(f);
    return ret;
}
