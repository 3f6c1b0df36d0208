/* SPDX-License-Identifier: MIT */
/*
 * Locks of libtwix: twz_mutex words whose owner's death is no matter, because what they guard is
 * right after each single store, or dies with the process.
 */
#ifndef TWIX_LOCK_H
#define TWIX_LOCK_H

#include <twz/mutex.h>

static inline void lock_take(struct twz_mutex *lock)
{
    (void)!twz_mutex_lock(lock);
}

static inline void lock_drop(struct twz_mutex *lock)
{
    twz_mutex_unlock(lock);
}

#endif
