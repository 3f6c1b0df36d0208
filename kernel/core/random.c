/* SPDX-License-Identifier: MIT */
/*
 * Owns the random generator: a hash generator over BLAKE2b.
 *
 * From the key K a refill computes out_i = H(K, i) for i = 1 .. n, then K = H(K, 0). So neither the
 * bytes given out nor an earlier key can be computed from the state that is left. Bytes are wiped
 * as they are given out. The first key, and a part of each later one, comes from the processor's
 * random source. Without such a source the first key has the clock only, and the log says so.
 *
 * One lock, taken last.
 */
#include <kernel/arch.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/random.h>
#include <lib/string.h>
#include <verify/hash.h>

#define KEY_BYTES  32u
#define OUT_BYTES  64u
#define OUT_BLOCKS 4u
#define SEED_WORDS 8u

static struct spinlock lock;
static uint8_t key[KEY_BYTES];
static uint8_t pool[OUT_BLOCKS * OUT_BYTES];
static size_t pool_left; /* the last pool_left bytes of pool are unused */

/* H(key, index, extra). */
static void derive_bytes(void *out, size_t size, uint64_t index, const void *extra,
                         size_t extra_len)
{
    struct hash hash;

    hash_init(&hash, size);
    hash_update(&hash, key, sizeof(key));
    hash_update(&hash, &index, sizeof(index));
    hash_update(&hash, extra, extra_len);
    hash_final(&hash, out, size);
    memset(&hash, 0, sizeof(hash));
    __asm__ volatile("" : : "r"(&hash) : "memory");
}

static void refill_pool(void)
{
    uint64_t fresh[2] = { 0, arch_boot_ticks() };

    (void)arch_random64(&fresh[0]);
    for (uint64_t i = 0; i < OUT_BLOCKS; i++)
        derive_bytes(pool + i * OUT_BYTES, OUT_BYTES, i + 1, NULL, 0);
    derive_bytes(key, sizeof(key), 0, fresh, sizeof(fresh));
    pool_left = sizeof(pool);
}

void random_init(void)
{
    uint64_t seed[SEED_WORDS + 2];
    bool good = true;

    for (unsigned i = 0; i < SEED_WORDS; i++)
        good &= arch_random64(&seed[i]);
    if (!good)
        log_printf("random: this processor has no random source; IDs may repeat");
    seed[SEED_WORDS] = arch_boot_ticks();
    seed[SEED_WORDS + 1] = arch_clock_ns();
    derive_bytes(key, sizeof(key), 0, seed, sizeof(seed));
    memset(seed, 0, sizeof(seed));
    __asm__ volatile("" : : "r"(seed) : "memory");
}

void random_mix(const void *data, size_t len)
{
    spin_lock(&lock);
    derive_bytes(key, sizeof(key), 0, data, len);
    memset(pool, 0, sizeof(pool));
    pool_left = 0;
    spin_unlock(&lock);
}

void random_bytes(void *out, size_t len)
{
    uint8_t *to = out;

    spin_lock(&lock);
    while (len) {
        size_t part;
        uint8_t *from;

        if (!pool_left)
            refill_pool();
        part = len < pool_left ? len : pool_left;
        from = pool + sizeof(pool) - pool_left;
        memcpy(to, from, part);
        memset(from, 0, part);
        pool_left -= part;
        to += part;
        len -= part;
    }
    spin_unlock(&lock);
}
