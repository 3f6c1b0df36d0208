/* SPDX-License-Identifier: MIT */
/*
 * Spin locks: fair (ticket), interrupts are off anyway. Lock order is written at the top of each
 * file that takes two. Spinning calls arch_pause.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <kernel/arch.h>
#include <stdatomic.h>

struct spinlock {
    _Atomic uint32_t next;
    _Atomic uint32_t owner;
};

static inline void spin_lock(struct spinlock *l)
{
    uint32_t me = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);

    while (atomic_load_explicit(&l->owner, memory_order_acquire) != me)
        arch_pause();
}

static inline bool spin_trylock(struct spinlock *l)
{
    uint32_t me = atomic_load_explicit(&l->owner, memory_order_relaxed);

    return atomic_compare_exchange_strong_explicit(&l->next, &me, me + 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void spin_unlock(struct spinlock *l)
{
    uint32_t me = atomic_load_explicit(&l->owner, memory_order_relaxed);

    atomic_store_explicit(&l->owner, me + 1, memory_order_release);
}

#endif
