/* SPDX-License-Identifier: MIT */
/*
 * The attributes of files: stat, access, mode, owner, times. Mode bits and owners are advisory: the
 * mode is stored, an owner is accepted and dropped, and no call fails because of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <twz/threads.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/linux.h"
#include "base/process.h"
#include "base/times.h"
#include "device.h"
#include "fd.h"
#include "path.h"
#include "regular.h"

/* --- stat ------------------------------------------------------------------------------------- */

static int stat_link(const struct hier_where *w, struct stat *st)
{
    struct hier_found found;
    int err = err_linux(hier_lookup(&w->dir, path_leaf(w), &found));

    if (err < 0)
        return err;
    *st = (struct stat){ 0 };
    st->st_dev = 1;
    st->st_ino = w->cookie;
    st->st_mode = S_IFLNK | 0777;
    st->st_nlink = 1;
    st->st_size = found.text_len;
    st->st_blksize = TWZ_PAGE_SIZE;
    return 0;
}

/* Returns 1 if the record of the name does not count it. */
static int stat_object(const struct hier_where *w, struct stat *st)
{
    const struct record_ref record = record_of_walk(w);
    twzobj obj;
    bool counted;
    int err;

    if (w->len == 0) { /* the directory that is open, and may have lost its name */
        (void)!regular_stat(&w->dir, &record, S_IFDIR, st);
        return 0;
    }
    err = regular_map(&obj, w->id, TWZ_READ);
    if (err < 0)
        return err;
    counted = regular_stat(&obj, &record, w->kind == HIER_DIR ? S_IFDIR : S_IFREG, st);
    twz_object_release(&obj);
    return counted ? 0 : 1;
}

/* Sets *again if the object lost the name since the walk. */
static int stat_walked(const struct hier_where *w, struct stat *st, bool *again)
{
    int ret = w->kind == HIER_SYMLINK ? stat_link(w, st) : (int)GUARDED(stat_object(w, st));

    *again = (path_is_gone(ret) || ret == 1) && path_is_replaced(w);
    return ret < 0 ? ret : 0;
}

int64_t linux_fstat(int fd, void *st)
{
    struct file *f = fd_get(fd);
    int err;

    if (!f)
        return -EBADF;
    err = (int)GUARDED(file_stat(f, st));
    file_put(f);
    return err;
}

int64_t linux_newfstatat(int dir, const char *path, void *st, uint32_t flags)
{
    const uint32_t how = flags & AT_SYMLINK_NOFOLLOW ? HIER_NOFOLLOW : 0;
    struct hier_where w;
    unsigned tries = 0;
    bool again;
    int err;

    if (path && !*path && (flags & AT_EMPTY_PATH))
        return dir == AT_FDCWD ? linux_newfstatat(dir, ".", st, 0) : linux_fstat(dir, st);
    if (path && device_is_named(path))
        return device_stat(path, st);
    do {
        err = path_find(dir, path, how, &w);
        if (err < 0)
            return err;
        err = stat_walked(&w, st, &again);
        hier_where_close(&w);
    } while (again && ++tries < PATH_TRIES);
    return err;
}

int64_t linux_stat(const char *path, void *st)
{
    return linux_newfstatat(AT_FDCWD, path, st, 0);
}

