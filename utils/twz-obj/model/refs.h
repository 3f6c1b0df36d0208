/* SPDX-License-Identifier: MIT */
/*
 * What points to what. A reference is a name in a directory, an entry of a foreign object table, a
 * tie, a symbolic pointer by name, or a root in the superblock. What is damaged may point anywhere:
 * that is told as a gap, and nothing may be deleted on the suspicion that nothing points to it.
 */
#ifndef REFS_H
#define REFS_H

#include "pool.h"

enum ref_kind { REF_NAME, REF_FOT, REF_TIE, REF_ROOT, REF_GAP };

struct ref {
    enum ref_kind kind;
    objid_t from;     /* 0: the superblock */
    objid_t to;       /* REF_GAP: 0, not to be known */
    const char *path; /* REF_NAME: the path; REF_ROOT: which root; a FOT entry by name: the name;
                       * REF_GAP: of a directory the path, else NULL */
    uint32_t index;   /* REF_FOT */
    uint32_t rights;  /* REF_FOT: asked for */
    int error;        /* REF_GAP: -TWZ_E*, why (all) references of `from` cannot be read */
};

/* The constant name of a kind. */
const char *ref_kind_text(enum ref_kind kind);

/* Stops at the first result that is not 0 and returns it. */
typedef int (*refs_visitor)(void *ctx, const struct ref *ref);

/* Every reference of the pool, and where some could not be read, a gap. */
int refs_each(struct pool *pool, refs_visitor visitor, void *ctx);

/* Does something point to the object (a name counts only if asked for)? True also where that cannot
 * be known, for damage or want of memory. */
bool refs_pointed(struct pool *pool, objid_t id, bool names);

/* A line for people about a gap. */
void refs_warn_gap(const struct ref *ref);

/* Those of one object: its FOT, what it is tied to, and its names if it is a directory. */
int refs_from(struct pool *pool, uint32_t row, refs_visitor visitor, void *ctx);

#endif
