/* SPDX-License-Identifier: MIT */
/*
 * Finds the entry of the namespace for Linux's pair of directory descriptor and path. Paths are
 * hier names. The caller must handle the names of devices first (device.h): those names are not in
 * the namespace.
 */
#ifndef TWIX_PATH_H
#define TWIX_PATH_H

#include <hier/hier.h>

/* Walk `path` from the directory `dirfd` (or AT_FDCWD). `flags` is 0 or HIER_NOFOLLOW. On success
 * the caller must call hier_where_close; kind 0 means that the last part of the path is missing.
 * Errors are those of Linux; an empty path is -ENOENT. */
int path_walk(int dirfd, const char *path, uint32_t flags, struct hier_where *where);

/* As path_walk, but the entry must exist, else -ENOENT. A path that ends with '/' must name a
 * directory. */
int path_find(int dirfd, const char *path, uint32_t flags, struct hier_where *where);

/* Returns the name of the last part of the path. */
struct hier_name path_leaf(const struct hier_where *where);

/* Find the directory where relative paths of `dirfd` start. Returns 0, -EBADF or -ENOTDIR. */
int path_base(int dirfd, objid_t *dir);

#endif
