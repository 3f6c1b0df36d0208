/* SPDX-License-Identifier: MIT */
/*
 * hier: directories. The layout, the locks and the crash protocol are in layout.h.
 *
 * A directory is an open object, READ | WRITE. READ is enough for functions that do not change it.
 * A name is 1 .. 255 bytes, without '/' and NUL. "." and ".." are not entries; the functions for
 * paths understand them.
 *
 * Locks: a function must be called without a lock of this directory. Blocking: functions that
 * change a directory wait for its lock, readers only if changes disturb them. Any thread may call
 * them.
 *
 * Errors, besides those of twz/name.h:
 *   -TWZ_ETYPE      not a directory object
 *   -TWZ_EVERSION   another version of the layout
 *   -TWZ_EDAMAGED   its structure is broken
 *   -TWZ_EDELETED   it was removed while it was open
 *   -TWZ_EINVAL     invalid name or argument
 *   -TWZ_EBUSY      a living thread has held a lock for half a minute, or the directory stayed
 *                   unfinished
 *   -TWZ_EAGAIN     each of many retries found another change to finish first
 *
 * Durability: a change is durable on return. It is atomic against other threads and processes and
 * against power failure.
 *
 * An adversary may have written the directory. A function ends nevertheless, and stays inside the
 * object (layout.h, TRUST).
 */
#ifndef HIER_H
#define HIER_H

#include <hier/layout.h>
#include <twz/name.h>
#include <twz/obj.h>

struct hier_name {
    const char *text;
    size_t len;
};

struct hier_found {
    objid_t id;    /* 0: symlink */
    uint32_t kind; /* HIER_OBJECT ... */
    uint32_t text_len;
    uint64_t cookie; /* names the entry while it exists; the cursor that finds it again */
};

/* Make an empty directory of a blank object. Its parent is `parent`; 0: itself. The directory is
 * not reachable yet, so this is atomic only together with the store that publishes it. */
TWZ_CHECKED int hier_init(const twzobj *dir, objid_t parent);

/* 0 if the object is a directory. -TWZ_ETYPE, -TWZ_EVERSION, -TWZ_EDAMAGED. */
TWZ_CHECKED int hier_probe(const twzobj *dir);

/* -TWZ_ENONAME. */
TWZ_CHECKED int hier_lookup(const twzobj *dir, struct hier_name name, struct hier_found *found);

/* The length of a symbolic link's text; at most `size` bytes are copied, without a NUL. -TWZ_EINVAL
 * if the name is not a symbolic link. */
TWZ_CHECKED int hier_readlink(const twzobj *dir, struct hier_name name, char *text, size_t size);

/* The root is its own parent. */
TWZ_CHECKED int hier_parent(const twzobj *dir, objid_t *parent);

/* The number of names; 0 if it is not a directory. */
uint32_t hier_count(const twzobj *dir);

/* Name an object that exists; its link count does not change. -TWZ_EEXIST. */
TWZ_CHECKED int hier_insert(const twzobj *dir, struct hier_name name, objid_t id);

/* Give an object that has a name another one, and raise meta.links in the same step. -TWZ_EEXIST.
 * */
TWZ_CHECKED int hier_link(const twzobj *dir, struct hier_name name, objid_t id);

/* text_len: 1 .. TWZ_PATH_MAX - 1. -TWZ_EEXIST, -TWZ_ENAMELEN. */
TWZ_CHECKED int hier_symlink(const twzobj *dir, struct hier_name name, const char *text,
                             size_t text_len);

/*
 * Create a persistent object and name it, in one step. `fill` (may be NULL) stores the data that
 * must exist before the name does; it must flush them, and a fence follows. An error of fill is the
 * result, and the object is deleted. `obj` (may be NULL) is open READ | WRITE on success.
 */
struct hier_create {
    uint32_t kind;  /* HIER_OBJECT or HIER_DIR */
    uint32_t perms; /* default permissions; 0: READ | WRITE | USE | DEL */
    twz_fill fill;
    void *ctx;
};
TWZ_CHECKED int hier_create(const twzobj *dir, struct hier_name name,
                            const struct hier_create *create, twzobj *obj);

