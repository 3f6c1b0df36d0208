/* SPDX-License-Identifier: MIT */
/* check: each object by itself. */
#ifndef CHECK_OBJECTS_H
#define CHECK_OBJECTS_H

#include "pool.h"

/* Print each problem of the metadata pages, of the objects that continue a file, of sealed objects
 * and of structured ones, and add their number. store_check reports damaged entries. TOOL_OK, or an
 * exit code after a message. */
int check_objects(struct pool *pool, uint64_t *problems);

#endif
