/* SPDX-License-Identifier: MIT */
/*
 * A volatile array in parts, because the tables of a large pool are larger than any one block of
 * memory. The caller allocates the parts (env.c), all at once or as the array grows. An item must
 * not lie in two parts: its size divides PARTS_BYTES. Pure.
 */
#ifndef STORE_PARTS_H
#define STORE_PARTS_H

#include <stddef.h>
#include <stdint.h>

#define PARTS_SHIFT 16
#define PARTS_BYTES ((size_t)1 << PARTS_SHIFT) /* of each part, except a shorter last one */

struct parts {
    uint8_t **part; /* NULL: not allocated */
    size_t bytes;   /* of all parts */
};

static inline size_t parts_count(const struct parts *parts)
{
    return (parts->bytes + PARTS_BYTES - 1) >> PARTS_SHIFT;
}

/* Address of the byte at an offset, whose part must be allocated. */
static inline void *parts_at(const struct parts *parts, size_t offset)
{
    return parts->part[offset >> PARTS_SHIFT] + (offset & (PARTS_BYTES - 1));
}

#endif
