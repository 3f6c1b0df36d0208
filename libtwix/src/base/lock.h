/* SPDX-License-Identifier: MIT */
/*
 * Locks of libtwix. A twz_mutex reports that its last owner died; these locks ignore the report. So
 * a lock must guard only data that is valid after every single store, or data that dies with the
 * process.
 */
#ifndef TWIX_LOCK_H
#define TWIX_LOCK_H

#include <twz/mutex.h>

/* May block. The caller must not hold the lock. */
static inline void lock_acquire(struct twz_mutex *lock)
{
    (void)!twz_mutex_lock(lock);
}

static inline void lock_release(struct twz_mutex *lock)
{
    twz_mutex_unlock(lock);
}

#endif
