/* SPDX-License-Identifier: MIT */
/*
 * The recoverable mutex. The word is 0 if the mutex is free, else the owner word of its owner.
 * CONTENDED is set in it while a thread may sleep on it.
 *
 * INVARIANTS
 *   - A waiting thread sets CONTENDED, then sleeps while the word is unchanged. An owner stores 0,
 *     then wakes one thread if CONTENDED was set. So no wake-up is lost.
 *   - A thread that has slept takes the mutex with CONTENDED set, since others may sleep. This may
 *     cause one wake-up too many, which does no harm.
 *   - A dead owner wakes no thread. So a waiting thread checks every RECHECK_NS whether the owner
 *     lives.
 */
#include <twz/mutex.h>

#include "platform.h"

#define CONTENDED  (1ull << 63)
#define RECHECK_NS 20000000ull
#define SPINS      64u
#define FOREVER    UINT64_MAX

static bool exchange_word(struct twz_mutex *mutex, uint64_t expect, uint64_t mine)
{
    return __atomic_compare_exchange_n(&mutex->word, &expect, mine, 0, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

int twz_mutex_trylock(struct twz_mutex *mutex)
{
    uint64_t me = plat_owner();
    uint64_t word = __atomic_load_n(&mutex->word, __ATOMIC_RELAXED);

    if (word == 0)
        return exchange_word(mutex, 0, me) ? 0 : -TWZ_EBUSY;
    if (plat_owner_is_alive(word & ~CONTENDED))
        return -TWZ_EBUSY;
    return exchange_word(mutex, word, me | CONTENDED) ? TWZ_MUTEX_DIED : -TWZ_EBUSY;
}

/* Try until the lock is taken or `until` has passed (-TWZ_EBUSY); sleep between the tries. */
static int lock_contended(struct twz_mutex *mutex, uint64_t me, uint64_t until)
{
    do {
        uint64_t word = __atomic_load_n(&mutex->word, __ATOMIC_RELAXED);

        if (word == 0) {
            if (exchange_word(mutex, 0, me | CONTENDED))
                return 0;
        } else if (!plat_owner_is_alive(word & ~CONTENDED)) {
            if (exchange_word(mutex, word, me | CONTENDED))
                return TWZ_MUTEX_DIED;
        } else if ((word & CONTENDED) || exchange_word(mutex, word, word | CONTENDED)) {
            plat_wait(&mutex->word, word | CONTENDED, RECHECK_NS);
        }
    } while (until == FOREVER || plat_time() < until);
    return -TWZ_EBUSY;
}

static int lock_until(struct twz_mutex *mutex, uint64_t me, uint64_t until)
{
    for (uint32_t i = 0; i < SPINS; i++) {
        if (exchange_word(mutex, 0, me))
            return 0;
        plat_pause();
    }
    return lock_contended(mutex, me, until);
}

int twz_mutex_lock(struct twz_mutex *mutex)
{
    return lock_until(mutex, plat_owner(), FOREVER);
}

int twz_mutex_lock_for(struct twz_mutex *mutex, uint64_t ns)
{
    if (twz_mutex_is_mine(mutex))
        return -TWZ_EBUSY;
    return lock_until(mutex, plat_owner(), plat_time() + ns);
}

void twz_mutex_unlock(struct twz_mutex *mutex)
{
    uint64_t word = __atomic_exchange_n(&mutex->word, 0, __ATOMIC_RELEASE);

    if (word & CONTENDED)
        plat_wake(&mutex->word, 1);
}

bool twz_mutex_is_mine(const struct twz_mutex *mutex)
{
    return (__atomic_load_n(&mutex->word, __ATOMIC_RELAXED) & ~CONTENDED) == plat_owner();
}

bool twz_mutex_is_held(const struct twz_mutex *mutex)
{
    return __atomic_load_n(&mutex->word, __ATOMIC_ACQUIRE) != 0;
}
