/* SPDX-License-Identifier: MIT */
/* Files known by name, without an object: /dev/null, zero, full, random, urandom, tty, stdin,
 * stdout, stderr. */
#ifndef TWIX_DEVICE_H
#define TWIX_DEVICE_H

#include <sys/stat.h>

#include "fd.h"

extern const struct file_ops null_ops, zero_ops, full_ops, random_ops;

/* The path is the name of a device. The two functions below must be called with such a path. */
bool device_is_named(const char *path);
int device_open(const char *path, uint32_t flags, struct file **f);
int device_stat(const char *path, struct stat *st);

/* The operations of a kind of device; NULL: the kind is not a device. */
const struct file_ops *device_ops(uint32_t kind, uint32_t sub);

#endif
