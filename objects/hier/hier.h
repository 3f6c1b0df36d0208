/* SPDX-License-Identifier: MIT */
/*
 * hier: directories. Layout, locks and crash protocol are in layout.h.
 *
 * A directory is an open object (READ | WRITE; READ is enough for what does not change it). Names
 * are bytes with a length, 1 .. 255, any but '/' and NUL; "." and ".." are not entries and belong
 * to the walk (path functions below). Every change is atomic, against other threads and processes
 * and against power failure, and durable on return.
 *
 * Errors, besides those of twz/name.h: -TWZ_ETYPE not a directory object, -TWZ_EDAMAGED its
 * structure is broken, -TWZ_EDELETED it was removed while open, -TWZ_EINVAL bad name or arguments.
 * -TWZ_EBUSY a living thread has kept a lock for half a minute (others may write a directory), or
 * -TWZ_EAGAIN there was always something else to be finished first.
 *
 * Whatever a directory holds, an operation ends and stays within it (layout.h, TRUST).
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
    uint64_t cookie; /* names the entry as long as it is there; the cursor that finds it again */
};

/* Make an empty directory of a blank object; its parent is `parent`, or itself where that is 0. Not
 * reachable yet, so this is atomic only together with what publishes it. */
TWZ_CHECKED int hier_init(const twzobj *dir, objid_t parent);

/* 0 if the object is a directory: -TWZ_ETYPE, -TWZ_EVERSION, -TWZ_EDAMAGED. */
TWZ_CHECKED int hier_probe(const twzobj *dir);

TWZ_CHECKED int hier_lookup(const twzobj *dir, struct hier_name name, struct hier_found *found);

/* Text of a symlink: its length; at most `size` bytes are copied, no NUL. -TWZ_EINVAL: is none. */
TWZ_CHECKED int hier_readlink(const twzobj *dir, struct hier_name name, char *text, size_t size);

TWZ_CHECKED int hier_parent(const twzobj *dir, objid_t *parent);

/* Names in it. */
uint32_t hier_count(const twzobj *dir);

/* A name for an object that exists. -TWZ_EEXIST. */
TWZ_CHECKED int hier_insert(const twzobj *dir, struct hier_name name, objid_t id);

/* A further name for an object that has one: meta.links is raised with it. -TWZ_EEXIST. */
TWZ_CHECKED int hier_link(const twzobj *dir, struct hier_name name, objid_t id);

TWZ_CHECKED int hier_symlink(const twzobj *dir, struct hier_name name, const char *text,
                             size_t text_len);

/*
 * Create a persistent object and name it, in one step. kind: HIER_OBJECT or HIER_DIR. `fill` (may
 * be NULL) writes what has to be there before anybody sees it, and flushes it: a fence follows
 * before the name is there. An error of its is the result and nothing remains. `obj` (may be NULL)
 * is open READ | WRITE.
 */
struct hier_create {
    uint32_t kind;
    uint32_t perms; /* default permissions; 0: READ | WRITE | USE | DEL */
    twz_fill fill;
    void *ctx;
};
TWZ_CHECKED int hier_create(const twzobj *dir, struct hier_name name,
                            const struct hier_create *create, twzobj *obj);

/* Let the name mean `id`, whether or not it was there. What it meant lives on, unless
 * HIER_DELETE. -TWZ_EISDIR where it means a directory. */
TWZ_CHECKED int hier_replace(const twzobj *dir, struct hier_name name, objid_t id, uint32_t flags);

/* Flags of remove, replace and rename. */
#define HIER_DELETE   1u /* as POSIX: an object that loses its last name is deleted */
#define HIER_WANT_DIR 2u /* remove: -TWZ_ENOTDIR unless it is a directory (rmdir) */
#define HIER_NOT_DIR  4u /* remove: -TWZ_EISDIR if it is one (unlink) */
#define HIER_EXCL     8u /* rename: -TWZ_EEXIST rather than replace */

/* Take the name away. A directory has to be empty (-TWZ_ENOTEMPTY) and is deleted always. */
TWZ_CHECKED int hier_remove(const twzobj *dir, struct hier_name name, uint32_t flags);

/* As POSIX rename: replaces what stood at the new name (a directory only by a directory, and only
 * an empty one). Two names of one object: nothing happens. -TWZ_EINVAL into its own inside. */
TWZ_CHECKED int hier_rename(const twzobj *from, struct hier_name name, const twzobj *to,
                            struct hier_name new_name, uint32_t flags);

/*
 * The next entry at or after *cursor (0 starts), and the cursor for the one after. What is there
 * throughout comes exactly once, whatever changes meanwhile. Cursors are below 2^30 and stay good.
 * 1, or 0 at the end.
 */
struct hier_item {
    struct hier_found found;
    size_t len;
    char name[TWZ_NAME_MAX + 1]; /* with a NUL */
};
TWZ_CHECKED int hier_iter(const twzobj *dir, uint64_t *cursor, struct hier_item *item);

/* --- paths ----------------------------------------------------------------------------------- */

#define HIER_LINKS_MAX 40u

/* Where a path leads: the directory of its last part, and that part. */
struct hier_where {
    twzobj dir;        /* open READ | WRITE (READ where no more is allowed): hier_where_close */
    objid_t id;        /* what is there; 0 with kind 0: nothing, or a symlink not followed */
    uint32_t kind;     /* 0: the name is not there, its directory is */
    uint32_t must_dir; /* the path ended in '/': it has to be a directory */
    uint64_t cookie;
    size_t len; /* of leaf; 0: the path is the directory `id` itself ("/", ".", "a/..") */
    char leaf[TWZ_NAME_MAX + 1];
};

#define HIER_NOFOLLOW 1u /* the last part is not followed where it is a symlink */

/*
 * Walk `path`, from the root directory `root` where it starts with '/', else from directory `cwd`.
 * "." and ".." are understood, ".." of the root being the root. An absent last part is no error.
 */
TWZ_CHECKED int hier_walk(objid_t root, objid_t cwd, const char *path, uint32_t flags,
                          struct hier_where *where);
void hier_where_close(struct hier_where *where);

/* Path of a directory from `root`: its length, without the NUL; -TWZ_ERANGE. */
TWZ_CHECKED int hier_path_of(objid_t root, objid_t dir, char *path, size_t size);

/* --- for tools ------------------------------------------------------------------------------- */

/* The invariants of one directory, nothing changed. `found` is told of each break; the result is
 * their number. An interrupted change is none. */
struct hier_problem {
    uint64_t off;
    const char *what;
};
TWZ_CHECKED int hier_check(const twzobj *dir,
                           void (*found)(void *ctx, const struct hier_problem *problem), void *ctx);

/* Header and entries as text, a line each call. */
TWZ_CHECKED int hier_show(const twzobj *dir, void (*line)(void *ctx, const char *text), void *ctx);

#endif
