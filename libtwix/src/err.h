/* SPDX-License-Identifier: MIT */
/* Errors: everything in libtwix returns >= 0 or a negative Linux errno; libtwz's are turned here. */
#ifndef TWIX_ERR_H
#define TWIX_ERR_H

#include <stdint.h>

/* A result of libtwz or the kernel as Linux would say it: >= 0 stays, -TWZ_E* becomes -E*. */
int64_t err_linux(int64_t result);

#endif
