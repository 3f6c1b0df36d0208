/* SPDX-License-Identifier: MIT */
/* The boot of the generic kernel. */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

#include <kernel/types.h>

/* Called by arch on the first core, on its kernel stack, interrupts off, with boot_info filled,
 * DRAM mapped, traps, clock and log working. */
NORETURN void kernel_main(void);

#endif
