/* SPDX-License-Identifier: MIT */
/*
 * What points to what. A reference is a name in a directory, an entry of a foreign object table, a
 * tie, a symbolic pointer by name, or a root in the superblock.
 */
#ifndef REFS_H
#define REFS_H

#include "pool.h"

enum ref_kind { REF_NAME, REF_FOT, REF_TIE, REF_ROOT };

struct ref {
    enum ref_kind kind;
    objid_t from; /* 0: the superblock */
    objid_t to;
    const char *path; /* REF_NAME: the path; REF_ROOT: which root; a FOT entry by name: the name */
    uint32_t index;   /* REF_FOT */
    uint32_t rights;  /* REF_FOT: asked for */
};

/* The constant name of a kind. */
const char *ref_kind_text(enum ref_kind kind);

/* Stops at the first result that is not 0 and returns it. */
typedef int (*refs_visitor)(void *ctx, const struct ref *ref);

/* Every reference of the pool. Objects that are damaged are left out. */
int refs_each(struct pool *pool, refs_visitor visitor, void *ctx);

/* 1 where something points to the object (a name counts only if asked for), 0, or -TWZ_E*. */
int refs_pointed(struct pool *pool, objid_t id, bool names);

/* Those of one object: its FOT, what it is tied to, and its names if it is a directory. */
int refs_from(struct pool *pool, uint32_t slot, refs_visitor visitor, void *ctx);

#endif
