/* SPDX-License-Identifier: MIT */
/* Walking paths; see path.h. */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/process.h"
#include "fd.h"
#include "path.h"

int path_base(int dirfd, objid_t *dir)
{
    struct file *f;
    int err = 0;

    if (dirfd == AT_FDCWD) {
        *dir = process_cwd();
        return 0;
    }
    f = fd_get(dirfd);
    if (!f)
        return -EBADF;
    if (f->kind == FILE_DIRECTORY)
        *dir = f->obj.id;
    else
        err = -ENOTDIR;
    file_put(f);
    return err;
}

int path_walk(int dirfd, const char *path, uint32_t flags, struct hier_where *where)
{
    objid_t base = process.root;
    int err;

    if (!path)
        return -EFAULT;
    if (!*path)
        return -ENOENT;
    if (*path != '/') {
        err = path_base(dirfd, &base);
        if (err < 0)
            return err;
    }
    return err_linux(hier_walk(process.root, base, path, flags, where));
}

int path_find(int dirfd, const char *path, uint32_t flags, struct hier_where *where)
{
    int err = path_walk(dirfd, path, flags, where);

    if (err < 0)
        return err;
    if (where->kind == 0)
        err = -ENOENT;
    else if (where->must_dir && where->kind != HIER_DIR)
        err = -ENOTDIR;
    if (err < 0)
        hier_where_close(where);
    return err;
}

bool path_is_replaced(const struct hier_where *where)
{
    struct hier_found now;
    int err;

    if (where->kind == 0 || where->len == 0)
        return false;
    err = hier_lookup(&where->dir, path_leaf(where), &now);
    return err == -TWZ_ENONAME ||
           (err >= 0 && (now.kind != where->kind || !objid_equal(now.id, where->id)));
}

struct hier_name path_leaf(const struct hier_where *where)
{
    return (struct hier_name){ where->leaf, where->len };
}
