/* SPDX-License-Identifier: MIT */
/* Times in nanoseconds, and Linux's ways of saying them. */
#ifndef TWIX_TIMES_H
#define TWIX_TIMES_H

#include <stdint.h>
#include <time.h>

void times_init(void);     /* the process starts now */
uint64_t times_used(void); /* ns since then */

struct timespec times_spec(uint64_t ns);
int times_ns(const struct timespec *ts, uint64_t *ns); /* 0 or -EINVAL */

/* The moment `at` of a clock as a monotonic deadline. 0 or -EINVAL. */
int times_deadline(int64_t clock, uint64_t at, uint64_t *deadline);

#endif
