/* SPDX-License-Identifier: MIT */
/* Errors: everything here returns >= 0 or a negative Linux errno; those of libtwz are turned. */
#ifndef TWIX_ERR_H
#define TWIX_ERR_H

#include <stdint.h>

/* A result of libtwz or the kernel as Linux would say it: >= 0 stays, -TWZ_E* becomes -E*. */
int64_t err_linux(int64_t result);

#endif
