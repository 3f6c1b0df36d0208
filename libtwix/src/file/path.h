/* SPDX-License-Identifier: MIT */
/*
 * From Linux's (directory descriptor, path) to a place in the namespace. Paths are hier names;
 * device names (/dev/null …) are known to device.h and never reach the namespace.
 */
#ifndef TWIX_PATH_H
#define TWIX_PATH_H

#include <hier/hier.h>

/* Walk from `dirfd` (or AT_FDCWD); flags: HIER_NOFOLLOW. 0: hier_where_close it. Errors as Linux
 * has them: ENOENT also for the empty path, EBADF, ENOTDIR. */
int path_walk(int dirfd, const char *path, uint32_t flags, struct hier_where *where);

/* The same, and it must be there: -ENOENT; a path with a '/' at its end must be a directory. */
int path_find(int dirfd, const char *path, uint32_t flags, struct hier_where *where);

/* The last part of a walk as a name. */
struct hier_name path_leaf(const struct hier_where *where);

/* The directory that relative paths of dirfd start from. */
int path_base(int dirfd, objid_t *dir);

#endif
