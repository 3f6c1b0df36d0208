/* SPDX-License-Identifier: MIT */
/*
 * Pipes. A pipe is a volatile object with a ring of bytes. All processes with an open end share the
 * object. Each open end has an entry in the pipe: a mutex with the owner word of the end's process.
 * The end of a dead process counts as closed.
 */
#ifndef TWIX_PIPE_H
#define TWIX_PIPE_H

#include <twz/thread.h>

#include "fd.h"

extern const struct file_ops pipe_ops;

/* In the parent: make an entry for a child's end, of the same direction as f. The child's end is
 * open from now on, so the parent may close f. The entry has the parent's owner word until
 * pipe_transfer or pipe_revoke. Returns the entry; -ENFILE: there are too many ends. */
int64_t pipe_inherit(struct file *f);

/* In the parent: store `owner`, the child's owner word, in the entry, unless pipe_reopen in the
 * child did so already. Either process may run first. */
void pipe_transfer(struct file *f, uint64_t end, uint64_t owner);

/* Free an entry, wake the other side, and delete the pipe if no living process has an end open. */
void pipe_revoke(struct file *f, uint64_t end);

/* In the child: open the pipe `id` as the end f->sub (0 read, 1 write), and store this process's
 * owner word in the entry `end`. Returns -EINVAL if the object is not a pipe, or the entry is not
 * for such an end. */
int pipe_reopen(struct file *f, objid_t id, uint64_t end);

/* After a process has died: delete the object if it is a pipe and no living process has an end
 * open. */
void pipe_reap(const twzobj *obj);

#endif
