/* SPDX-License-Identifier: MIT */
/* Times in nanoseconds, and their conversion to and from Linux's structs. */
#ifndef TWIX_TIMES_H
#define TWIX_TIMES_H

#include <stdint.h>
#include <time.h>

#define TIMES_SECOND      1000000000ull
#define TIMES_MICROSECOND 1000ull

/* Record the start time of the process. */
void times_init(void);

/* Returns the time since times_init, which stands for the processor time. */
uint64_t times_used(void);

struct timespec times_spec(uint64_t ns);

/* Convert a time to ns. Returns -EINVAL if *ts is not a valid time. A time that does not fit
 * becomes INT64_MAX. */
int times_ns(const struct timespec *ts, uint64_t *ns);

/* Convert the time `at` of a clock to a deadline of the monotonic clock. Returns -EINVAL if there
 * is no such clock. */
int times_deadline(int64_t clock, uint64_t at, uint64_t *deadline);

/* Set *deadline to now plus `timeout`, or to TWZ_FOREVER if `timeout` is NULL. Returns -EINVAL if
 * `timeout` is not a valid time. */
int times_deadline_in(const struct timespec *timeout, uint64_t *deadline);

#endif
