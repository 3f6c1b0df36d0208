/* SPDX-License-Identifier: MIT */
/* Walking paths; see path.h. */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/process.h"
#include "fd.h"
#include "path.h"

int64_t path_base(int dirfd, objid_t *dir)
{
    struct file *f;
    int64_t ret = 0;

    if (dirfd == AT_FDCWD) {
        lock_take(&process.lock);
        *dir = process.cwd;
        lock_drop(&process.lock);
        return 0;
    }
    f = fd_get(dirfd);
    if (!f)
        return -EBADF;
    if (f->kind == FILE_DIRECTORY)
        *dir = f->obj.id;
    else
        ret = -ENOTDIR;
    file_put(f);
    return ret;
}

int64_t path_walk(int dirfd, const char *path, uint32_t flags, struct hier_where *where)
{
    objid_t base = process.root;
    int64_t ret;

    if (!path)
        return -EFAULT;
    if (!*path)
        return -ENOENT;
    if (*path != '/') {
        ret = path_base(dirfd, &base);
        if (ret < 0)
            return ret;
    }
    return err_linux(hier_walk(process.root, base, path, flags, where));
}

int64_t path_find(int dirfd, const char *path, uint32_t flags, struct hier_where *where)
{
    int64_t ret = path_walk(dirfd, path, flags, where);

    if (ret < 0)
        return ret;
    if (where->kind == 0)
        ret = -ENOENT;
    else if (where->must_dir && where->kind != HIER_DIR)
        ret = -ENOTDIR;
    if (ret < 0)
        hier_where_close(where);
    return ret;
}

struct hier_name path_leaf(const struct hier_where *where)
{
    return (struct hier_name){ where->leaf, where->len };
}
