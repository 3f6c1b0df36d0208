/* SPDX-License-Identifier: MIT */
/* Open directories: hier objects; the file's offset is 0 for ".", 1 for "..", else 2 + cursor. */
#ifndef TWIX_DIRECTORY_H
#define TWIX_DIRECTORY_H

#include "fd.h"

extern const struct file_ops directory_ops;

/* Open the directory `id`. */
int directory_open(struct file *f, objid_t id);

#endif
