/* SPDX-License-Identifier: MIT */
/* Monotonic time that goes on over the boots of a pool. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <kernel/types.h>

/* Must be called once, after pool_init and before user code can read a time. The clock then
 * continues after all times that earlier boots of the pool reported. Without a pool it starts at
 * 0. */
void clock_init(void);

/* Security time, in seconds since 1970: never earlier than in an earlier boot. */
uint64_t clock_security(void);

/* True: security time has reached `end`, which is not 0. No later boot says otherwise: the function
 * makes that durable. Takes the pool's lock. */
bool clock_has_passed(uint64_t end);

/* The monotonic time, in ns, at which security time reaches `end`. */
uint64_t clock_at_security(uint64_t end);

/* A part of the upcall deferred_work (kernel/upcall.h). Returns true if there was work. */
bool clock_work(void);

#endif
