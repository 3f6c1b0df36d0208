/* SPDX-License-Identifier: MIT */
/* The calls that open files, and those that set their length. */
#include <errno.h>
#include <fcntl.h>

#include "base/guard.h"
#include "base/linux.h"
#include "base/process.h"
#include "device.h"
#include "directory.h"
#include "open.h"
#include "path.h"
#include "regular.h"

/* --- open ------------------------------------------------------------------------------------- */

static uint32_t access_of(uint32_t flags)
{
    return flags & O_PATH ? O_RDONLY : flags & O_ACCMODE;
}

/* Opens an object that a walk found. */
static int open_object(const struct hier_where *w, uint32_t flags, struct file **out)
{
    bool is_dir = w->kind == HIER_DIR;
    struct file *f;
    int err;

    if (is_dir && (access_of(flags) != O_RDONLY || (flags & O_CREAT)))
        return -EISDIR;
    if (!is_dir && (flags & O_DIRECTORY))
        return -ENOTDIR;
    f = file_new(is_dir ? &directory_ops : &regular_ops, is_dir ? FILE_DIRECTORY : FILE_REGULAR,
                 flags);
    if (!f)
        return -EMFILE;
    f->record = record_of_walk(w);
    if (is_dir)
        err = (int)GUARDED(directory_open(f, w->id));
    else
        err = (int)GUARDED(regular_open(f, w->id, access_of(flags)));
    if (err < 0)
        f->obj.start = NULL; /* released, by the function or by the guard */
    if (err == 0 && !is_dir && (flags & O_TRUNC) && access_of(flags) != O_RDONLY)
        err = (int)GUARDED(regular_resize(f, 0));
    if (err < 0) {
        file_put(f);
        return err;
    }
    *out = f;
    return 0;
}

/* The kernel maps an object at its first access. From then on the mapping keeps the object, even if
 * the file loses its name. Returns -EEXIST if it lost the name already. */
static int map_created(const struct file *f)
{
    const struct twz_record *record = (const void *)(f->obj.start + TWZ_OBJ_RECORD);

    twz_guard_watch(f->obj.start);
    return __atomic_load_n(&record->magic, __ATOMIC_RELAXED) == TWZ_RECORD_MAGIC ? 0 : -EEXIST;
}

/* Creates the file that a walk did not find. -EEXIST: another process created it meanwhile. */
static int create_at(struct hier_where *w, uint32_t flags, uint32_t mode, struct file **out)
{
    struct hier_create create = { .kind = HIER_OBJECT };
    struct file *f;
    int err;

    if (w->must_dir)
        return -EISDIR;
    f = file_new(&regular_ops, FILE_REGULAR, flags);
    if (!f)
        return -EMFILE;
    create.values = regular_attrs((mode & ~process.umask & 07777) | S_IFREG);
    create.attr = &f->record.index;
    f->record.table = w->attrs;
    f->own.attrs = create.values;
    err = err_linux(hier_create(&w->dir, path_leaf(w), &create, &f->obj));
    if (err == 0 && GUARDED(map_created(f)) < 0) {
        twz_object_release(&f->obj);
        err = -EEXIST;
    }
    if (err < 0) {
        f->obj.start = NULL;
        file_put(f);
        return err;
    }
    *out = f;
    return 0;
}

static int open_walked(struct hier_where *w, uint32_t flags, uint32_t mode, struct file **out)
{
    if (w->kind == 0)
        return flags & O_CREAT ? create_at(w, flags, mode, out) : -ENOENT;
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (w->kind == HIER_SYMLINK)
        return -ELOOP;
    if (w->must_dir && w->kind != HIER_DIR)
        return -ENOTDIR;
    return open_object(w, flags, out);
}

/* Whether open must walk again: the name came after the walk, or its object was replaced. */
static bool must_walk_again(const struct hier_where *w, uint32_t flags, int err)
{
    if (err == -EEXIST)
        return (flags & O_CREAT) && !(flags & O_EXCL);
    return path_is_gone(err) && path_is_replaced(w);
}

