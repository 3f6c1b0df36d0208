/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a volatile object with a ring, shared by whoever has an end of it open. Each open end is
 * entered in the pipe under its process's first thread, so that an end whose process was killed
 * counts as closed.
 */
#ifndef TWIX_PIPE_H
#define TWIX_PIPE_H

#include "fd.h"

extern const struct file_ops pipe_ops;

/* The end f->sub (0 read, 1 write) of the pipe in object `id`, as inherited. */
int64_t pipe_reopen(struct file *f, objid_t id);

#endif
