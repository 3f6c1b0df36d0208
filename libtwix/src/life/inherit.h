/* SPDX-License-Identifier: MIT */
/*
 * Inheritance of descriptors. The parent writes a list of them into the opaque area of the child's
 * struct twz_args: a struct inherit, then one struct inherit_file for each descriptor. The child
 * opens them.
 *
 * A pipe, or a file state that processes share, is an object with a table of the open files that
 * use the object. An entry of the table is a mutex with the owner word of a process (file/pipe.h,
 * file/fd.h). The entry for a child's open file goes through three steps:
 *
 *   1. inherit_prepare: the parent makes the entry, with the parent's owner word
 *   2. the child's first thread starts, and so has a thread generation: the child has an owner word
 *   3. inherit_transfer in the parent or inherit_open in the child, whichever runs first, stores
 *      the child's owner word in the entry
 *
 * If the child does not start, inherit_revoke frees the entry. If the child ends without closing
 * the file, the entry counts as free, because its owner is dead. inherit_reap in the parent then
 * deletes the object if no living process has an entry.
 */
#ifndef TWIX_INHERIT_H
#define TWIX_INHERIT_H

#include <twz/program.h>

#include "plan.h"

#define INHERIT_MAGIC   0x3168697774777a74ull
#define INHERIT_VERSION 2u

/* The opaque area of the child's struct twz_args: this head, then `count` structs inherit_file. */
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
    objid_t state;  /* the object of the shared state; 0: none */
    objid_t obj;
    uint64_t end; /* the child's entry in a pipe's ends or a state's holders */
    struct record_ref record;
};
_Static_assert(sizeof(struct inherit_file) == 88, "inherited file size");

struct inherit_all {
    struct inherit head;
    struct inherit_file file[FD_MAX];
};

/* --- the parent ------------------------------------------------------------------------------- */

/* Fill in `all` from the plan, and make the entries for the child. If the child starts, the caller
 * must call inherit_transfer with the child's owner word. If the child does not start, or this
 * function fails, the caller must call inherit_revoke. */
int inherit_prepare(struct inherit_all *all, struct plan *p, const struct linux_spawn *spawn);
void inherit_transfer(const struct inherit_all *all, struct plan *p, uint64_t owner);
void inherit_revoke(const struct inherit_all *all, struct plan *p);

/* The states and pipes that a child shares, for inherit_reap. If there is no memory for the list,
 * the count is 0. Then inherit_reap deletes nothing: if the child is killed, an object that no
 * other process uses stays until the next boot. */
struct inherited {
    objid_t *id;
    uint32_t count;
};
void inherit_record(struct inherited *list, const struct inherit_all *all);

/* For a child that has ended, perhaps without closing its files: delete the listed objects that no
 * living process has open, and free the list. */
void inherit_reap(struct inherited *list);

/* --- the child -------------------------------------------------------------------------------- */

/* Returns the head in the process's struct twz_args, or NULL if there is none or the head is
 * malformed. */
const struct inherit *inherit_find(const struct twz_args *args);

/* Open the descriptors. Another process wrote the structs inherit_file. So a struct that is
 * malformed, or whose object is deleted, is skipped. */
void inherit_open(const struct inherit *head);

#endif
