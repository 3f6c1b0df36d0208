/* SPDX-License-Identifier: MIT */
/* Moving bytes between a program's buffers and objects without dying of what either side lacks. */
#ifndef TWIX_COPY_H
#define TWIX_COPY_H

#include <stdint.h>

/* len bytes from src to dst, where one of both lies in the object whose offset 0 is at `object`.
 * 0; -EFAULT: the program's side is not there; -ENOSPC, -EIO: the object's is not. */
int copy_bytes(void *dst, const void *src, uint64_t len, const void *object);

/* The same, with zeroes instead of a source. */
int copy_zero(void *dst, uint64_t len, const void *object);

/* 0: a string that ends within TWZ_PATH_MAX bytes; -EFAULT, -ENAMETOOLONG. */
int copy_check_path(const char *path);

/* Plain moves that cannot fail. */
void copy_raw(void *dst, const void *src, uint64_t len);

#endif
