/* SPDX-License-Identifier: MIT */
/* The kernel's log, on the serial line. Formats as in lib/fmt.h. The log's lock is taken last. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <kernel/types.h>

void log_printf(const char *fmt, ...) PRINTF(1, 2); /* one line; a newline is added */
void log_bytes(const char *text, size_t len);
void log_panicking(void); /* from now on writers wait a bounded time for the log's lock */

#endif
