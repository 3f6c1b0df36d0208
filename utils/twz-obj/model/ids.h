/* SPDX-License-Identifier: MIT */
/* The IDs of the pool's objects: look-up by prefix, and the shortest form that is unique. */
#ifndef IDS_H
#define IDS_H

#include <stddef.h>

#include "pool.h"

/* Parse the first digits of an ID ("4f3a", also with a colon after the 16th). Returns their number,
 * 4 .. 32, and the digits in hex; 0: `text` is not the beginning of an ID. */
int ids_prefix(const char *text, char hex[33]);

/* Find the objects whose ID begins with these digits. Returns their number, or -TWZ_ENOMEM; stores
 * at most `max` of them, in order of IDs. */
int64_t ids_find(struct pool *pool, const char *hex, int digits, objid_t *found, size_t max);

/* The number of digits to print of this ID: 32, or on a terminal as many as make it unique, at
 * least 4. */
int ids_shown(struct pool *pool, objid_t id);

/* The objects of the pool, without deleted ones and without provisional ones that recovery deletes:
 * `for (row = 0; ids_next(pool, &row); row++)`. */
bool ids_next(const struct pool *pool, uint32_t *row);

#endif
