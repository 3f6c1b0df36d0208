/* SPDX-License-Identifier: MIT */
/* Directories written by an adversary: declarations shared by the two files of the test. */
#ifndef LIBTWZ_TEST_HIER_HOSTILE_H
#define LIBTWZ_TEST_HIER_HOSTILE_H

#include <string.h>

#include <hier/hier.h>

#include "host.h"

/* The adversary may write `shared`, `d` in it, and the objects in both. */
struct hostile_world {
    twzobj root;
    twzobj attrs; /* the attribute table; the adversary may write it, too */
    twzobj shared;
    twzobj d;
    twzobj mine;      /* of the accessor */
    twzobj other;     /* of a third party */
    objid_t file;     /* in mine */
    objid_t precious; /* in other, an object */
    objid_t empty;    /* in other, a directory */
};
extern struct hostile_world hostile;

/* A case found earlier. `spoil` makes it in a new world. */
struct hostile_case {
    const char *name;
    void (*spoil)(void);
    int (*good)(void); /* must return 1 after the first operation; may be NULL */
};
extern const struct hostile_case hostile_cases[];
extern const size_t hostile_case_count;

/* Insert names until the directory has a larger table. */
void hostile_insert_many(const twzobj *dir);

static inline struct hier_name n(const char *text)
{
    return (struct hier_name){ text, strlen(text) };
}

static inline struct hier_dir *header(const twzobj *obj)
{
    return twz_object_base(obj);
}

/* The offset of the first bucket in use of the first table. */
static inline uint64_t bucket_of(const twzobj *dir, uint64_t *value)
{
    uint64_t *bucket = (uint64_t *)(void *)(dir->start + HIER_START + HIER_CELL);

    for (uint32_t i = 1; i < HIER_BUCKETS_MIN && *bucket <= HIER_TOMB; i++)
        bucket++;
    *value = *bucket;
    return (uint64_t)((uint8_t *)bucket - dir->start);
}

#endif
