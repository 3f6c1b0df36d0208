/* SPDX-License-Identifier: MIT */
/*
 * Spin locks, fair (ticket). Interrupts are off in the kernel, so a lock never meets an interrupt
 * of its own core. A core that spins calls arch_pause. A file that takes two locks must state their
 * order at its top; doc/locks.md has all of them.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <kernel/arch.h>
#include <stdatomic.h>

struct spinlock {
    _Atomic uint32_t next;
    _Atomic uint32_t owner;
};

/* Must mark each static lock, or the variable that contains it: all cores share it. The section
 * lets tests/kernel/locks.py find them. */
#define SHARED_LOCK __attribute__((section(".data.locks"), aligned(64)))

static inline void spin_lock(struct spinlock *l)
{
    uint32_t me = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);

    if (__builtin_expect(atomic_load_explicit(&l->owner, memory_order_acquire) != me, 0))
        arch_wait_word(&l->owner, me);
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
