/* SPDX-License-Identifier: MIT */
/*
 * Security contexts (security/sctx.h) in the pool. Functions return 0 or -TWZ_E* unless they say
 * otherwise.
 */
#ifndef CONTEXTS_H
#define CONTEXTS_H

#include <sctx.h>

#include "pool.h"

struct context_spec {
    uint32_t perms;        /* default permissions of the context object */
    objid_t kuid;          /* its owner; 0: none */
    uint32_t default_mask; /* of struct sec_context */
    uint32_t global_mask;
};

/* Make a context with an empty table and name it `path`, which must not exist; NULL: without a
 * name. TOOL_OK, or an exit code after a message. */
int context_create(struct pool *pool, const char *path, const struct context_spec *spec,
                   objid_t *id);

/* Read the masks. -TWZ_ETYPE: the object is no context; -TWZ_EDAMAGED, with the problem as constant
 * text in *problem, which is NULL otherwise. */
int context_read(const struct pool *pool, uint32_t row, struct sec_context *head,
                 const char **problem);

/* Put a capability into a context. -TWZ_EEXIST: it has exactly this one already; -TWZ_EFULL: no
 * place for it; -TWZ_EDAMAGED: its bucket is not valid. */
int context_insert(struct pool *pool, uint32_t row, objid_t id, const struct sec_cap *cap);

/* Visit the buckets that are not absent, in order. Stops at the first result that is not 0 and
 * returns it, or -TWZ_E*. */
typedef int (*context_visitor)(void *ctx, uint32_t number, const struct sec_bucket *bucket);
int context_each(const struct pool *pool, uint32_t row, context_visitor visitor, void *ctx);

#endif
