/* SPDX-License-Identifier: MIT */
/* Open directories. The object is a hier. The offset of the file state is 0 for ".", 1 for "..".
 * For an entry of the hier the offset is 2 + the cursor of hier_iter. */
#ifndef TWIX_DIRECTORY_H
#define TWIX_DIRECTORY_H

#include "fd.h"

extern const struct file_ops directory_ops;

/* Open the hier `id` as the object of f, under a guard; f->record must be set. Returns -ENOTDIR
 * if the object is not a hier. */
int directory_open(struct file *f, objid_t id);

#endif
