/* SPDX-License-Identifier: MIT */
/*
 * A mutex that may lie in any object, a persistent one too. The word names its owner, {thread
 * generation, resume count}, so that the death of the owner, or of the machine, leaves it
 * recoverable: whoever comes next is given the lock and told that it must mend what it guards.
 * Whether an owner lives is a question to the kernel; a reboot alone does not decide it.
 *
 * All zero is an unlocked mutex. Not recursive; only thread_sync blocks, and only under contention.
 *
 *   bits 31..0  generation   62..32  resume count   63  somebody waits
 */
#ifndef TWZ_MUTEX_H
#define TWZ_MUTEX_H

#include <twz/obj.h>

struct twz_mutex {
    uint64_t word;
};

#define TWZ_MUTEX_DIED 1 /* locked, and the owner before died holding it: mend first */

/* 0 or TWZ_MUTEX_DIED; never fails. */
TWZ_CHECKED int twz_mutex_lock(struct twz_mutex *mutex);

/* As lock, but -TWZ_EBUSY where its owner lived for about `ns` and did not let go, or is this very
 * thread: for a mutex in an object that others may write. */
TWZ_CHECKED int twz_mutex_lock_for(struct twz_mutex *mutex, uint64_t ns);

/* As lock, but -TWZ_EBUSY instead of waiting. */
TWZ_CHECKED int twz_mutex_trylock(struct twz_mutex *mutex);

void twz_mutex_unlock(struct twz_mutex *mutex);

/* 1 if this thread holds it. */
int twz_mutex_mine(const struct twz_mutex *mutex);

/* 1 if anybody holds it, living or dead. */
int twz_mutex_held(const struct twz_mutex *mutex);

#endif
