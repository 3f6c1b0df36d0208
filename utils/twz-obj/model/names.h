/* SPDX-License-Identifier: MIT */
/* The namespace for the commands, over objects/hier. Paths start at the root directory. Functions
 * return 0 or -TWZ_E* unless they say otherwise. */
#ifndef NAMES_H
#define NAMES_H

#include <hier/hier.h>
#include <stdbool.h>
#include <stddef.h>

#include "pool.h"

struct name {
    char *text;
    objid_t id;    /* 0: a symbolic link */
    uint32_t kind; /* HIER_* */
    uint32_t attr; /* index of its record; 0: none */
};

struct name_list {
    struct name *name;
    size_t count;
};

/* Walk a path. The caller must close the result with hier_where_close. -TWZ_ENONAME also if the
 * pool has no namespace. */
int names_walk(const struct pool *pool, const char *path, uint32_t flags, struct hier_where *where);

/* Walk to the last name itself: a symbolic link there is never followed, even if the path ends in
 * '/'. Such a path must lead to a directory, else -TWZ_ENOTDIR. */
int names_walk_entry(const struct pool *pool, const char *path, struct hier_where *where);

/* Resolve a path, following symbolic links; -TWZ_ENONAME: there is no such object. */
int names_find(const struct pool *pool, const char *path, objid_t *id, uint32_t *kind);

/* Is the object itself a directory? The kind in its directory entry is not read. */
bool names_is_directory(objid_t id);

/* All names of a directory, sorted by their bytes. */
int names_list(objid_t dir, struct name_list *list);
void names_list_free(struct name_list *list);

/* The following three return memory that the caller frees, or NULL. */

/* The text of a symbolic link in a directory. */
char *names_link_text(objid_t dir, const char *name);

/* dir + "/" + name. */
char *names_join(const char *dir, const char *name);

/* The last name of a path in the pool or on the host; never empty. */
char *names_base(const char *path);

/* A set of objects of one pool. */
struct names_seen {
    const struct pool *pool;
    uint8_t *bits; /* one for each row */
};
int names_seen_init(struct names_seen *seen, const struct pool *pool); /* 0 or -TWZ_ENOMEM */
void names_seen_free(struct names_seen *seen);

/* Add an object to the set. False: it was in the set already, or there is no such object. */
bool names_seen_add(struct names_seen *seen, objid_t id);

/*
 * Visit all names in `dir` (found at `path`) and below, in order of names; `depth` counts from 0.
 * Each directory is entered once. A second name of a directory, which only a damaged pool has, is
 * visited with `again` and not entered. Stops at the first result that is not 0 and returns it, or
 * -TWZ_E*: -TWZ_ENAMELEN if a path is longer than TWZ_PATH_MAX.
 */
struct name_visit {
    const char *path;
    const struct name *name;
    objid_t dir; /* the directory that holds the name */
    unsigned depth;
    bool last;  /* the last name of its directory */
    bool again; /* a directory that was entered before */
};
typedef int (*names_visitor)(void *ctx, const struct name_visit *visit);
int names_each_below(const struct pool *pool, objid_t dir, const char *path, names_visitor visitor,
                     void *ctx);

/* The same, but a directory that cannot be listed does not end the walk: `broken` is called for
 * it, and its result counts as a visitor's. */
typedef int (*names_broken)(void *ctx, objid_t dir, const char *path, int error);
int names_each_whole(const struct pool *pool, objid_t dir, const char *path, names_visitor visitor,
                     names_broken broken, void *ctx);

/* Make a directory with these default permissions (0: hier's own), unless it exists. */
int names_mkdir(const struct pool *pool, const char *path, uint32_t perms);

/* Make a directory and its missing parents, as mkdir -p. *made (may be NULL) becomes true if one
 * was made. */
int names_mkdir_parents(const struct pool *pool, const char *path, bool *made);

/*
 * Make a scratch directory: open READ | WRITE, without a name, deleted by the next recovery. A name
 * that is made in it and then renamed into directory `parent` appears there in one step, wherever
 * the process ends. names_scratch_delete deletes the directory with its contents.
 */
int names_scratch(const struct pool *pool, objid_t parent, twzobj *dir);
int names_scratch_delete(twzobj *dir);

/* The last name of a walk. */
struct hier_name names_leaf(const struct hier_where *where);

#endif
