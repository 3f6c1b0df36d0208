/* SPDX-License-Identifier: MIT */
/* The start of the first program, and the end of the machine. */
#ifndef KERNEL_START_H
#define KERNEL_START_H

#include <kernel/types.h>

/* Makes the view and the thread of the program that the pool names; the thread is ready to run.
 * Must be called after console_init. A pool without such a program: fatal. */
void start_init(void);

/* The orderly shutdown: flushes every persistent object and closes the pool, then powers off or
 * reboots. The caller must hold no lock. */
NORETURN void shutdown(bool reboot);

#endif
