/* SPDX-License-Identifier: MIT */
/*
 * From Linux's pair of directory descriptor and path to an entry of the namespace. Paths are hier
 * names. Callers must handle the names of devices first (device.h): they are not in the namespace.
 */
#ifndef TWIX_PATH_H
#define TWIX_PATH_H

#include <hier/hier.h>

/* Walk from `dirfd` (or AT_FDCWD); flags: HIER_NOFOLLOW. On 0 the caller must hier_where_close it;
 * the last part of the path may be missing (kind 0). Errors are those of Linux; -ENOENT also for
 * "". */
int path_walk(int dirfd, const char *path, uint32_t flags, struct hier_where *where);

/* path_walk to an entry that exists (-ENOENT). A path that ends with '/' must name a directory. */
int path_find(int dirfd, const char *path, uint32_t flags, struct hier_where *where);

/* The name of the last part of the path. */
struct hier_name path_leaf(const struct hier_where *where);

/* The directory where relative paths of `dirfd` start. -EBADF, -ENOTDIR. */
int path_base(int dirfd, objid_t *dir);

#endif
