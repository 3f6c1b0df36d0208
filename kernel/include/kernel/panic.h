/* SPDX-License-Identifier: MIT */
/* The two ends of the kernel: a bug of its own, and a machine that it cannot use. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <kernel/types.h>

/* The machine cannot go on, and the kernel is not at fault. Logs one line `twz: fatal: ...` and
 * ends the machine with a code for the host (twz/hostlink.h, TWZ_HOST_STOP_*). */
NORETURN void fatal(uint32_t code, const char *fmt, ...) PRINTF(2, 3);

/* A kernel bug: logs what, where and the callers, and stops every core. Any lock may be held. */
NORETURN void panic_at(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define kassert(cond)                          \
    do {                                       \
        if (!(cond))                           \
            panic("assertion failed: " #cond); \
    } while (0)

#endif
