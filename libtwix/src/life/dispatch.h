/* SPDX-License-Identifier: MIT */
/* The entry point for Linux calls. The entry table (base/entry.h) and the upcall for a raw SYSCALL
 * instruction both lead here. */
#ifndef TWIX_DISPATCH_H
#define TWIX_DISPATCH_H

#include "base/entry.h"

extern const struct twix_table twix_table;

/* Register the upcall for raw SYSCALL instructions. */
void dispatch_init(void);

#endif
