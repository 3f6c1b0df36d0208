/* SPDX-License-Identifier: MIT */
/* The call: base/entry.h's table leads here, and so does a raw SYSCALL instruction. */
#ifndef TWIX_DISPATCH_H
#define TWIX_DISPATCH_H

#include "base/entry.h"

extern const struct twix_table twix_table;

/* Register the upcall for raw SYSCALL instructions. */
void dispatch_init(void);

#endif
