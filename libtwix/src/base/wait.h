/* SPDX-License-Identifier: MIT */
/*
 * Waiting. A wait that a signal may end must use these functions. wait_ops reads the thread's
 * pending word, checks for signals, then sleeps while the pending word has the value that wait_ops
 * read. on_signal (life/deliver.c) changes that word. So no signal falls between the check and the
 * sleep. The caller must hold no lock.
 */
#ifndef TWIX_WAIT_H
#define TWIX_WAIT_H

#include <stdint.h>
#include <twz/sync.h>

/* Returns the operation that sleeps on a 64-bit word while the word has `value`. */
static inline struct twz_sync wait_sleep_op(const uint64_t *word, uint64_t value)
{
    return (struct twz_sync){ .addr = (uint64_t)(uintptr_t)word,
                              .value = value,
                              .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
}

/* Call thread_sync with ops[0 .. count) and a sleep on the pending word, until `deadline`
 * (monotonic ns, or TWZ_FOREVER). ops[count] must exist and is overwritten. Returns 0 when the
 * caller must check its condition again, or an error. -EINTR: a signal is to be delivered.
 * -ETIMEDOUT: the deadline is past. */
int wait_ops(struct twz_sync *ops, uint64_t count, uint64_t deadline);

/* As wait_ops, for one word. */
int wait_word(const uint64_t *word, uint64_t value, uint64_t deadline);

#endif
