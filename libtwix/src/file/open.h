/* SPDX-License-Identifier: MIT */
/* Opening a file by its path. */
#ifndef TWIX_OPEN_H
#define TWIX_OPEN_H

#include "fd.h"

/* openat, relative to the directory `base`. On 0 *out has one reference, which the caller must
 * put. */
int open_from(objid_t base, const char *path, uint32_t flags, uint32_t mode, struct file **out);

#endif
