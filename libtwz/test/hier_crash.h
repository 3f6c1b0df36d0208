/* SPDX-License-Identifier: MIT */
/*
 * Directories and the typed layer under power failure: declarations shared by the three files of
 * the test. hier_ops.c has the operations, hier_crash.c checks images, hier_mutants.c tests the
 * harness.
 */
#ifndef LIBTWZ_TEST_HIER_CRASH_H
#define LIBTWZ_TEST_HIER_CRASH_H

#include <string.h>

#include <hier/hier.h>

#include "host.h"

#define STATE 8192u /* longest state as text */

/* --- hier_ops.c ------------------------------------------------------------------------------- */

/* Follow-ups: the first operation after a crash. The interrupted change must not spoil it. */
#define FOLLOW_LINKS 1u  /* remove a name of an object that may be losing another one */
#define FOLLOW_TREE  2u  /* move a directory so that a cycle could close */
#define FOLLOW_BACK  4u  /* as FOLLOW_TREE, in the other direction */
#define FOLLOW_NAME  8u  /* use a name again that was just moved away */
#define FOLLOW_MOVE  16u /* rename an object that was just created */
/* These run as the next thread after a death, too, cut at each of its stores. */
#define FOLLOW_POINT 32u  /* store another pointer to the same object */
#define FOLLOW_TAG   64u  /* add the tag and delete the tag again, and note durably that it is so */
#define FOLLOW_LOOK  128u /* look for the tags, and note durably what was seen */
#define FOLLOW_NEXT  (FOLLOW_POINT | FOLLOW_TAG | FOLLOW_LOOK)
#define FOLLOWS      8u

struct crash_op {
    const char *name;
    void (*run)(void);
    void (*show)(char *text,
                 size_t size); /* the state it changes outside of directories, or NULL */
    uint32_t follow;           /* bit set of the follow-ups to try */
    int steps; /* 1: it is several changes in a row, so states in between are legal */
};

extern const struct crash_op crash_ops[];
extern const size_t crash_ops_count;

struct crash_ids {
    objid_t root;
    objid_t attrs; /* the attribute table */
    objid_t a;     /* has several names */
    objid_t d;
    objid_t e;     /* in d */
    objid_t empty; /* an empty directory */
};
extern struct crash_ids crash_ids;

/* Make the tree that every workload starts from. */
void crash_setup(void);

/* Run one follow-up. crash_follow_check must be called after a walk of the tree: 0 is good. */
void crash_follow(uint32_t what);
int crash_follow_check(uint32_t what);

/* Add a node to the list: an operation, and part of the check of an image. */
void crash_typed_add(void);
size_t crash_list(char *out, size_t size); /* the list as text: its length */

twzobj crash_open(const char *path);

static inline struct hier_name crash_name(const char *text)
{
    return (struct hier_name){ text, strlen(text) };
}

/* --- hier_crash.c ----------------------------------------------------------------------------- */

/* Workload w: one operation, or two of which the second is cut. */
size_t crash_workloads(void);
void crash_workload_name(size_t w, char *text, size_t size);

struct crash_effort {
    size_t skip;       /* the site that is left out; HOST_NO_SITE */
    uint32_t recovery; /* one recovery in so many is cut, too; 0: none */
    int quiet;
};

/* 0 if all images are good. Adds their number to crash_images. */
int crash_try(size_t w, const struct crash_effort *effort);
extern unsigned long crash_images;

/* --- hier_mutants.c --------------------------------------------------------------------------- */

/* Note the sites that workload w reached. It must have run unchanged, after host_reached_clear. */
void crash_reached(size_t w, unsigned long count);

/* Leave out each site in turn. 0 if the harness catches each, except those in the table of
 * exceptions, which it must not catch. */
int crash_mutants(void);

#endif
