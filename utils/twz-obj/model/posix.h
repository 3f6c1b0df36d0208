/* SPDX-License-Identifier: MIT */
/* POSIX attributes of named objects: the records of the namespace's attribute table
 * (objects/attr). */
#ifndef POSIX_H
#define POSIX_H

#include <attr/attr.h>

#include "pool.h"

/* The ID of the table; 0: the pool has none. */
objid_t posix_table(const struct pool *pool);

/* The index of an object's record in use. `hint` is the index in a name of the object; 0: not
 * known, then all records are searched. 0: it has no record. */
uint32_t posix_index(const struct pool *pool, objid_t id, uint32_t hint);

/* Get the attributes of an object, as posix_index finds them. False: it has none. */
bool posix_get(const struct pool *pool, objid_t id, uint32_t hint, struct attr_values *values,
               uint64_t *names);

#endif