/* Point the name at `id`, whether or not it exists. Its old object is deleted with HIER_DELETE
 * only. -TWZ_EISDIR if the name means a directory. */
TWZ_CHECKED int hier_replace(const twzobj *dir, struct hier_name name, objid_t id, uint32_t flags);

/* Flags of remove, replace and rename. */
#define HIER_DELETE   1u /* as POSIX: an object that loses its last name is deleted */
#define HIER_WANT_DIR 2u /* remove: -TWZ_ENOTDIR unless it is a directory (rmdir) */
#define HIER_NOT_DIR  4u /* remove: -TWZ_EISDIR if it is one (unlink) */
#define HIER_EXCL     8u /* rename: -TWZ_EEXIST instead of replacing */

/* Remove the name. A directory must be empty (-TWZ_ENOTEMPTY) and is always deleted. */
TWZ_CHECKED int hier_remove(const twzobj *dir, struct hier_name name, uint32_t flags);

/* As POSIX rename. An object at the new name is replaced: a directory by a directory only, and only
 * if it is empty. If both names mean one object, nothing happens. -TWZ_EINVAL if a directory would
 * move below itself. */
TWZ_CHECKED int hier_rename(const twzobj *from, struct hier_name name, const twzobj *to,
                            struct hier_name new_name, uint32_t flags);

/*
 * 1 and the first entry at or after *cursor, which moves behind it; 0 at the end. Start with 0. An
 * entry that exists throughout comes exactly once, whatever changes meanwhile. Cursors are below
 * 2^30 and stay valid.
 */
struct hier_item {
    struct hier_found found;
    size_t len;
    char name[TWZ_NAME_MAX + 1]; /* with a NUL */
};
TWZ_CHECKED int hier_iter(const twzobj *dir, uint64_t *cursor, struct hier_item *item);

/* --- paths ----------------------------------------------------------------------------------- */

#define HIER_LINKS_MAX 40u

/* The result of a walk: the directory of the last component, and that component. */
struct hier_where {
    twzobj dir;        /* open READ | WRITE; must be closed by hier_where_close */
    objid_t id;        /* the object; 0 with kind 0: the name does not exist; 0: a symlink */
    uint32_t kind;     /* HIER_OBJECT ...; 0: the directory exists, the name does not */
    uint32_t must_dir; /* the path ended in '/': it must be a directory */
    uint64_t cookie;
    size_t len; /* of leaf; 0: the path is the directory `id` itself ("/", ".", "a/..") */
    char leaf[TWZ_NAME_MAX + 1];
};

#define HIER_NOFOLLOW 1u /* a symbolic link as the last component is not followed */

/*
 * Walk `path`, from directory `root` if it begins with '/', else from directory `cwd`. "." and ".."
 * are understood; ".." of the root is the root. A last component that does not exist is not an
 * error. -TWZ_ENONAME, -TWZ_ENOTDIR, -TWZ_ELOOP after HIER_LINKS_MAX symbolic links, -TWZ_ENAMELEN.
 */
TWZ_CHECKED int hier_walk(objid_t root, objid_t cwd, const char *path, uint32_t flags,
                          struct hier_where *where);
void hier_where_close(struct hier_where *where);

/* The path of a directory from `root`: its length without the NUL. -TWZ_ERANGE if `size` is too
 * small. */
TWZ_CHECKED int hier_path_of(objid_t root, objid_t dir, char *path, size_t size);

/* --- for tools ------------------------------------------------------------------------------- */

/* Check the invariants of one directory (check.c) without a lock or a change. found(ctx, problem)
 * is called for each that is broken; the result is their number. An unfinished change breaks none.
 * */
struct hier_problem {
    uint64_t off;
    const char *what;
};
TWZ_CHECKED int hier_check(const twzobj *dir,
                           void (*found)(void *ctx, const struct hier_problem *problem), void *ctx);

/* Print the header and all entries: line(ctx, text) is called for each line. */
TWZ_CHECKED int hier_show(const twzobj *dir, void (*line)(void *ctx, const char *text), void *ctx);

#endif
