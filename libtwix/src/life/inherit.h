/* SPDX-License-Identifier: MIT */
/*
 * A child's descriptors: worked out on a copy of our table, written into the area that the child is
 * started with, and looked after when it is dead: what it shared with others says who has it open
 * by the locks of living processes, and goes with the last of them.
 */
#ifndef TWIX_HANDOVER_H
#define TWIX_HANDOVER_H

#include <twz/name.h>

#include "base/linux.h"
#include "base/process.h"
#include "file/fd.h"

struct plan {
    struct file *file[FD_MAX];
    uint8_t cloexec[FD_MAX];
    objid_t cwd;
    char cwd_path[TWZ_PATH_MAX];
    char found[TWZ_PATH_MAX];
};

struct handover {
    struct inherit head;
    struct inherit_file file[FD_MAX];
};

/* A copy of our table, with references; then changed as a list of actions says, in the order they
 * were added: the list leads from the last to the first. */
void plan_start(struct plan *p);
int64_t plan_actions(struct plan *p, const struct linux_fdop *last);
void plan_end(struct plan *p);

/* Fill in what the child is told, lending it what is open: then either it lives, and all is its
 * own, or all is taken back (after an error, too). */
int64_t hand_over(struct handover *h, struct plan *p, const struct linux_spawn *spawn);
void hand_over_settle(const struct handover *h, struct plan *p, const struct twz_thread *child);
void hand_over_undo(const struct handover *h, struct plan *p);

/* What a child shares with others: states and pipes. Without memory for the list, what a child that
 * is killed shared alone stays until the next boot. */
struct given {
    objid_t *id;
    uint32_t count;
};
void given_note(struct given *g, const struct handover *h);

/* The child is dead, perhaps without having closed anything. */
void given_sweep(struct given *g);

#endif
