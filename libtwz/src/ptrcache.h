/* SPDX-License-Identifier: MIT */
/*
 * The cache of resolved pointers: (slot of the holder, FOT index) -> slot of the target. A slot is
 * an address divided by 1 GiB.
 *
 * INVARIANTS
 *   - One word holds question and answer, so a reader needs no lock and cannot see half an entry. A
 *     miss only costs another resolution.
 *   - The target of a cached answer stays mapped.
 *   - twz_ptr_forget (platform.h) must be called before the address of an unmapped object means
 *     another object.
 */
#ifndef LIBTWZ_PTRCACHE_H
#define LIBTWZ_PTRCACHE_H

#include <stdbool.h>

#include <twz/object.h>

#define PTR_CACHE_WORDS 1024u
#define PTR_SLOT_BITS   17
#define PTR_SLOT_MASK   ((1ull << PTR_SLOT_BITS) - 1)

/* A word is key << PTR_SLOT_BITS | slot of the target. */
extern uint64_t ptr_cache[PTR_CACHE_WORDS] __attribute__((visibility("hidden")));

static inline uint64_t ptr_slot(const void *p)
{
    return (uint64_t)(uintptr_t)p >> TWZ_OBJ_SHIFT;
}

static inline uint64_t ptr_cache_key(const void *holder, uint64_t index)
{
    return ptr_slot(holder) << 16 | index;
}

static inline uint64_t *ptr_cache_word(uint64_t key)
{
    return &ptr_cache[(key ^ key >> 16) % PTR_CACHE_WORDS];
}

/* *slot: the target's slot. False on a miss. Pairs with ptr_cache_put. */
static inline bool ptr_cache_get(const void *holder, uint64_t index, uint64_t *slot)
{
    uint64_t key = ptr_cache_key(holder, index);
    uint64_t word = __atomic_load_n(ptr_cache_word(key), __ATOMIC_ACQUIRE);

    *slot = word & PTR_SLOT_MASK;
    return word >> PTR_SLOT_BITS == key;
}

/* The target must stay mapped from here on. */
void ptr_cache_put(const void *holder, uint64_t index, const void *target);

#endif
