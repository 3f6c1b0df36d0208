/* SPDX-License-Identifier: MIT */
/*
 * A mutex that may lie in any object, also in a persistent one. The word of the mutex names its
 * owner by {thread generation, resume count}. If the owner dies, or the machine reboots, the next
 * thread gets the mutex and the result TWZ_MUTEX_DIED. This thread must then repair the data that
 * the mutex guards. The library asks the kernel whether an owner lives: a reboot alone does not
 * mean that it is dead.
 *
 * A mutex of zeros is free. A mutex is not recursive. A lock blocks only while another thread holds
 * the mutex. No function makes the word durable.
 *
 *   bits 31..0  generation   62..32  resume count   63  a thread may sleep on the word
 */
#ifndef TWZ_MUTEX_H
#define TWZ_MUTEX_H

#include <twz/obj.h>

struct twz_mutex {
    uint64_t word;
};

#define TWZ_MUTEX_DIED 1 /* the caller holds the mutex, and its last owner died */

/* Lock the mutex. Returns 0 or TWZ_MUTEX_DIED, never an error. The caller must not hold it. */
TWZ_CHECKED int twz_mutex_lock(struct twz_mutex *mutex);

/* As twz_mutex_lock, but returns -TWZ_EBUSY if a living owner keeps the mutex for about `ns`
 * nanoseconds, or if the caller holds it. A thread must use this for a mutex that an adversary may
 * write. */
TWZ_CHECKED int twz_mutex_lock_for(struct twz_mutex *mutex, uint64_t ns);

/* As twz_mutex_lock, but returns -TWZ_EBUSY instead of blocking. */
TWZ_CHECKED int twz_mutex_trylock(struct twz_mutex *mutex);

/* The caller must hold the mutex. */
void twz_mutex_unlock(struct twz_mutex *mutex);

/* True if the calling thread holds the mutex. */
bool twz_mutex_is_mine(const struct twz_mutex *mutex);

/* True if a thread holds the mutex, alive or dead. */
bool twz_mutex_is_held(const struct twz_mutex *mutex);

#endif
