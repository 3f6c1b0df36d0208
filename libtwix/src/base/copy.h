/* SPDX-License-Identifier: MIT */
/*
 * Copies between a program's buffers and objects. A fault during a copy, on either side, becomes an
 * error; the bytes before the fault may have been copied.
 */
#ifndef TWIX_COPY_H
#define TWIX_COPY_H

#include <stdint.h>

/* Copy `len` bytes. One side must lie in the object whose slot starts at `object`. -EFAULT: the
 * program's side is not mapped. -ENOSPC, -ENOMEM, -EACCES, -EIO: the object's side faulted. */
int copy_bytes(void *dst, const void *src, uint64_t len, const void *object);

/* Store `len` zeroes; errors as copy_bytes. `object` NULL: dst is the program's. */
int copy_zero(void *dst, uint64_t len, const void *object);

/* The program's string must end within TWZ_PATH_MAX bytes. -EFAULT, -ENAMETOOLONG. */
int copy_check_path(const char *path);

/* Copy memory of libtwix's own: a fault is not caught. */
void copy_raw(void *dst, const void *src, uint64_t len);

#endif
