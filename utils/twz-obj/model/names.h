/* SPDX-License-Identifier: MIT */
/* The namespace as the commands want it, over objects/hier. Paths start at the root directory. */
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
};

struct name_list {
    struct name *name;
    size_t count;
};

/* -TWZ_E*; the result is to be closed with hier_where_close. A pool without a namespace is
 * -TWZ_ENONAME. */
int names_walk(const struct pool *pool, const char *path, uint32_t flags, struct hier_where *where);

/* To the name itself: a last part that is a symbolic link is never followed, not even where the
 * path ends in '/', which says that it has to be a directory (-TWZ_ENOTDIR). */
int names_walk_entry(const struct pool *pool, const char *path, struct hier_where *where);

/* What a path means, symbolic links followed: -TWZ_ENONAME where it means nothing. */
int names_find(const struct pool *pool, const char *path, objid_t *id, uint32_t *kind);

/* Is the object a directory, whatever its name says? */
bool names_is_directory(objid_t id);

/* All names of a directory, sorted by their bytes. */
int names_list(objid_t dir, struct name_list *list);
void names_list_free(struct name_list *list);

/* Text of a symbolic link in a directory, with a NUL; to be freed. NULL: none. */
char *names_link_text(objid_t dir, const char *name);

/* dir + "/" + name; to be freed, NULL without memory. */
char *names_join(const char *dir, const char *name);

/* The last part of a host path or of a path; never empty, to be freed. */
char *names_base(const char *path);

/* A set of objects; those of one pool. */
struct names_seen {
    const struct pool *pool;
    uint8_t *bits; /* one for each slot */
};
int names_seen_init(struct names_seen *seen, const struct pool *pool); /* 0 or -TWZ_ENOMEM */
void names_seen_free(struct names_seen *seen);

/* Put an object into the set: false where it was there before, or is no object. */
bool names_seen_add(struct names_seen *seen, objid_t id);

/*
 * Visit what `dir` (found at `path`) holds and all below, in order of names; `depth` counts from 0.
 * Each directory is entered once: one that is named again, as only a damaged pool can, is visited
 * with `again` and not entered. Stops at the first result that is not 0 and returns it, or -TWZ_E*:
 * -TWZ_ENAMELEN where a path is longer than TWZ_PATH_MAX.
 */
struct name_visit {
    const char *path;
    const struct name *name;
    objid_t dir; /* the directory that holds it */
    unsigned depth;
    bool last;  /* no more names follow in this directory */
    bool again; /* a directory that was entered before */
};
typedef int (*names_visitor)(void *ctx, const struct name_visit *visit);
int names_each_below(const struct pool *pool, objid_t dir, const char *path, names_visitor visitor,
                     void *ctx);

/* The same, but a directory that cannot be listed does not end it: it is told to `broken`, whose
 * result counts as the visitor's. */
typedef int (*names_broken)(void *ctx, objid_t dir, const char *path, int error);
int names_each_whole(const struct pool *pool, objid_t dir, const char *path, names_visitor visitor,
                     names_broken broken, void *ctx);

/* As mkdir -p: an existing directory is no error. *made (may be NULL): some part was made. */
int names_mkdir_parents(const struct pool *pool, const char *path, bool *made);

/*
 * A directory that has no name and that recovery sweeps, open READ | WRITE: what is made in it and
 * then renamed into directory `parent` appears there in one step, wherever the process ends.
 * names_aside_end deletes it, with what is in it.
 */
int names_aside(const struct pool *pool, objid_t parent, twzobj *dir);
int names_aside_end(twzobj *dir);

struct hier_name names_leaf(const struct hier_where *where);

#endif
