/* SPDX-License-Identifier: MIT */
/* Times in nanoseconds, and their conversion to and from Linux's structs. */
#ifndef TWIX_TIMES_H
#define TWIX_TIMES_H

#include <stdint.h>
#include <time.h>

#define TIMES_SECOND      1000000000ull
#define TIMES_MICROSECOND 1000ull

/* The process starts now. */
void times_init(void);

/* The time since times_init; it stands for the processor time. */
uint64_t times_used(void);

struct timespec times_spec(uint64_t ns);

/* -EINVAL: not a time. A time that does not fit becomes INT64_MAX. */
int times_ns(const struct timespec *ts, uint64_t *ns);

/* The time `at` of a clock as a deadline of the monotonic clock. -EINVAL: there is no such
 * clock. */
int times_deadline(int64_t clock, uint64_t at, uint64_t *deadline);

/* A deadline that lies a relative `timeout` ahead; NULL: TWZ_FOREVER. -EINVAL: not a time. */
int times_deadline_in(const struct timespec *timeout, uint64_t *deadline);

#endif
