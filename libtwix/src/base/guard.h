/* SPDX-License-Identifier: MIT */
/*
 * Guards (twz/guard.h) around accesses to objects that other processes may write, deny or destroy:
 * files, pipes, shared states. A fault in such an object is an error of the call, never the end of
 * the process.
 */
#ifndef TWIX_GUARD_H
#define TWIX_GUARD_H

#include <errno.h>
#include <twz/guard.h>

#include "err.h"
#include "lock.h"

/* The value of `call`, or the negative errno of a fault in an object that the guard watches. */
#define GUARDED(...)                                           \
    __extension__({                                            \
        volatile int64_t value_ = -EIO;                        \
        int fault_ = TWZ_GUARDED((value_ = (__VA_ARGS__), 0)); \
        fault_ < 0 ? (int64_t)guard_errno(fault_) : value_;    \
    })

/* Returns the negative errno for a fault of an object. */
static inline int guard_errno(int fault)
{
    return fault == -TWZ_EDELETED ? -EIO : err_linux(fault);
}

/* Take and release a lock that lies in a shared object; a fault releases it. May block, but if
 * another process keeps the lock, the guard ends the call with -EBUSY (twz_guard_acquire). */
static inline void lock_acquire_shared(struct twz_mutex *lock)
{
    twz_guard_acquire(lock);
}

static inline void lock_release_shared(struct twz_mutex *lock)
{
    twz_guard_unlock(lock);
    lock_release(lock);
}

#endif
