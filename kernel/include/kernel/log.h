/* SPDX-License-Identifier: MIT */
/* The kernel log (serial line), and the end of the kernel. Formats as in lib/fmt.h. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <kernel/types.h>

void log_printf(const char *fmt, ...) PRINTF(1, 2); /* one line; a newline is added */
void log_bytes(const char *text, size_t len);
void log_panicking(void); /* from here on the log's lock is not waited for */

/* The machine cannot go on, and it is not the kernel's fault: one line `twz: fatal: ...`, then the
 * machine ends with a code for the host (twz/hostlink.h, TWZ_HOST_STOP_*). */
NORETURN void fatal(uint32_t code, const char *fmt, ...) PRINTF(2, 3);

/* A kernel bug: says where and what, stops every core. */
NORETURN void panic_at(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define kassert(cond)                          \
    do {                                       \
        if (!(cond))                           \
            panic("assertion failed: " #cond); \
    } while (0)

#endif
