/* SPDX-License-Identifier: MIT */
/* The kernel's log, on the serial line. Formats as in lib/fmt.h. The log's lock is taken last. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <kernel/types.h>

void log_printf(const char *fmt, ...) PRINTF(1, 2); /* one line; a newline is added */

/* Writes the lines of a program's text, each behind the mark "[thread N] ". No line of the kernel
 * begins like that, and the text has no part in a line without the mark: the last line ends with
 * the text. Empty lines are left out; bytes that are not printable become dots. Writes a bounded
 * number of characters. Returns the bytes of the text that are done; the caller must pass the
 * others again. */
MUST_CHECK size_t log_user(uint64_t thread, const char *text, size_t len);
void log_panicking(void); /* from now on writers wait a bounded time for the log's lock */

#endif
