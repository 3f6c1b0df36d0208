/* SPDX-License-Identifier: MIT */
/* Opening by name, for other parts of libtwix. */
#ifndef TWIX_OPEN_H
#define TWIX_OPEN_H

#include "fd.h"

/* What openat would open, relative to directory `base`; the file has one reference. */
int open_from(objid_t base, const char *path, uint32_t flags, uint32_t mode, struct file **out);

#endif
