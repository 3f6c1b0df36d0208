/* SPDX-License-Identifier: MIT */
/*
 * Waiting. Each wait that a signal may end must come here. wait_ops reads the thread's pending
 * word, checks for signals, then sleeps while the word has that value; on_signal (life/deliver.c)
 * changes the word. So no signal falls between the check and the sleep. The caller must hold no
 * lock.
 */
#ifndef TWIX_WAIT_H
#define TWIX_WAIT_H

#include <stdint.h>
#include <twz/sync.h>

/* The sleep on a 64-bit word while it has `value`. */
static inline struct twz_sync wait_sleep_op(const uint64_t *word, uint64_t value)
{
    return (struct twz_sync){ .addr = (uint64_t)(uintptr_t)word,
                              .value = value,
                              .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
}

/* thread_sync on ops[0 .. count), until `deadline` (monotonic ns, TWZ_FOREVER). ops[count] must
 * exist; it is overwritten. 0: the caller must check its condition again. -EINTR: a signal is to be
 * delivered. -ETIMEDOUT. */
int wait_ops(struct twz_sync *ops, uint64_t count, uint64_t deadline);

/* wait_ops for one word. */
int wait_word(const uint64_t *word, uint64_t value, uint64_t deadline);

#endif
