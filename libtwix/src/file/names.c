/* SPDX-License-Identifier: MIT */
/*
 * The calls that change names. Each is one atomic, durable change of hier. An object that loses its
 * last name is deleted. A process that has the object open keeps the pages until it closes the
 * file.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/linux.h"
#include "base/process.h"
#include "path.h"
#include "regular.h"

static size_t text_length(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

/* --- mkdir ------------------------------------------------------------------------------------ */

int64_t linux_mkdirat(int dir, const char *path, uint32_t mode)
{
    const uint32_t bits = (mode & ~process.umask & 07777) | S_IFDIR;
    struct hier_create create = { .kind = HIER_DIR, .values = regular_attrs(bits) };
    struct hier_where w;
    int err = path_walk(dir, path, HIER_NOFOLLOW, &w);

    if (err < 0)
        return err;
    if (w.kind || w.len == 0)
        err = -EEXIST;
    else
        err = err_linux(hier_create(&w.dir, path_leaf(&w), &create, NULL));
    hier_where_close(&w);
    return err;
}

int64_t linux_mkdir(const char *path, uint32_t mode)
{
    return linux_mkdirat(AT_FDCWD, path, mode);
}

/* --- unlink, rmdir ---------------------------------------------------------------------------- */

/* Returns the error of rmdir for a path whose last part is no name: "/", ".", "..". */
static int errno_of_nameless(const char *path)
{
    size_t len = text_length(path);

    while (len && path[len - 1] == '/')
        len--;
    if (len == 0)
        return -EBUSY;
    return len > 1 && path[len - 2] == '.' ? -ENOTEMPTY : -EINVAL;
}

int64_t linux_unlinkat(int dir, const char *path, uint32_t flags)
{
    uint32_t how = HIER_DELETE | (flags & AT_REMOVEDIR ? HIER_WANT_DIR : HIER_NOT_DIR);
    struct hier_where w;
    int err;

    if (flags & ~(uint32_t)AT_REMOVEDIR)
        return -EINVAL;
    err = path_find(dir, path, HIER_NOFOLLOW, &w);
    if (err < 0)
        return err;
    if (w.len == 0)
        err = flags & AT_REMOVEDIR ? errno_of_nameless(path) : -EISDIR;
    else
        err = err_linux(hier_remove(&w.dir, path_leaf(&w), how));
    hier_where_close(&w);
    return err;
}

int64_t linux_unlink(const char *path)
{
    return linux_unlinkat(AT_FDCWD, path, 0);
}

