/* SPDX-License-Identifier: MIT */
/*
 * Results. A function of libtwix returns `int err`, 0 or a negative Linux errno, or `int64_t ret`,
 * a value >= 0 or a negative Linux errno. A result of libtwz or the kernel must pass through here.
 */
#ifndef TWIX_ERR_H
#define TWIX_ERR_H

#include <stdint.h>

/* Convert a result with a value. A value >= 0 stays; -TWZ_E* becomes -E*. */
int64_t ret_linux(int64_t result);

/* Convert a result without a value. Returns 0, or -E* for -TWZ_E*. */
int err_linux(int64_t result);

#endif
