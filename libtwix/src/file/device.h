/* SPDX-License-Identifier: MIT */
/* Names that are no objects: /dev/null, zero, random, urandom, full; tty, stdin, stdout, stderr. */
#ifndef TWIX_DEVICE_H
#define TWIX_DEVICE_H

#include <sys/stat.h>

#include "fd.h"

extern const struct file_ops null_ops, zero_ops, full_ops, random_ops;

/* 1 if path names a device; the functions below then do what open and stat would. */
int device_named(const char *path);
int device_open(const char *path, uint32_t flags, struct file **f);
int device_stat(const char *path, struct stat *st);

/* The operations of an inherited file of a device's kind; NULL: none of these. */
const struct file_ops *device_ops(uint32_t kind, uint32_t sub);

#endif
