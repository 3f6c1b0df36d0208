/* SPDX-License-Identifier: MIT */
/* Directories written by an enemy: what the two files of the test share. */
#ifndef LIBTWZ_TEST_HIER_HOSTILE_H
#define LIBTWZ_TEST_HIER_HOSTILE_H

#include <string.h>

#include <hier/hier.h>

#include "host.h"

/* `shared`, `d` in it and what is in them are the enemy's. */
struct hostile_world {
    twzobj root;
    twzobj shared;
    twzobj d;
    twzobj mine;      /* the visitor's */
    twzobj other;     /* a third one's */
    objid_t file;     /* in mine */
    objid_t precious; /* in other, an object */
    objid_t empty;    /* in other, a directory */
};
extern struct hostile_world hostile;

/* A state that was met: made in the world as it is at first. */
struct hostile_case {
    const char *name;
    void (*spoil)(void);
    int (*good)(void); /* holds after the first operation; may be NULL */
};
extern const struct hostile_case hostile_cases[];
extern const size_t hostile_case_count;

/* Names until the table is a larger one, which is tried as any operation. */
void hostile_insert_many(const twzobj *dir);

static inline struct hier_name n(const char *text)
{
    return (struct hier_name){ text, strlen(text) };
}

static inline struct hier_dir *header(const twzobj *obj)
{
    return twz_object_base(obj);
}

/* The first slot of the first table that is in use. */
static inline uint64_t slot_of(const twzobj *dir, uint64_t *value)
{
    uint64_t *slot = (uint64_t *)(void *)(dir->start + HIER_START + HIER_CELL);

    for (uint32_t i = 1; i < HIER_BUCKETS_MIN && *slot <= HIER_TOMB; i++)
        slot++;
    *value = *slot;
    return (uint64_t)((uint8_t *)slot - dir->start);
}

#endif
