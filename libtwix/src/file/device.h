/* SPDX-License-Identifier: MIT */
/* Files known by name, without an object: /dev/null, zero, full, random, urandom, tty, stdin,
 * stdout, stderr. */
#ifndef TWIX_DEVICE_H
#define TWIX_DEVICE_H

#include <sys/stat.h>

#include "fd.h"

extern const struct file_ops null_ops, zero_ops, full_ops, random_ops;

/* Returns whether the path is the name of a device. The caller must call the two functions below
 * only with such a path. */
bool device_is_named(const char *path);
int device_open(const char *path, uint32_t flags, struct file **f);
int device_stat(const char *path, struct stat *st);

/* Returns the operations of a kind of device, or NULL if the kind is not a device. */
const struct file_ops *device_ops(uint32_t kind, uint32_t sub);

#endif
