/* SPDX-License-Identifier: MIT */
/*
 * hier: directories. The layout, the locks and the crash protocol are in layout.h.
 *
 * The caller must open a directory with TWZ_READ | TWZ_WRITE. TWZ_READ is enough for the functions
 * that only read, but then a result may be wrong if changes disturb the reader for long.
 * A name is 1 .. 255 bytes, without '/' and NUL. "." and ".." are not entries; only the functions
 * for paths accept them.
 *
 * Locks: the caller must not hold a lock of a directory. Any thread may call these functions.
 * Blocking: a function that changes a directory waits for the directory's lock. A function that
 * reads waits for the lock only if changes disturb it (layout.h, READERS).
 *
 * Errors, besides those of twz/name.h:
 *   -TWZ_ETYPE      the object is not a directory
 *   -TWZ_EVERSION   the directory has another version of the layout
 *   -TWZ_EDAMAGED   the structure of the directory is broken
 *   -TWZ_EDELETED   the directory was removed while it was open
 *   -TWZ_EINVAL     the name or an argument is invalid
 *   -TWZ_EBUSY      a living thread kept a lock for half a minute, or too many interrupted changes
 *                   had to be finished first
 *   -TWZ_EAGAIN     other changes made the function start over too often, or a living thread kept
 *                   the lock of another directory that changes the same object
 *
 * Durability: a change is durable on return. A change is atomic for other threads and processes,
 * and in a power failure.
 *
 * An adversary (layout.h, TRUST) may have written the directory. Each function ends even then, and
 * does not access memory outside of the object.
 */
#ifndef HIER_H
#define HIER_H

#include <attr/attr.h>
#include <hier/layout.h>
#include <twz/name.h>
#include <twz/obj.h>

struct hier_name {
    const char *text;
    size_t len;
};

struct hier_found {
    objid_t id;        /* 0: the name is a symbolic link */
    uint32_t kind;     /* HIER_OBJECT ... */
    uint32_t text_len; /* of a symbolic link; else 0 */
    uint32_t attr;     /* index of its record in the volume's attribute table; 0: none */
    uint32_t pad;
    uint64_t cookie; /* identifies an entry while it exists; hier_iter finds it at this cursor */
};

/* Make an empty directory out of a blank object. `parent` is the ID of its parent; 0: the directory
 * is its own parent. `attrs` is the attribute table of its volume (attr/attr.h); 0: names in it
 * have no attributes. The function is not atomic: the caller must call it before it stores a
 * name or a pointer that leads to the object. */
TWZ_CHECKED int hier_init(const twzobj *dir, objid_t parent, objid_t attrs);

/* Make the root directory of a volume, with its attribute table, out of two blank objects. As
 * hier_init. */
TWZ_CHECKED int hier_init_volume(const twzobj *dir, const twzobj *attrs);

/* Check the header. Returns 0 if the object is a directory. -TWZ_ETYPE, -TWZ_EVERSION,
 * -TWZ_EDAMAGED. */
TWZ_CHECKED int hier_probe(const twzobj *dir);

/* Look up a name. -TWZ_ENONAME if the name does not exist. */
TWZ_CHECKED int hier_lookup(const twzobj *dir, struct hier_name name, struct hier_found *found);

/* Copy at most `size` bytes of a symbolic link's text, without a NUL. Returns the length of the
 * whole text. -TWZ_EINVAL if the name is not a symbolic link. */
TWZ_CHECKED int hier_readlink(const twzobj *dir, struct hier_name name, char *text, size_t size);

/* Get the ID of the parent. The parent of the root is the root itself. */
TWZ_CHECKED int hier_parent(const twzobj *dir, objid_t *parent);

/* Returns the number of names; 0 if the object is not a directory. */
uint32_t hier_count(const twzobj *dir);

/* Add a name for object `id`, with attributes of its own. The function does not check that the
 * object exists, and does not count its other names. -TWZ_EEXIST if the name exists. */
TWZ_CHECKED int hier_insert(const twzobj *dir, struct hier_name name, objid_t id,
                            const struct attr_values *values);

/* Add a name for the directory `id`, which must have no other name, and whose parent must be `dir`.
 * For repairs: the function checks neither. -TWZ_EEXIST if the name exists. */
TWZ_CHECKED int hier_insert_dir(const twzobj *dir, struct hier_name name, objid_t id);

/* Add another name for the object of an entry that was found in the same volume, and count it in
 * the object's record, in one atomic change. -TWZ_EEXIST if the new name exists, -TWZ_EXDEV if
 * the record is not one of this volume, -TWZ_ENOTSUP if the entry has none. */
TWZ_CHECKED int hier_link(const twzobj *dir, struct hier_name name, const struct hier_found *found);

/* Add a symbolic link. text_len must be 1 .. TWZ_PATH_MAX - 1. -TWZ_EEXIST, -TWZ_ENAMELEN. */
TWZ_CHECKED int hier_symlink(const twzobj *dir, struct hier_name name, const char *text,
                             size_t text_len);

/*
 * Create a persistent object and add a name for it, in one atomic change. hier_create calls `fill`
 * (may be NULL) before the name exists. `fill` must flush the data that it stores; hier_create then
 * fences. If `fill` returns an error, hier_create deletes the object and returns this error. If
 * `fill` ends by a fault, hier_create deletes the object, and raises the fault when the directory
 * is unlocked; a handler cannot repair it, and -TWZ_EFAULT is returned if one says so. On success
 * the caller gets the object in *obj (obj may be NULL), open with TWZ_READ | TWZ_WRITE.
 * The index of its record is stored in *attr (may be NULL).
 */
