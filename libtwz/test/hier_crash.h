/* SPDX-License-Identifier: MIT */
/*
 * Directories and the typed layer under power failure: what the three files of the test share.
 * hier_ops.c has the operations, hier_crash.c says what an image must show, hier_mutants.c tries
 * the harness itself.
 */
#ifndef LIBTWZ_TEST_HIER_CRASH_H
#define LIBTWZ_TEST_HIER_CRASH_H

#include <string.h>

#include <hier/hier.h>

#include "host.h"

#define STATE 8192u /* longest state as text */

/* --- hier_ops.c ------------------------------------------------------------------------------- */

/* Things that are done first of all after a crash, which what was interrupted must not spoil. */
#define MEDDLE_LINKS 1u  /* take a name of an object away that may be losing another one */
#define MEDDLE_TREE  2u  /* move a directory to where a circle would close */
#define MEDDLE_BACK  4u  /* ... the other one */
#define MEDDLE_NAME  8u  /* use a name again that was just moved away */
#define MEDDLE_MOVE  16u /* give what was just created another name */
#define MEDDLES      5u

struct crash_op {
    const char *name;
    void (*run)(void);
    void (*show)(char *text, size_t size); /* what it changes outside of directories; may be NULL */
    uint32_t meddle;                       /* MEDDLE_* worth trying */
    int steps; /* it is several changes in a row: states in between are legal */
};

extern const struct crash_op crash_ops[];
extern const size_t crash_ops_count;

struct crash_ids {
    objid_t root;
    objid_t a; /* has several names */
    objid_t d;
    objid_t e;     /* in d */
    objid_t empty; /* an empty directory */
};
extern struct crash_ids crash_ids;

/* The tree that every workload starts from. */
void crash_setup(void);

/* Do one MEDDLE_*; call crash_meddled after a walk: 0 good. */
void crash_meddle(uint32_t what);
int crash_meddled(uint32_t what);

/* A further node of the list: the one operation that looking at an image needs, too. */
void crash_typed_add(void);
size_t crash_list(char *out, size_t size); /* the list as text: its length */

twzobj crash_open(const char *path);

static inline struct hier_name crash_name(const char *text)
{
    return (struct hier_name){ text, strlen(text) };
}

/* --- hier_crash.c ----------------------------------------------------------------------------- */

/* Workload w: an operation, or two of which the second is looked at. */
size_t crash_workloads(void);
void crash_workload_name(size_t w, char *text, size_t size);

struct crash_effort {
    size_t skip;       /* the site that is left out; HOST_NO_SITE */
    uint32_t recovery; /* of so many recoveries one is cut itself; 0: none */
    int quiet;
};

/* 0 good. Adds to crash_images. */
int crash_try(size_t w, const struct crash_effort *effort);
extern unsigned long crash_images;

/* --- hier_mutants.c --------------------------------------------------------------------------- */

/* Workload w has just been run unchanged, host_met_clear before it. */
void crash_met(size_t w, unsigned long count);

/* Leave out each site in turn: 0 when each is missed, but for those that the table of exceptions
 * names, which must not be missed. */
int crash_mutants(void);

#endif
