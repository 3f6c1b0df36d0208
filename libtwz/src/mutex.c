/* SPDX-License-Identifier: MIT */
/*
 * The recoverable mutex. Word: 0 free, else the owner's word, with WAITED set where somebody
 * sleeps on it. A sleeper looks every WAIT_NS whether the owner still lives, since a dead one wakes
 * nobody. Whoever slept takes the lock with WAITED set: others may sleep as well, and one wake too
 * many is harmless.
 */
#include <twz/mutex.h>

#include "platform.h"

#define WAITED  (1ull << 63)
#define WAIT_NS 20000000ull
#define SPINS   64u
#define FOREVER UINT64_MAX

static int take(struct twz_mutex *mutex, uint64_t expect, uint64_t mine)
{
    return __atomic_compare_exchange_n(&mutex->word, &expect, mine, 0, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

int twz_mutex_trylock(struct twz_mutex *mutex)
{
    uint64_t me = plat_owner();
    uint64_t word = __atomic_load_n(&mutex->word, __ATOMIC_RELAXED);

    if (word == 0)
        return take(mutex, 0, me) ? 0 : -TWZ_EBUSY;
    if (plat_owner_alive(word & ~WAITED))
        return -TWZ_EBUSY;
    return take(mutex, word, me | WAITED) ? TWZ_MUTEX_DIED : -TWZ_EBUSY;
}

static int lock_slow(struct twz_mutex *mutex, uint64_t me, uint64_t until)
{
    do {
        uint64_t word = __atomic_load_n(&mutex->word, __ATOMIC_RELAXED);

        if (word == 0) {
            if (take(mutex, 0, me | WAITED))
                return 0;
        } else if (!plat_owner_alive(word & ~WAITED)) {
            if (take(mutex, word, me | WAITED))
                return TWZ_MUTEX_DIED;
        } else if ((word & WAITED) || take(mutex, word, word | WAITED)) {
            plat_wait(&mutex->word, word | WAITED, WAIT_NS);
        }
    } while (until == FOREVER || plat_time() < until);
    return -TWZ_EBUSY;
}

static int lock(struct twz_mutex *mutex, uint64_t me, uint64_t until)
{
    for (uint32_t i = 0; i < SPINS; i++) {
        if (take(mutex, 0, me))
            return 0;
        plat_pause();
    }
    return lock_slow(mutex, me, until);
}

int twz_mutex_lock(struct twz_mutex *mutex)
{
    return lock(mutex, plat_owner(), FOREVER);
}

int twz_mutex_lock_for(struct twz_mutex *mutex, uint64_t ns)
{
    if (twz_mutex_mine(mutex))
        return -TWZ_EBUSY;
    return lock(mutex, plat_owner(), plat_time() + ns);
}

void twz_mutex_unlock(struct twz_mutex *mutex)
{
    uint64_t word = __atomic_exchange_n(&mutex->word, 0, __ATOMIC_RELEASE);

    if (word & WAITED)
        plat_wake(&mutex->word, 1);
}

int twz_mutex_mine(const struct twz_mutex *mutex)
{
    return (__atomic_load_n(&mutex->word, __ATOMIC_RELAXED) & ~WAITED) == plat_owner();
}

int twz_mutex_held(const struct twz_mutex *mutex)
{
    return __atomic_load_n(&mutex->word, __ATOMIC_ACQUIRE) != 0;
}
