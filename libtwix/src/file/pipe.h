/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a volatile object with a ring, shared by whoever has an end of it open. Each open end is
 * entered in the pipe under its process's first thread, so that an end whose process was killed
 * counts as closed.
 */
#ifndef TWIX_PIPE_H
#define TWIX_PIPE_H

#include <twz/thread.h>

#include "fd.h"

extern const struct file_ops pipe_ops;

/* The end f->sub (0 read, 1 write) of the pipe in object `id`, as inherited: entry `end`. */
int pipe_reopen(struct file *f, objid_t id, uint64_t end);

/* An end like f's for a child that is to be: its entry, or -ENFILE. It is open from now on, so that
 * the parent may close its own. Then it is the child's, or is taken back. */
int64_t pipe_inherit(struct file *f);
void pipe_transfer(struct file *f, uint64_t end, const struct twz_thread *child);
void pipe_revoke(struct file *f, uint64_t end);

/* Somebody who had ends of the pipe in obj has died: if nobody has any now, the object goes. */
void pipe_reap(const twzobj *obj);

#endif
