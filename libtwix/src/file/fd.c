/* SPDX-License-Identifier: MIT */
/* The descriptor table, a fixed table of open files, and their shared states; see fd.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/guard.h"
#include "base/linux.h"
#include "base/thread.h"
#include "fd.h"

struct descriptor {
    struct file *file; /* NULL: free */
    bool cloexec;
};

static struct twz_mutex fd_lock;
static struct descriptor descriptors[FD_MAX];
static struct file files[FD_MAX];

struct file *file_new(const struct file_ops *ops, uint32_t kind, uint32_t flags)
{
    struct file *f = NULL;

    lock_acquire(&fd_lock);
    for (int i = 0; i < FD_MAX && !f; i++)
        if (files[i].refs == 0)
            f = &files[i];
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

/* Closes a file whose last reference is gone. `refs` becomes 0 only at the end, so file_new does
 * not reuse the struct earlier. */
static void close_file(struct file *f)
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
        close_file(f);
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
    f = descriptors[fd].file;
    if (f)
        f->refs++;
    lock_release(&fd_lock);
    return f;
}

struct file *fd_get_flag(int fd, bool *cloexec)
{
    struct file *f;

    lock_acquire(&fd_lock);
    f = descriptors[fd].file;
    *cloexec = descriptors[fd].cloexec;
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
        if (!descriptors[i].file) {
            descriptors[i] = (struct descriptor){ f, cloexec };
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
    old = descriptors[fd].file;
    descriptors[fd] = (struct descriptor){ f, cloexec };
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
    f = descriptors[fd].file;
    descriptors[fd] = (struct descriptor){ NULL, false };
    lock_release(&fd_lock);
    if (!f)
        return -EBADF;
    file_put(f);
    return 0;
}

void fd_close_all(void)
{
    for (int fd = 0; fd < FD_MAX; fd++)
        if (descriptors[fd].file)
            (void)fd_close(fd);
}

int fd_cloexec(int fd)
{
    int result = -EBADF;

    if (fd < 0 || fd >= FD_MAX)
        return -EBADF;
    lock_acquire(&fd_lock);
    if (descriptors[fd].file)
        result = descriptors[fd].cloexec;
    lock_release(&fd_lock);
    return result;
}

int fd_set_cloexec(int fd, bool cloexec)
{
    int result = -EBADF;

    if (fd < 0 || fd >= FD_MAX)
        return -EBADF;
    lock_acquire(&fd_lock);
    if (descriptors[fd].file) {
        descriptors[fd].cloexec = cloexec;
        result = 0;
    }
    lock_release(&fd_lock);
    return result;
}

/* --- the state -------------------------------------------------------------------------------- */

void file_watch(const struct file *f)
{
    if (f->obj.start)
        twz_guard_watch(f->obj.start);
    if (f->state_obj.start)
        twz_guard_watch(f->state_obj.start);
}

int file_stat(struct file *f, struct stat *st)
{
    file_watch(f);
    return f->ops->stat(f, st);
}

struct file_state *file_lock_state(struct file *f)
{
    for (;;) {
        struct file_state *s = __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);

        if (s == &f->own) { /* no other process can keep this lock */
            lock_acquire(&s->lock);
            twz_guard_lock(&s->lock);
        } else {
            lock_acquire_shared(&s->lock);
        }
        if (s == __atomic_load_n(&f->state, __ATOMIC_ACQUIRE))
            return s;
        lock_release_shared(&s->lock); /* the state moved into its object during the wait */
    }
}

void file_unlock_state(struct file_state *s)
{
    lock_release_shared(&s->lock);
}

/* --- inheritance of a shared state ------------------------------------------------------------ */

/* Finds an entry that is free or whose process is dead, and stores this process's owner word there.
 * Returns the entry's index, or -ENFILE. */
static int64_t acquire_holder(struct file_shared *shared)
{
    int64_t entry = -ENFILE;

    lock_acquire_shared(&shared->lock);
    for (uint32_t i = 0; i < FILE_HOLDERS && entry < 0; i++) {
        if (twz_mutex_trylock(&shared->holder[i]) < 0)
            continue;
        shared->holder[i].word = thread_process_word();
        entry = i;
    }
    lock_release_shared(&shared->lock);
    return entry;
}

/* Moves the state of f into a volatile object. Pairs with file_lock_state. */
static int share_state(struct file *f)
{
    twzobj obj;
    struct file_shared *shared;
    int err = twz_object_new(&obj, NULL, NULL, TWZ_OC_DFL_READ | TWZ_OC_DFL_WRITE | TWZ_OC_DFL_DEL);

    if (err < 0)
        return err_linux(err);
    shared = twz_object_base(&obj);
    f->end = (uint32_t)acquire_holder(shared);
    lock_acquire(&f->own.lock);
    twz_guard_lock(&f->own.lock);
    shared->state = f->own;
    shared->state.lock.word = 0;
    f->state_obj = obj;
    __atomic_store_n(&f->state, &shared->state, __ATOMIC_RELEASE);
    lock_release_shared(&f->own.lock);
    return 0;
}

