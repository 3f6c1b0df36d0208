/* SPDX-License-Identifier: MIT */
/*
 * Copies between a program's buffers and objects. A fault during a copy, on either side, becomes an
 * error; the bytes before the fault may have been copied.
 */
#ifndef TWIX_COPY_H
#define TWIX_COPY_H

#include <stdint.h>

/* Copy `len` bytes. One side must lie in the object whose slot starts at `object`. Returns 0 or an
 * error. -EFAULT: the program's side faulted. -ENOSPC, -ENOMEM, -EACCES, -EIO: the object's side
 * faulted. */
int copy_bytes(void *dst, const void *src, uint64_t len, const void *object);

/* Store `len` zeroes. Errors are those of copy_bytes. If `object` is NULL, dst must be the
 * program's memory. */
int copy_zero(void *dst, uint64_t len, const void *object);

/* Check that a string of the program is readable and ends within TWZ_PATH_MAX bytes. Returns 0,
 * -EFAULT or -ENAMETOOLONG. */
int copy_check_path(const char *path);

/* Copy memory, without a fault catch. The caller must know that both sides are mapped, or must
 * catch the fault itself. */
void copy_raw(void *dst, const void *src, uint64_t len);

#endif