int open_from(objid_t base, const char *path, uint32_t flags, uint32_t mode, struct file **out)
{
    const bool excl = (flags & O_CREAT) && (flags & O_EXCL);
    uint32_t how = excl || (flags & O_NOFOLLOW) ? HIER_NOFOLLOW : 0;
    struct hier_where w;
    unsigned tries = 0;
    bool again;
    int err;

    if (device_is_named(path))
        return excl ? -EEXIST : device_open(path, flags, out);
    do {
        err = err_linux(hier_walk(process.root, base, path, how, &w));
        if (err < 0)
            return err;
        err = open_walked(&w, flags, mode, out);
        again = must_walk_again(&w, flags, err);
        hier_where_close(&w);
    } while (again && ++tries < PATH_TRIES);
    return err;
}

/* As open_from, but with a directory descriptor, and with Linux's errors for a bad path. */
static int open_at(int dir, const char *path, uint32_t flags, uint32_t mode, struct file **out)
{
    objid_t base = process.root;
    int err = 0;

    if (!path)
        return -EFAULT;
    if (!*path)
        return -ENOENT;
    if (*path != '/')
        err = path_base(dir, &base);
    return err < 0 ? err : open_from(base, path, flags, mode, out);
}

int64_t linux_openat(int dir, const char *path, uint32_t flags, uint32_t mode)
{
    struct file *f;
    int err;

    if ((flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    err = open_at(dir, path, flags, mode, &f);
    return err < 0 ? err : fd_install(f, 0, (flags & O_CLOEXEC) != 0);
}

int64_t linux_open(const char *path, uint32_t flags, uint32_t mode)
{
    return linux_openat(AT_FDCWD, path, flags, mode);
}

int64_t linux_creat(const char *path, uint32_t mode)
{
    return linux_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* --- length ----------------------------------------------------------------------------------- */

int64_t linux_truncate(const char *path, int64_t len)
{
    struct file *f;
    int err;

    if (len < 0)
        return -EINVAL;
    err = open_at(AT_FDCWD, path, O_WRONLY, 0, &f);
    if (err < 0)
        return err;
    err = f->ops->truncate ? (int)GUARDED(f->ops->truncate(f, (uint64_t)len)) : -EINVAL;
    file_put(f);
    return err;
}

/* Gets the file behind fd, which must be open for writing and must have a length. Returns 0, -EBADF
 * or -EINVAL. */
static int get_sized(int fd, struct file **out)
{
    struct file *f = fd_get(fd);

    if (!f)
        return -EBADF;
    if (!f->ops->truncate || access_of(f->access) == O_RDONLY) {
        file_put(f);
        return -EINVAL;
    }
    *out = f;
    return 0;
}

static int truncate_watched(struct file *f, uint64_t len)
{
    file_watch(f);
    return f->ops->truncate(f, len);
}

int64_t linux_ftruncate(int fd, int64_t len)
{
    struct file *f;
    int err = len < 0 ? -EINVAL : get_sized(fd, &f);

    if (err < 0)
        return err;
    err = (int)GUARDED(truncate_watched(f, (uint64_t)len));
    file_put(f);
    return err;
}

static int extend_file(struct file *f, uint64_t len)
{
    file_watch(f);
    return len > twz_object_size(&f->obj) ? regular_resize(f, len) : 0;
}

int64_t linux_fallocate(int fd, uint32_t mode, int64_t off, int64_t len)
{
    const uint32_t punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    struct file *f;
    int err;

    if (off < 0 || len <= 0)
        return -EINVAL;
    if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE && mode != punch)
        return -EOPNOTSUPP;
    err = get_sized(fd, &f);
    if (err < 0)
        return err == -EINVAL ? -EBADF : err;
    if (mode == punch)
        err = (int)GUARDED(regular_punch(f, (uint64_t)off, (uint64_t)len));
    else if (mode == 0)
        err = (int)GUARDED(extend_file(f, (uint64_t)off + (uint64_t)len));
    file_put(f);
    return err;
}

int64_t linux_fadvise64(int fd, int64_t off, int64_t len, int64_t advice)
{
    (void)off;
    (void)len;
    (void)advice;
    return fd_cloexec(fd) < 0 ? -EBADF : 0;
}
