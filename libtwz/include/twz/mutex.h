/* SPDX-License-Identifier: MIT */
/*
 * A mutex that may lie in any object, also in a persistent one. Its word names the owner: {thread
 * generation, resume count}. If the owner dies, or the machine reboots, the next thread gets the
 * lock and TWZ_MUTEX_DIED; it must then repair the data that the lock guards. The kernel knows
 * whether an owner lives: a reboot alone does not decide it.
 *
 * A mutex of zeros is unlocked. It is not recursive. A lock blocks only under contention, in
 * thread_sync. The functions store to the word and never flush it.
 *
 *   bits 31..0  generation   62..32  resume count   63  a thread may sleep on the word
 */
#ifndef TWZ_MUTEX_H
#define TWZ_MUTEX_H

#include <twz/obj.h>

struct twz_mutex {
    uint64_t word;
};

#define TWZ_MUTEX_DIED 1 /* locked, but the last owner died holding it: repair the data first */

/* 0 or TWZ_MUTEX_DIED; never an error. The caller must not hold the mutex. */
TWZ_CHECKED int twz_mutex_lock(struct twz_mutex *mutex);

/* As twz_mutex_lock, but -TWZ_EBUSY if a living owner keeps it for about `ns` nanoseconds, or if
 * the caller holds it. A mutex that an adversary may write must be locked this way. */
TWZ_CHECKED int twz_mutex_lock_for(struct twz_mutex *mutex, uint64_t ns);

/* As twz_mutex_lock, but -TWZ_EBUSY instead of blocking. */
TWZ_CHECKED int twz_mutex_trylock(struct twz_mutex *mutex);

/* The caller must hold the mutex. */
void twz_mutex_unlock(struct twz_mutex *mutex);

/* The calling thread holds it. */
bool twz_mutex_is_mine(const struct twz_mutex *mutex);

/* A thread holds it, alive or dead. */
bool twz_mutex_is_held(const struct twz_mutex *mutex);

#endif