int64_t linux_lstat(const char *path, void *st)
{
    return linux_newfstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

static struct linux_statx_time statx_time(struct timespec t)
{
    return (struct linux_statx_time){ .sec = t.tv_sec, .nsec = (uint32_t)t.tv_nsec };
}

int64_t linux_statx(int dir, const char *path, uint32_t flags, uint32_t mask, void *out)
{
    struct linux_statx *x = out;
    struct stat st;
    int64_t ret = linux_newfstatat(dir, path, &st, flags);

    (void)mask;
    if (ret < 0)
        return ret;
    *x = (struct linux_statx){ .mask = LINUX_STATX_BASIC };
    x->blksize = (uint32_t)st.st_blksize;
    x->nlink = (uint32_t)st.st_nlink;
    x->mode = (uint16_t)st.st_mode;
    x->ino = st.st_ino;
    x->size = (uint64_t)st.st_size;
    x->blocks = (uint64_t)st.st_blocks;
    x->atime = statx_time(st.st_atim);
    x->ctime = statx_time(st.st_ctim);
    x->mtime = statx_time(st.st_mtim);
    x->rdev_major = major(st.st_rdev);
    x->rdev_minor = minor(st.st_rdev);
    x->dev_minor = (uint32_t)st.st_dev;
    return 0;
}

static int fill_statfs(struct statfs *st)
{
    const struct twz_system *system = process_system_now();

    *st = (struct statfs){ 0 };
    st->f_type = 0x7477697a;
    st->f_bsize = TWZ_PAGE_SIZE;
    st->f_frsize = TWZ_PAGE_SIZE;
    st->f_blocks = system->pool_size / TWZ_PAGE_SIZE;
    st->f_bfree = system->pool_free / TWZ_PAGE_SIZE;
    st->f_bavail = st->f_bfree;
    st->f_namelen = TWZ_NAME_MAX;
    return 0;
}

int64_t linux_statfs(const char *path, void *out)
{
    struct stat st;
    int64_t ret = linux_stat(path, &st);

    return ret < 0 ? ret : fill_statfs(out);
}

int64_t linux_fstatfs(int fd, void *out)
{
    return fd_cloexec(fd) < 0 ? -EBADF : fill_statfs(out);
}

/* --- access ----------------------------------------------------------------------------------- */

int64_t linux_faccessat2(int dir, const char *path, uint32_t mode, uint32_t flags)
{
    struct stat st;
    int64_t ret;

    if (mode & ~(uint32_t)(R_OK | W_OK | X_OK))
        return -EINVAL;
    ret = linux_newfstatat(dir, path, &st, flags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
    if (ret < 0)
        return ret;
    return (mode & X_OK) && !(st.st_mode & 0111) ? -EACCES : 0;
}

int64_t linux_faccessat(int dir, const char *path, uint32_t mode)
{
    return linux_faccessat2(dir, path, mode, 0);
}

int64_t linux_access(const char *path, uint32_t mode)
{
    return linux_faccessat2(AT_FDCWD, path, mode, 0);
}

/* --- mode, owner, times ----------------------------------------------------------------------- */

/* A change of attributes. `what` is a set of RECORD_*; ctime is always set. */
struct change {
    uint32_t what;
    struct attr_values values;
};

/* The type bits stay. */
static struct attr_values apply_change(const struct change *change, uint64_t mode, bool dir)
{
    struct attr_values values = change->values;
    uint64_t type = mode & S_IFMT;

    if (!type)
        type = dir ? S_IFDIR : S_IFREG;
    values.mode = type | (values.mode & 07777);
    return values;
}

static int change_walked(const struct hier_where *w, const struct change *change)
{
    const struct record_ref record = record_of_walk(w);
    struct attr_values values = { 0 };
    struct twz_stat stat;
    uint64_t names;

    if (record_get(&record, w->id, &values, &names)) {
        values = apply_change(change, values.mode, w->kind == HIER_DIR);
        if (record_set(&record, w->id, &values, change->what))
            return 0;
    }
    if (err_linux(twz_object_stat(w->id, &stat)) == -ENOENT)
        return -ENOENT;
    return record.index ? -EIO : -EPERM;
}

static int change_found(const struct hier_where *w, const struct change *change)
{
    return w->kind == HIER_SYMLINK ? 0 : (int)GUARDED(change_walked(w, change));
}

static int change_path(int dir, const char *path, uint32_t flags, const struct change *change)
{
    const uint32_t how = flags & AT_SYMLINK_NOFOLLOW ? HIER_NOFOLLOW : 0;
    struct hier_where w;
    unsigned tries = 0;
    bool again;
    int err;

    if (path && device_is_named(path))
        return 0;
    do {
        err = path_find(dir, path, how, &w);
        if (err < 0)
            return err;
        err = change_found(&w, change);
        again = path_is_gone(err) && path_is_replaced(&w);
        hier_where_close(&w);
    } while (again && ++tries < PATH_TRIES);
    return err;
}

static int change_file(struct file *f, const struct change *change)
{
    struct attr_values values = f->state->attrs;
    uint64_t names;

    (void)!record_get(&f->record, f->obj.id, &values, &names);
    values = apply_change(change, values.mode, f->kind == FILE_DIRECTORY);
    return regular_set_attrs(f, &values, change->what);
}

static int change_fd(int fd, const struct change *change)
{
    struct file *f = fd_get(fd);
    int err = 0;

    if (!f)
        return -EBADF;
    if (f->kind == FILE_REGULAR || f->kind == FILE_DIRECTORY)
        err = (int)GUARDED(file_watch(f), change_file(f, change));
    file_put(f);
    return err;
}

static struct change change_of_mode(uint32_t mode)
{
    return (struct change){ .what = RECORD_MODE,
                            .values = { .mode = mode, .ctime_ns = twz_clock_wall() } };
}

int64_t linux_fchmodat(int dir, const char *path, uint32_t mode)
{
    const struct change change = change_of_mode(mode);

    return change_path(dir, path, 0, &change);
}

int64_t linux_chmod(const char *path, uint32_t mode)
{
    return linux_fchmodat(AT_FDCWD, path, mode);
}

int64_t linux_fchmod(int fd, uint32_t mode)
{
    const struct change change = change_of_mode(mode);

    return change_fd(fd, &change);
}

int64_t linux_fchownat(int dir, const char *path, int64_t uid, int64_t gid, uint32_t flags)
{
    struct stat st;

    (void)uid;
    (void)gid;
    return linux_newfstatat(dir, path, &st, flags);
}

int64_t linux_chown(const char *path, int64_t uid, int64_t gid)
{
    return linux_fchownat(AT_FDCWD, path, uid, gid, 0);
}

int64_t linux_lchown(const char *path, int64_t uid, int64_t gid)
{
    return linux_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int64_t linux_fchown(int fd, int64_t uid, int64_t gid)
{
    (void)uid;
    (void)gid;
    return fd_cloexec(fd) < 0 ? -EBADF : 0;
}

/* `times`: of access and modification; NULL: both now. */
static struct change change_of_times(const struct timespec *times)
{
    const uint64_t now = twz_clock_wall();
    struct change change = { .values = { .mtime_ns = now, .ctime_ns = now } };

    if (times && times[1].tv_nsec == UTIME_OMIT)
        return change;
    change.what = RECORD_MTIME;
    if (times && times[1].tv_nsec != UTIME_NOW)
        change.values.mtime_ns =
            (uint64_t)times[1].tv_sec * TIMES_SECOND + (uint64_t)times[1].tv_nsec;
    return change;
}

static bool is_valid_time(const struct timespec *t)
{
    return t->tv_nsec == UTIME_NOW || t->tv_nsec == UTIME_OMIT ||
           (t->tv_nsec >= 0 && t->tv_nsec < (long)TIMES_SECOND);
}

int64_t linux_utimensat(int dir, const char *path, const void *times, uint32_t flags)
{
    const struct timespec *t = times;
    struct change change;

    if (t && (!is_valid_time(&t[0]) || !is_valid_time(&t[1])))
        return -EINVAL;
    change = change_of_times(t);
    return path ? change_path(dir, path, flags, &change) : change_fd(dir, &change);
}
