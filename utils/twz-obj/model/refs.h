/* SPDX-License-Identifier: MIT */
/*
 * References between objects. A reference is a name in a directory, an entry of a foreign object
 * table (by ID or by name), a tie, the kuid of an object, or a root in the superblock. A damaged
 * object may point to any object. It is reported as a gap, and a caller must not take an object for
 * unreferenced where there are gaps.
 */
#ifndef REFS_H
#define REFS_H

#include "pool.h"

enum ref_kind { REF_NAME, REF_FOT, REF_TIE, REF_OWNER, REF_ROOT, REF_GAP };

struct ref {
    enum ref_kind kind;
    objid_t from;     /* 0: the superblock */
    objid_t to;       /* 0: REF_GAP, not known; REF_FOT by name, the name does not resolve */
    const char *path; /* REF_NAME: the path; REF_ROOT: which root; REF_FOT by name: the name;
                       * REF_GAP: the path of a directory, else NULL */
    bool by_name;     /* REF_FOT: `path` is NULL if the entry does not locate a name */
    uint32_t index;   /* REF_FOT */
    uint32_t rights;  /* REF_FOT: the rights that the entry asks for */
    int error;        /* REF_GAP: -TWZ_E*, why references of `from` cannot be read */
};

/* The constant name of a kind. */
const char *ref_kind_text(enum ref_kind kind);

/* A walk stops at the first result that is not 0 and returns it, or -TWZ_E*. */
typedef int (*refs_visitor)(void *ctx, const struct ref *ref);

/* Visit every reference of the pool, and a gap for each object whose references cannot be read. */
int refs_each(struct pool *pool, refs_visitor visitor, void *ctx);

/* Does something point to the object? A name counts only if `names`. True also if that is not
 * known, for damage or lack of memory. */
bool refs_pointed(struct pool *pool, objid_t id, bool names);

/* Print a warning about a gap. */
void refs_warn_gap(const struct ref *ref);

/* Visit the references of one object: its FOT, and its names if it is a directory. */
int refs_from(struct pool *pool, uint32_t row, refs_visitor visitor, void *ctx);

#endif
