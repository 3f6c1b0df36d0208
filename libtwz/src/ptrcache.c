/* SPDX-License-Identifier: MIT */
/* The cache of resolved pointers: see ptrcache.h. */
#include "ptrcache.h"

#include "platform.h"

uint64_t ptr_cache[PTR_CACHE_WORDS];

static uint32_t ever_used; /* 0: the cache is empty, so there is nothing to forget */

void ptr_cache_put(const void *holder, uint64_t index, const void *target)
{
    uint64_t key = ptr_cache_key(holder, index);

    __atomic_store_n(&ever_used, 1, __ATOMIC_RELEASE);
    __atomic_store_n(ptr_cache_word(key), key << PTR_SLOT_BITS | ptr_slot(target),
                     __ATOMIC_RELEASE);
}

void twz_ptr_forget(const uint8_t *start)
{
    uint64_t slot = ptr_slot(start);

    if (!__atomic_load_n(&ever_used, __ATOMIC_ACQUIRE))
        return;
    for (uint32_t i = 0; i < PTR_CACHE_WORDS; i++) {
        uint64_t word = __atomic_load_n(&ptr_cache[i], __ATOMIC_RELAXED);

        if ((word & PTR_SLOT_MASK) == slot || word >> (PTR_SLOT_BITS + 16) == slot)
            __atomic_store_n(&ptr_cache[i], 0, __ATOMIC_RELEASE);
    }
}
