/* SPDX-License-Identifier: MIT */
/*
 * Names: paths in the namespace, whose root directory is an object of type hier. Every path here
 * starts at the root, with or without a leading '/'; symbolic links are followed, but for the last
 * part where said so. Changes are atomic and durable on return. More (iterating, walking from
 * another directory, creating and naming at once) is in objects/hier/hier.h.
 *
 * Errors: -TWZ_ENONAME a part is missing, -TWZ_ENOTDIR, -TWZ_EISDIR, -TWZ_EEXIST, -TWZ_ENOTEMPTY,
 * -TWZ_ENAMELEN a part is longer than 255 bytes, -TWZ_ELOOP, -TWZ_EFULL.
 */
#ifndef TWZ_NAME_H
#define TWZ_NAME_H

#include <twz/obj.h>

#define TWZ_NAME_MAX 255u
#define TWZ_PATH_MAX 4096u

/* The root directory; 0: this machine has no namespace. */
objid_t twz_name_root(void);

TWZ_CHECKED int twz_name_resolve(const char *path, objid_t *id);

/* The same, with what the name is. */
#define TWZ_NAME_OBJECT  1u
#define TWZ_NAME_DIR     2u
#define TWZ_NAME_SYMLINK 3u /* only of a link that is not followed */
struct twz_name_info {
    objid_t id;
    uint32_t kind;
    uint32_t pad;
};
TWZ_CHECKED int twz_name_lookup(const char *path, struct twz_name_info *info);

/* Give an object a (further) name. -TWZ_EEXIST. */
TWZ_CHECKED int twz_name_assign(const char *path, objid_t id);

/* Let a name mean this object from now on, whether or not it meant another before. */
TWZ_CHECKED int twz_name_reassign(const char *path, objid_t id);

/* Take a name away (not followed where it is a link); the object lives on. A directory has to be
 * empty and is deleted. */
TWZ_CHECKED int twz_name_unassign(const char *path);

/* As POSIX rename. A name that stood at `to` is replaced; its object lives on. */
TWZ_CHECKED int twz_name_rename(const char *from, const char *to);

TWZ_CHECKED int twz_name_mkdir(const char *path);

/*
 * A new persistent object, created and named in one step: after a power cut either both are there
 * or neither. `fill` (may be NULL) writes what has to be there before anybody sees it, and flushes
 * it: a fence follows before the name is there. An error of its is the result and nothing remains.
 * perms: default permissions, 0 stands for READ | WRITE | USE | DEL. `obj` is open READ | WRITE.
 */
typedef int (*twz_fill)(const twzobj *obj, void *ctx);
TWZ_CHECKED int twz_name_create(const char *path, uint32_t perms, twz_fill fill, void *ctx,
                                twzobj *obj);

/* A path of the object with this ID, searched through the namespace (for messages and tools): its
 * length, or -TWZ_ENONAME, -TWZ_ERANGE where len is too short, -TWZ_EFULL where some 200,000 names
 * were looked at and there are more. No lock is waited for and nothing is changed. */
TWZ_CHECKED int twz_name_of(objid_t id, char *path, size_t len);

#endif
