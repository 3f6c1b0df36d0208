/* SPDX-License-Identifier: MIT */
/*
 * The object ID: its type, its text, and the operations that kernel, store, libraries and tools
 * share. This is the only header of the ABI with functions (doc/decisions/015-objid-functions.md).
 */
#ifndef TWZ_OBJID_H
#define TWZ_OBJID_H

#include <stdbool.h>
#include <stdint.h>

/* 128-bit object ID: BLAKE2b-128 over nonce, default permissions and kuid (twz/object.h). */
typedef struct objid {
    uint64_t lo;
    uint64_t hi;
} objid_t;
_Static_assert(sizeof(objid_t) == 16, "objid size");

/* printf helpers: printf("id " IDFMT "\n", IDPR(id)). 32 hex digits with a colon between. */
#define IDFMT    "%016llx:%016llx"
#define IDPR(id) (unsigned long long)(id).hi, (unsigned long long)(id).lo

#define TWZ_OBJID_NONE ((objid_t){ 0, 0 })

static inline bool objid_equal(objid_t a, objid_t b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static inline bool objid_is_none(objid_t id)
{
    return (id.lo | id.hi) == 0;
}

/* The order of the texts: below 0, 0 or above 0 as a is before, equal to or after b. */
static inline int objid_compare(objid_t a, objid_t b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return a.lo == b.lo ? 0 : a.lo < b.lo ? -1 : 1;
}

/* For hash tables in memory. An ID is a hash already; it is mixed once more because the author of a
 * sealed object's content can choose its ID. */
static inline uint32_t objid_hash(objid_t id)
{
    return (uint32_t)((id.lo ^ (id.hi << 32 | id.hi >> 32)) * 0x9e3779b97f4a7c15ull >> 32);
}

#endif
