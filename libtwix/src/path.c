/* SPDX-License-Identifier: MIT */
/* Walking paths; see path.h. */
#include <errno.h>
#include <fcntl.h>

#include "err.h"
#include "fd.h"
#include "lock.h"
#include "path.h"
#include "process.h"

int64_t path_base(int dirfd, objid_t *dir)
{
    struct file *f;
    int64_t r = 0;

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
        r = -ENOTDIR;
    file_put(f);
    return r;
}

int64_t path_walk(int dirfd, const char *path, uint32_t flags, struct hier_where *where)
{
    objid_t base = process.root;
    int64_t r;

    if (!path)
        return -EFAULT;
    if (!*path)
        return -ENOENT;
    if (*path != '/') {
        r = path_base(dirfd, &base);
        if (r < 0)
            return r;
    }
    return err_linux(hier_walk(process.root, base, path, flags, where));
}

int64_t path_find(int dirfd, const char *path, uint32_t flags, struct hier_where *where)
{
    int64_t r = path_walk(dirfd, path, flags, where);

    if (r < 0)
        return r;
    if (where->kind == 0)
        r = -ENOENT;
    else if (where->must_dir && where->kind != HIER_DIR)
        r = -ENOTDIR;
    if (r < 0)
        hier_where_close(where);
    return r;
}

struct hier_name path_leaf(const struct hier_where *where)
{
    return (struct hier_name){ where->leaf, where->len };
}
