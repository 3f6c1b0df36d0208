/* SPDX-License-Identifier: MIT */
/*
 * Names: paths in the namespace, whose root directory is an object of type hier. Every path starts
 * at the root, with or without a leading '/'. Symbolic links are followed, except where a function
 * does not follow the last component. objects/hier/hier.h has more: iterating, walking from another
 * directory, creating with a kind.
 *
 * Blocking: a change waits for the lock of its directory, a look-up only if changes disturb it. Any
 * thread may call these functions. Durability: a change is atomic and durable on return.
 *
 * Errors: -TWZ_ENONAME a component does not exist, -TWZ_ENOTDIR, -TWZ_EISDIR, -TWZ_EEXIST,
 * -TWZ_ENOTEMPTY, -TWZ_ENAMELEN a component is longer than 255 bytes, -TWZ_ELOOP, -TWZ_EFULL.
 */
#ifndef TWZ_NAME_H
#define TWZ_NAME_H

#include <twz/obj.h>

#define TWZ_NAME_MAX 255u
#define TWZ_PATH_MAX 4096u

/* The root directory; 0: there is no namespace. */
objid_t twz_name_root(void);

TWZ_CHECKED int twz_name_resolve(const char *path, objid_t *id);

/* As twz_name_resolve, with the kind of the name. */
#define TWZ_NAME_OBJECT  1u
#define TWZ_NAME_DIR     2u
#define TWZ_NAME_SYMLINK 3u /* only of a link that is not followed */
struct twz_name_info {
    objid_t id;
    uint32_t kind;
    uint32_t pad;
};
TWZ_CHECKED int twz_name_lookup(const char *path, struct twz_name_info *info);

/* Name an object. -TWZ_EEXIST. */
TWZ_CHECKED int twz_name_assign(const char *path, objid_t id);

/* Point a name at this object, whether or not it exists; its old object is not deleted. */
TWZ_CHECKED int twz_name_reassign(const char *path, objid_t id);

/* Remove a name, also that of a symbolic link. Its object is not deleted, except a directory, which
 * must be empty. */
TWZ_CHECKED int twz_name_unassign(const char *path);

/* As POSIX rename. A name at `to` is replaced; its object is not deleted, except a directory. */
TWZ_CHECKED int twz_name_rename(const char *from, const char *to);

TWZ_CHECKED int twz_name_mkdir(const char *path);

/*
 * Create a persistent object and name it in one step: after a power failure both exist or neither.
 * `fill` (may be NULL) stores the data that must exist before the name does; it must flush them,
 * and a fence follows. An error of fill is the result, and the object is deleted. perms: default
 * permissions, 0: READ | WRITE | USE | DEL. `obj` is open READ | WRITE on success.
 */
typedef int (*twz_fill)(const twzobj *obj, void *ctx);
TWZ_CHECKED int twz_name_create(const char *path, uint32_t perms, twz_fill fill, void *ctx,
                                twzobj *obj);

/* Search the namespace for a path of the object, for messages and tools: the length of the path.
 * -TWZ_ENONAME, -TWZ_ERANGE if len is too small, -TWZ_EFULL after some 200,000 names. Takes no lock
 * and changes nothing. */
TWZ_CHECKED int twz_name_of(objid_t id, char *path, size_t len);

#endif