int64_t linux_rmdir(const char *path)
{
    return linux_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* --- rename ----------------------------------------------------------------------------------- */

/* Renames from one walked path to another. */
static int rename_walked(const struct hier_where *from, const struct hier_where *to, uint32_t flags)
{
    uint32_t how = HIER_DELETE | (flags & LINUX_RENAME_NOREPLACE ? HIER_EXCL : 0);

    if (from->len == 0)
        return -EBUSY;
    if ((flags & LINUX_RENAME_NOREPLACE) && (to->kind || to->len == 0))
        return -EEXIST; /* hier lets a rename between two names of one object succeed */
    if (to->len == 0)
        return -EBUSY;
    if (to->must_dir && from->kind != HIER_DIR)
        return -ENOTDIR;
    return err_linux(hier_rename(&from->dir, path_leaf(from), &to->dir, path_leaf(to), how));
}

int64_t linux_renameat2(int fromdir, const char *from, int todir, const char *to, uint32_t flags)
{
    struct hier_where a, b;
    int err;

    if (flags & ~(uint32_t)LINUX_RENAME_NOREPLACE)
        return -EINVAL;
    err = path_find(fromdir, from, HIER_NOFOLLOW, &a);
    if (err < 0)
        return err;
    err = path_walk(todir, to, HIER_NOFOLLOW, &b);
    if (err == 0) {
        err = rename_walked(&a, &b, flags);
        hier_where_close(&b);
    }
    hier_where_close(&a);
    return err;
}

int64_t linux_renameat(int fromdir, const char *from, int todir, const char *to)
{
    return linux_renameat2(fromdir, from, todir, to, 0);
}

int64_t linux_rename(const char *from, const char *to)
{
    return linux_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* --- link, symlink, readlink ------------------------------------------------------------------ */

static int link_walked(const struct hier_where *from, const struct hier_where *to)
{
    const struct hier_found found = { .id = from->id, .kind = from->kind, .attr = from->attr };

    if (!objid_equal(from->attrs, to->attrs))
        return -EXDEV;
    return err_linux(hier_link(&to->dir, path_leaf(to), &found));
}

int64_t linux_linkat(int fromdir, const char *from, int todir, const char *to, uint32_t flags)
{
    const uint32_t how = flags & AT_SYMLINK_FOLLOW ? 0 : HIER_NOFOLLOW;
    struct hier_where a, b;
    unsigned tries = 0;
    bool again;
    int err;

    if (flags & ~(uint32_t)AT_SYMLINK_FOLLOW)
        return -EINVAL;
    do {
        err = path_find(fromdir, from, how, &a);
        if (err < 0)
            return err;
        err = a.kind == HIER_OBJECT ? path_walk(todir, to, HIER_NOFOLLOW, &b) : -EPERM;
        if (err == 0) {
            err = b.kind || b.len == 0 ? -EEXIST : link_walked(&a, &b);
            hier_where_close(&b);
        }
        again = err == -EXDEV && path_is_replaced(&a); /* its record is free */
        hier_where_close(&a);
    } while (again && ++tries < PATH_TRIES);
    return err;
}

int64_t linux_link(const char *from, const char *to)
{
    return linux_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int64_t linux_symlinkat(const char *target, int dir, const char *path)
{
    struct hier_where w;
    int err;

    if (!target)
        return -EFAULT;
    if (!*target)
        return -ENOENT;
    err = path_walk(dir, path, HIER_NOFOLLOW, &w);
    if (err < 0)
        return err;
    if (w.kind || w.len == 0)
        err = -EEXIST;
    else
        err = err_linux(hier_symlink(&w.dir, path_leaf(&w), target, text_length(target)));
    hier_where_close(&w);
    return err;
}

int64_t linux_symlink(const char *target, const char *path)
{
    return linux_symlinkat(target, AT_FDCWD, path);
}

int64_t linux_readlinkat(int dir, const char *path, void *buf, uint64_t len)
{
    struct hier_where w;
    int64_t ret;

    if (len == 0)
        return -EINVAL;
    ret = path_find(dir, path, HIER_NOFOLLOW, &w);
    if (ret < 0)
        return ret;
    if (w.kind != HIER_SYMLINK)
        ret = -EINVAL;
    else
        ret = ret_linux(hier_readlink(&w.dir, path_leaf(&w), buf, len));
    hier_where_close(&w);
    return ret > (int64_t)len ? (int64_t)len : ret;
}

int64_t linux_readlink(const char *path, void *buf, uint64_t len)
{
    return linux_readlinkat(AT_FDCWD, path, buf, len);
}

/* --- the current directory and the mask ------------------------------------------------------- */

int64_t linux_chdir(const char *path)
{
    struct hier_where w;
    int err = path_find(AT_FDCWD, path, 0, &w);

    if (err < 0)
        return err;
    if (w.kind == HIER_DIR)
        process_set_cwd(w.id);
    else
        err = -ENOTDIR;
    hier_where_close(&w);
    return err;
}

int64_t linux_fchdir(int fd)
{
    objid_t dir;
    int err = path_base(fd, &dir);

    if (err == 0)
        process_set_cwd(dir);
    return err;
}

int64_t linux_getcwd(void *buf, uint64_t len)
{
    int64_t ret = ret_linux(hier_path_of(process.root, process_cwd(), buf, len));

    if (ret == -EINVAL)
        ret = -ERANGE;
    return ret < 0 ? ret : ret + 1;
}

int64_t linux_umask(uint32_t mask)
{
    return process_set_umask(mask & 0777);
}
