/* SPDX-License-Identifier: MIT */
/* The entry point of the generic kernel. */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

#include <kernel/types.h>

/* Boots the kernel above arch. arch must call it on the first core, on its kernel stack, with
 * interrupts off, boot_info filled, DRAM mapped, and traps, clock and log working. */
NORETURN void kernel_main(void);

#endif