struct hier_create {
    uint32_t kind;  /* HIER_OBJECT or HIER_DIR */
    uint32_t perms; /* default permissions; 0: TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL */
    twz_fill fill;
    void *ctx;
    struct attr_values values; /* its attributes */
    uint32_t *attr;
};
TWZ_CHECKED int hier_create(const twzobj *dir, struct hier_name name,
                            const struct hier_create *create, twzobj *obj);

/* Make the name refer to object `id`, with attributes of its own. The function adds the name if it
 * does not exist. HIER_DELETE applies to the object to which the name referred before. -TWZ_EISDIR
 * if the name refers to a directory. */
TWZ_CHECKED int hier_replace(const twzobj *dir, struct hier_name name, objid_t id,
                             const struct attr_values *values, uint32_t flags);

/* Flags of remove, replace and rename. */
#define HIER_DELETE   1u /* delete the object with its last name */
#define HIER_WANT_DIR 2u /* remove: -TWZ_ENOTDIR if the name is not a directory's (rmdir) */
#define HIER_NOT_DIR  4u /* remove: -TWZ_EISDIR if the name is a directory's (unlink) */
#define HIER_EXCL     8u /* rename: -TWZ_EEXIST if the new name exists */

/* Remove the name. A directory must be empty (-TWZ_ENOTEMPTY). Even without HIER_DELETE, the
 * function deletes a directory whose parent is `dir`. An object that the caller may not delete
 * stays without a name. */
TWZ_CHECKED int hier_remove(const twzobj *dir, struct hier_name name, uint32_t flags);

/* As POSIX rename. If the new name exists, rename replaces it. Only a directory may replace a
 * directory, and the replaced directory must be empty. If both names refer to the same object, the
 * function does nothing and returns 0. HIER_DELETE applies to a replaced object. -TWZ_EINVAL if a
 * directory would move below itself, -TWZ_EXDEV if the directories are of two volumes. */
TWZ_CHECKED int hier_rename(const twzobj *from, struct hier_name name, const twzobj *to,
                            struct hier_name new_name, uint32_t flags);

/*
 * Get the first entry at or after *cursor and set *cursor to the position after this entry. Returns
 * 1 if there is such an entry, 0 at the end. The first call must pass a *cursor of 0. An iteration
 * returns each entry exactly once that exists from the first call to the last. A cursor is below
 * 2^30 and stays valid.
 */
struct hier_item {
    struct hier_found found;
    size_t len;
    char name[TWZ_NAME_MAX + 1]; /* ends with a NUL */
};
TWZ_CHECKED int hier_iter(const twzobj *dir, uint64_t *cursor, struct hier_item *item);

/* --- paths ----------------------------------------------------------------------------------- */

#define HIER_LINKS_MAX 40u

/* The result of a walk: the directory of the last component, and that component. */
struct hier_where {
    twzobj dir;        /* open READ | WRITE; must be closed by hier_where_close */
    objid_t id;        /* the object; 0: the name does not exist (kind 0), or is a symbolic link */
    uint32_t kind;     /* HIER_OBJECT ...; 0: the name does not exist in `dir` */
    uint32_t must_dir; /* 1: the path ends with '/', so the object must be a directory */
    uint32_t attr;     /* as in struct hier_found; of a directory without a name, too */
    uint32_t pad;
    objid_t attrs;   /* the attribute table of the volume; 0: none */
    uint64_t cookie; /* as in struct hier_found */
    size_t len; /* of leaf; 0: the path leads to directory `id` without a name ("/", ".", "a/..") */
    char leaf[TWZ_NAME_MAX + 1]; /* the name of the last component, with a NUL */
};

#define HIER_NOFOLLOW 1u /* do not follow a symbolic link that is the last component */

/*
 * Walk `path` from directory `root` if the path begins with '/', else from directory `cwd`. The
 * path may contain "." and ".."; the ".." of the root is the root. The last component need not
 * exist. On success the caller must call hier_where_close. -TWZ_ENONAME, -TWZ_ENOTDIR,
 * -TWZ_ENAMELEN, -TWZ_ELOOP after HIER_LINKS_MAX symbolic links.
 */
TWZ_CHECKED int hier_walk(objid_t root, objid_t cwd, const char *path, uint32_t flags,
                          struct hier_where *where);
void hier_where_close(struct hier_where *where);

/* Store the path that leads from `root` to a directory. Returns the length of the path without the
 * NUL. -TWZ_ERANGE if `size` is too small. */
TWZ_CHECKED int hier_path_of(objid_t root, objid_t dir, char *path, size_t size);

/* --- for tools ------------------------------------------------------------------------------- */

/* Check the invariants of one directory (check.c). The function takes no lock and stores nothing.
 * It calls found(ctx, problem) for each broken invariant (found may be NULL) and returns their
 * number. An unfinished change breaks no invariant. */
struct hier_problem {
    uint64_t off;
    const char *what;
};
TWZ_CHECKED int hier_check(const twzobj *dir,
                           void (*found)(void *ctx, const struct hier_problem *problem), void *ctx);

/* Call line(ctx, text) once for the header and once for each entry, with text to print. */
TWZ_CHECKED int hier_show(const twzobj *dir, void (*line)(void *ctx, const char *text), void *ctx);

#endif
