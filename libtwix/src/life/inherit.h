/* SPDX-License-Identifier: MIT */
/*
 * Inheritance of descriptors. The parent writes struct inherit and its entries into the child's
 * args; the child opens them. A pipe and a shared file state have a table of the open files that
 * use them, with entries locked in the name of a process (file/pipe.h, file/fd.h). A child's entry
 * goes through three steps:
 *
 *   1. inherit_prepare: the parent makes the entry, in its own name
 *   2. the child's thread starts; from now on it has a generation, which is its name
 *   3. inherit_transfer in the parent or inherit_open in the child, whichever runs first, changes
 *      the name in the entry to the child's
 *
 * If the child does not start, inherit_revoke frees the entry. If it is killed, inherit_reap does.
 */
#ifndef TWIX_INHERIT_H
#define TWIX_INHERIT_H

#include <twz/program.h>

#include "plan.h"

#define INHERIT_MAGIC   0x3168697774777a74ull
#define INHERIT_VERSION 1u

/* The opaque area of the child's args: this head, then `count` entries. */
struct inherit {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    int32_t ppid;
    uint32_t umask;
    uint64_t sigmask;
    uint64_t sigignored;
    uint64_t pad;
};
_Static_assert(sizeof(struct inherit) == 48, "inherit size");

struct inherit_file {
    int32_t fd;
    uint32_t kind; /* FILE_* */
    uint32_t sub;
    uint32_t access;
    uint64_t flags; /* O_APPEND, O_NONBLOCK */
    objid_t state;  /* the shared state, 0: none */
    objid_t obj;
    uint64_t end; /* the child's entry in a pipe's ends or a state's holders */
};
_Static_assert(sizeof(struct inherit_file) == 64, "inherited file size");

struct inherit_all {
    struct inherit head;
    struct inherit_file file[FD_MAX];
};

/* --- the parent ------------------------------------------------------------------------------- */

/* Fill in `all` from the plan, and make the entries. The caller must call inherit_transfer if the
 * child starts, else inherit_revoke, also after an error of this function. */
int inherit_prepare(struct inherit_all *all, struct plan *p, const struct linux_spawn *spawn);
void inherit_transfer(const struct inherit_all *all, struct plan *p,
                      const struct twz_thread *child);
void inherit_revoke(const struct inherit_all *all, struct plan *p);

/* The states and pipes that a child shares, for inherit_reap. Without memory for the list its count
 * is 0; then an object that a killed child had alone remains until the next boot. */
struct inherited {
    objid_t *id;
    uint32_t count;
};
void inherit_record(struct inherited *list, const struct inherit_all *all);

/* The child has ended, perhaps without closing its files: delete the objects that no living process
 * has open, and free the list. */
void inherit_reap(struct inherited *list);

/* --- the child -------------------------------------------------------------------------------- */

/* The head in the process's args, NULL: there is none, or it is malformed. */
const struct inherit *inherit_find(const struct twz_args *args);

/* Open the descriptors. The entries are input from another process: an entry that does not
 * validate, or whose object is deleted, is left out. */
void inherit_open(const struct inherit *head);

#endif
