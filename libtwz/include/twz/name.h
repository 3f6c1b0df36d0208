/* SPDX-License-Identifier: MIT */
/*
 * Names: paths in the namespace. The root of the namespace is a directory, an object of type hier.
 * Each path starts at the root, with or without a leading '/'. objects/hier/hier.h has the
 * functions for one directory, and for paths that start at another directory.
 *
 * A symbolic link in a path is followed. Only twz_name_resolve, _lookup and _reassign also follow a
 * link that is the last component; the other functions act on the link itself.
 *
 * Any thread may call these functions. It must not hold a lock of a directory. A function that
 * changes a directory waits for the directory's lock; a look-up waits only if changes disturb it.
 * A change is atomic, and durable on return.
 *
 * Errors:
 *   -TWZ_ENONAME    a component does not exist
 *   -TWZ_EEXIST     a name that must be new exists
 *   -TWZ_ENOTDIR, -TWZ_EISDIR, -TWZ_ENOTEMPTY, -TWZ_ELOOP   as ENOTDIR, EISDIR ... of POSIX
 *   -TWZ_ENAMELEN   a component is longer than 255 bytes, or the path than 4095
 *   -TWZ_EFULL      the directory is full
 *   or an error of hier/hier.h
 */
#ifndef TWZ_NAME_H
#define TWZ_NAME_H

#include <twz/obj.h>

#define TWZ_NAME_MAX 255u
#define TWZ_PATH_MAX 4096u

/* Returns the ID of the root directory; 0 if there is no namespace. */
objid_t twz_name_root(void);

/* Get the ID of the object to which a path leads. */
TWZ_CHECKED int twz_name_resolve(const char *path, objid_t *id);

/* As twz_name_resolve, and get the kind of the name. */
#define TWZ_NAME_OBJECT  1u
#define TWZ_NAME_DIR     2u
#define TWZ_NAME_SYMLINK 3u /* only of a link that is not followed */
struct twz_name_info {
    objid_t id;
    uint32_t kind;
    uint32_t pad;
};
TWZ_CHECKED int twz_name_lookup(const char *path, struct twz_name_info *info);

/* Add a name for object `id`. The name must not exist. */
TWZ_CHECKED int twz_name_assign(const char *path, objid_t id);

/* Make the name refer to object `id`. The name is added if it does not exist. The object to which
 * it referred before is not deleted. */
TWZ_CHECKED int twz_name_reassign(const char *path, objid_t id);

/* Remove a name. The object is not deleted, unless it is a directory. A directory must be empty. */
TWZ_CHECKED int twz_name_unassign(const char *path);

/* As POSIX rename. If the name `to` exists, it is replaced; its object is not deleted, unless it is
 * a directory. */
TWZ_CHECKED int twz_name_rename(const char *from, const char *to);

/* Create an empty directory. The name must not exist. */
TWZ_CHECKED int twz_name_mkdir(const char *path);

/*
 * Create a persistent object and add a name for it, in one atomic change. The name must not exist.
 * The function calls `fill` (may be NULL) before the name exists. `fill` must flush the data that
 * it stores; the function then fences. If `fill` returns an error, the function deletes the object
 * and returns this error. perms: the default permissions; 0 means READ, WRITE, USE and DEL. On
 * success the caller gets the object in *obj, open with TWZ_READ | TWZ_WRITE.
 */
typedef int (*twz_fill)(const twzobj *obj, void *ctx);
TWZ_CHECKED int twz_name_create(const char *path, uint32_t perms, twz_fill fill, void *ctx,
                                twzobj *obj);

/* Search the namespace for a path of object `id`, for messages and tools. Returns the length of the
 * path. -TWZ_ENONAME if no path with less than `len` bytes is found, -TWZ_ERANGE if len is below 2,
 * -TWZ_EFULL after some 200,000 names. The function takes no lock and changes nothing. */
TWZ_CHECKED int twz_name_of(objid_t id, char *path, size_t len);

#endif
