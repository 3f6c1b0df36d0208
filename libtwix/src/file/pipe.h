/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a volatile object with a ring of bytes, which all processes share that have an end open.
 * Each open end has an entry in the pipe, locked in the name of its process's first thread: the end
 * of a dead process counts as closed.
 */
#ifndef TWIX_PIPE_H
#define TWIX_PIPE_H

#include <twz/thread.h>

#include "fd.h"

extern const struct file_ops pipe_ops;

/* The parent: make an entry for a child's end like that of f. The end is open from now on, so the
 * parent may close its own. The entry is the parent's until pipe_transfer or pipe_revoke. -ENFILE:
 * there are too many ends. */
int64_t pipe_inherit(struct file *f);

/* The parent: put the child's name into the entry, unless pipe_reopen did so already. Either
 * process may run first. */
void pipe_transfer(struct file *f, uint64_t end, const struct twz_thread *child);

/* Free an entry, wake the other side, and delete the pipe if no living process has an end open. */
void pipe_revoke(struct file *f, uint64_t end);

/* The child: open the pipe `id` as the end f->sub (0 read, 1 write), and put its name into the
 * entry `end`. -EINVAL: the object is not a pipe, or the entry not that of such an end. */
int pipe_reopen(struct file *f, objid_t id, uint64_t end);

/* A process died: delete the object if it is a pipe that no living process has an end of. */
void pipe_reap(const twzobj *obj);

#endif
