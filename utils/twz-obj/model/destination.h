/* SPDX-License-Identifier: MIT */
/* Putting a new, filled object where a path says, in one step. */
#ifndef DESTINATION_H
#define DESTINATION_H

#include "pool.h"

struct place {
    uint32_t perms;
    const char *leaf; /* name to take where the path is a directory */
    /* Fills the object, which nobody else sees yet; 0, -TWZ_E*, or 1 for an error already told. */
    int (*fill)(void *ctx, struct pool *pool, uint32_t row);
    void *ctx;
};

/*
 * Make an object, fill it, and let `path` mean it (NULL: nothing does). The name is new, or means
 * the new object instead of the old one, which is deleted with its last name unless another object
 * points to it. Wherever the process ends, the name means all of the old or all of the new.
 * TOOL_OK, or an exit code after a message.
 */
int destination_create(struct pool *pool, const char *path, const struct place *place, objid_t *id);

/* The object that place_object would replace: 0, or -TWZ_ENONAME where there is none. */
int destination_find(struct pool *pool, const char *path, const char *leaf, objid_t *id);

#endif
