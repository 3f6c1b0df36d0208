/* SPDX-License-Identifier: MIT */
/* All IDs of the pool in order, for prefixes and for the shortest form that is unique. */
#ifndef IDS_H
#define IDS_H

#include <stddef.h>

#include "pool.h"

/* Digits of an ID's beginning: "4f3a", also with a colon after the 16th. 0 where `text` is no such
 * thing, else their number (4 .. 32), and the digits in hex[33]. */
int ids_prefix(const char *text, char hex[33]);

/* The live objects whose ID begins with these digits: their number, at most `max` stored, in order
 * of IDs; or -TWZ_ENOMEM. */
int64_t ids_find(struct pool *pool, const char *hex, int digits, objid_t *found, size_t max);

/* How many digits of this ID to show: on a terminal as many as make it unique (at least 4), else
 * 32. */
int ids_shown(struct pool *pool, objid_t id);

/* Objects of the pool that are there for the user: neither dead nor provisional-and-lost. Slots in
 * `for (slot = 0; ids_next(pool, &slot); slot++)`. */
bool ids_next(const struct pool *pool, uint32_t *row);

#endif
