/* SPDX-License-Identifier: MIT */
/* Opening a file by its path. */
#ifndef TWIX_OPEN_H
#define TWIX_OPEN_H

#include "fd.h"

/* Open a path, relative to the directory `base`. On success *out has one reference, which the
 * caller must drop with file_put. */
int open_from(objid_t base, const char *path, uint32_t flags, uint32_t mode, struct file **out);

#endif
