/* SPDX-License-Identifier: MIT */
/* Error numbers, expanded from error.def: TWZ_EINVAL and so on; functions return them negated. */
#ifndef TWZ_ERROR_H
#define TWZ_ERROR_H

enum twz_error {
    TWZ_EOK = 0,
#define TWZ_ERROR(name, number, text) TWZ_E##name = number,
#include <twz/error.def>
#undef TWZ_ERROR
};

#endif
