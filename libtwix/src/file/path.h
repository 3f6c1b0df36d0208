/* SPDX-License-Identifier: MIT */
/*
 * Finds the entry of the namespace for Linux's pair of directory descriptor and path. Paths are
 * hier names. The caller must handle the names of devices first (device.h): those names are not in
 * the namespace.
 */
#ifndef TWIX_PATH_H
#define TWIX_PATH_H

#include <errno.h>
#include <hier/hier.h>
#include <stdbool.h>

/* Walk `path` from the directory `dirfd` (or AT_FDCWD). `flags` is 0 or HIER_NOFOLLOW. On success
 * the caller must call hier_where_close; kind 0 means that the last part of the path is missing.
 * Errors are those of Linux; an empty path is -ENOENT. */
int path_walk(int dirfd, const char *path, uint32_t flags, struct hier_where *where);

/* As path_walk, but the entry must exist, else -ENOENT. A path that ends with '/' must name a
 * directory. */
int path_find(int dirfd, const char *path, uint32_t flags, struct hier_where *where);

/* Returns whether the name at the end of a walk has another entry by now. Then a failed use of the
 * object that the walk found may be due to its deletion: a name that always exists, while renames
 * replace it, must not be missing. The caller must walk again, PATH_TRIES times at most. */
bool path_is_replaced(const struct hier_where *where);
#define PATH_TRIES 1000u

/* Returns whether -ENOENT or another error may mean that an object was deleted after the walk. */
static inline bool path_is_gone(int64_t err)
{
    return err == -ENOENT || err == -EIO;
}

/* Returns the name of the last part of the path. */
struct hier_name path_leaf(const struct hier_where *where);

/* Find the directory where relative paths of `dirfd` start. Returns 0, -EBADF or -ENOTDIR. */
int path_base(int dirfd, objid_t *dir);

#endif
