/* SPDX-License-Identifier: MIT */
/* The options of trace= on the kernel's command line: call, fault. */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <stdbool.h>

extern bool trace_call;  /* each system call is logged */
extern bool trace_fault; /* each fault that a handler gets is logged */

/* Reads the command line; once, at boot. */
void trace_init(void);

#endif
