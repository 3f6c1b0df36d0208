/* SPDX-License-Identifier: MIT */
/* Open directories. The object is a hier; the state's offset is 0 for ".", 1 for "..", and for an
 * entry of the hier 2 + its cursor. */
#ifndef TWIX_DIRECTORY_H
#define TWIX_DIRECTORY_H

#include "fd.h"

extern const struct file_ops directory_ops;

/* Open the hier `id` as the object of f. -ENOTDIR: it is not a hier. */
int directory_open(struct file *f, objid_t id);

#endif