static int64_t add_holder(struct file *f, objid_t *id)
{
    int64_t ret = f->state == &f->own ? share_state(f) : 0;

    if (ret < 0)
        return ret;
    file_watch(f);
    ret = acquire_holder(twz_object_base(&f->state_obj));
    if (ret >= 0)
        *id = f->state_obj.id;
    return ret;
}

int64_t file_inherit(struct file *f, objid_t *id)
{
    return GUARDED(add_holder(f, id));
}

static int set_holder(struct file *f, uint64_t entry, uint64_t owner)
{
    struct file_shared *shared = twz_object_base(&f->state_obj);

    file_watch(f);
    lock_acquire_shared(&shared->lock);
    if (shared->holder[entry].word == thread_process_word())
        shared->holder[entry].word = owner;
    lock_release_shared(&shared->lock);
    return 0;
}

/* A state that another process destroyed has no holders to care for. */
void file_transfer(struct file *f, uint64_t entry, uint64_t owner)
{
    (void)GUARDED(set_holder(f, entry, owner));
}

/* Deletes the object if no living process has an entry in it. */
static void delete_unheld_state(const twzobj *obj)
{
    struct file_shared *shared = twz_object_base(obj);
    bool used = false;

    lock_acquire_shared(&shared->lock);
    for (uint32_t i = 0; i < FILE_HOLDERS && !used; i++) {
        if (!shared->holder[i].word)
            continue;
        used = twz_mutex_trylock(&shared->holder[i]) < 0;
        if (!used)
            shared->holder[i].word = 0;
    }
    lock_release_shared(&shared->lock);
    if (!used)
        (void)!twz_object_delete(obj, TWZ_DELETE_DEFERRED);
}

static int free_holder(struct file *f, uint64_t entry)
{
    struct file_shared *shared = twz_object_base(&f->state_obj);

    file_watch(f);
    lock_acquire_shared(&shared->lock);
    shared->holder[entry].word = 0;
    lock_release_shared(&shared->lock);
    delete_unheld_state(&f->state_obj);
    return 0;
}

void file_revoke(struct file *f, uint64_t entry)
{
    (void)GUARDED(free_holder(f, entry));
}

static bool is_state(const struct file_state *s)
{
    return s->magic == FILE_STATE_MAGIC && s->version == FILE_STATE_VERSION;
}

static int reap_state(const twzobj *obj)
{
    twz_guard_watch(obj->start);
    if (is_state(twz_object_base(obj)))
        delete_unheld_state(obj);
    return 0;
}

void file_reap(const twzobj *obj)
{
    (void)GUARDED(reap_state(obj));
}

static int attach_state(struct file *f, objid_t id, uint64_t entry)
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
    lock_acquire_shared(&shared->lock);
    shared->holder[entry].word = thread_process_word();
    lock_release_shared(&shared->lock);
    f->state_obj = obj;
    f->state = &shared->state;
    f->end = (uint32_t)entry;
    return 0;
}

int file_attach(struct file *f, objid_t id, uint64_t entry)
{
    return (int)GUARDED(attach_state(f, id, entry));
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

    return f ? fd_install(f, 0, false) : -EBADF;
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

/* Record locks have no effect: each request succeeds, and no lock is ever reported. */
static int fcntl_record_lock(int64_t cmd, int64_t arg)
{
    struct flock *lock = (struct flock *)(uintptr_t)arg;

    if (cmd == F_GETLK)
        lock->l_type = F_UNLCK;
    return 0;
}

static int set_state_flags(struct file *f, uint64_t flags)
{
    struct file_state *s;

    file_watch(f);
    s = file_lock_state(f);
    s->flags = flags;
    file_unlock_state(s);
    return 0;
}

static int64_t get_state_flags(const struct file *f, uint64_t settable)
{
    file_watch(f);
    return (int64_t)(f->access | (f->state->flags & settable) | O_LARGEFILE);
}

/* Serves fcntl on f, the file that fd led to. F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD and F_SETFD use fd
 * instead. */
static int64_t fcntl_file(struct file *f, int fd, int64_t cmd, int64_t arg)
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
    case F_GETFL: return GUARDED(get_state_flags(f, settable));
    case F_SETFL: return GUARDED(set_state_flags(f, (uint64_t)arg & settable));
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW: return fcntl_record_lock(cmd, arg);
    default: return -EINVAL;
    }
}

int64_t linux_fcntl(int fd, int64_t cmd, int64_t arg)
{
    struct file *f = fd_get(fd);
    int64_t ret;

    if (!f)
        return -EBADF;
    ret = fcntl_file(f, fd, cmd, arg);
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
    int err = -ENOTTY;

    if (!f)
        return -EBADF;
    if (f->ops->ioctl)
        err = (int)GUARDED(file_watch(f), f->ops->ioctl(f, request, arg));
    file_put(f);
    return err;
}
