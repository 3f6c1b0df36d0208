/* SPDX-License-Identifier: MIT */
/* Kernel-wide types and macros. A physical address is a type of its own. */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <lib/container.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twz/error.h>
#include <twz/types.h>

typedef struct phys {
    uint64_t addr;
} phys_t;

#define PHYS_NONE ((phys_t){ UINT64_MAX })

static inline bool phys_is_none(phys_t p)
{
    return p.addr == UINT64_MAX;
}

#define MUST_CHECK        __attribute__((warn_unused_result))
#define NORETURN          __attribute__((noreturn))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

#define MAX_CPUS 64u

#endif
