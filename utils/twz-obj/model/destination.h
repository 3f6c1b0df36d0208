/* SPDX-License-Identifier: MIT */
/* The destination of put and cp: a new, filled object gets a name in one step. */
#ifndef DESTINATION_H
#define DESTINATION_H

#include <stdbool.h>

#include "posix.h"

struct object_spec {
    uint32_t perms;
    const char *leaf; /* the name to use if the path is a directory */
    /* Fills the provisional object. 0, -TWZ_E*, or 1 after a message. */
    int (*fill)(void *ctx, struct pool *pool, uint32_t row);
    void *ctx;
    struct attr_values values; /* of its name */
    /* Makes a whole object in place of `fill` and `perms`. 0; 1 if there was one already; -TWZ_E*.
     * May be NULL. */
    int (*make)(void *ctx, struct pool *pool, objid_t *id);
    bool fresh; /* refuse a name that exists */
};

/*
 * Make an object, fill it, and name it `path`; NULL: the object gets no name. If the name exists,
 * it then means the new object. The old object is deleted if that was its last name, unless another
 * object points to it. Wherever the process ends, the name means the whole old object or the whole
 * new one. TOOL_OK, or an exit code after a message.
 */
int destination_create(struct pool *pool, const char *path, const struct object_spec *spec,
                       objid_t *id);

/* The object that destination_create would replace, and the index of its record (0: none).
 * -TWZ_ENONAME: there is none. */
int destination_find(struct pool *pool, const char *path, const char *leaf, objid_t *id,
                     uint32_t *attr);

#endif
