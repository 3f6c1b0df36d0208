/* SPDX-License-Identifier: MIT */
/* Monotonic time that goes on over the boots of a pool. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <kernel/types.h>

/* Must be called once, after pool_init and before user code can read a time. The clock then
 * continues after all times that earlier boots of the pool reported. Without a pool it starts at
 * 0. */
void clock_init(void);

/* A part of the upcall deferred_work (kernel/upcall.h). Returns true if there was work. */
bool clock_work(void);

#endif
