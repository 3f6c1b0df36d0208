/* SPDX-License-Identifier: MIT */
/*
 * Owns the random generators, one for each core: hash generators over BLAKE2b.
 *
 * From its key K a refill computes out_i = H(K, i) for i = 1 .. n, then K = H(K, 0). So neither the
 * bytes given out nor an earlier key can be computed from the state that is left. Bytes are wiped
 * as they are given out. A core's first key is derived from the root key, and its number; a part of
 * each later one comes from the processor's random source. The root key does too; without such a
 * source it has the clock only, and the log says so.
 *
 * random_mix changes the root key. Each core then derives a new key from it at its next use.
 *
 * The lock guards the root key. A generator belongs to its core. The lock is taken last.
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

struct generator {
    uint32_t mixes; /* value of `mixes` when the key was derived */
    uint8_t key[KEY_BYTES];
    uint8_t pool[OUT_BLOCKS * OUT_BYTES];
    size_t pool_left; /* the last pool_left bytes of pool are unused */
};

static SHARED_LOCK struct spinlock lock;
static uint8_t root_key[KEY_BYTES];
static _Atomic uint32_t mixes; /* number of changes of the root key */
static struct generator generators[MAX_CPUS];

/* H(key, index, extra). */
static void derive_bytes(const uint8_t key[KEY_BYTES], void *out, size_t size, uint64_t index,
                         const void *extra, size_t extra_len)
{
    struct hash hash;

    hash_init(&hash, size);
    hash_update(&hash, key, KEY_BYTES);
    hash_update(&hash, &index, sizeof(index));
    hash_update(&hash, extra, extra_len);
    hash_final(&hash, out, size);
    memset(&hash, 0, sizeof(hash));
    __asm__ volatile("" : : "r"(&hash) : "memory");
}

static void refill_pool(struct generator *g)
{
    uint64_t fresh[2] = { 0, arch_boot_ticks() };

    (void)arch_random64(&fresh[0]);
    for (uint64_t i = 0; i < OUT_BLOCKS; i++)
        derive_bytes(g->key, g->pool + i * OUT_BYTES, OUT_BYTES, i + 1, NULL, 0);
    derive_bytes(g->key, g->key, KEY_BYTES, 0, fresh, sizeof(fresh));
    g->pool_left = sizeof(g->pool);
}

/* Changes the root key. The caller must hold the lock, or be the only core. */
static void mix_root(const void *data, size_t len)
{
    derive_bytes(root_key, root_key, KEY_BYTES, 0, data, len);
    atomic_fetch_add(&mixes, 1);
}

/* Gives this core's generator a key of its own, and the root key a new value. */
static void seed_generator(struct generator *g)
{
    uint64_t core = arch_cpu_id();

    spin_lock(&lock);
    g->mixes = atomic_load(&mixes);
    derive_bytes(root_key, g->key, KEY_BYTES, 1, &core, sizeof(core));
    derive_bytes(root_key, root_key, KEY_BYTES, 2, &core, sizeof(core));
    spin_unlock(&lock);
    memset(g->pool, 0, sizeof(g->pool));
    g->pool_left = 0;
}

void random_init(void)
{
    uint64_t seed[SEED_WORDS + 2];
    bool good = true;

    for (unsigned i = 0; i < SEED_WORDS; i++)
        good &= arch_random64(&seed[i]);
    if (!good)
        log_printf("random: this processor has no random source; addresses and IDs may be guessed");
    seed[SEED_WORDS] = arch_boot_ticks();
    seed[SEED_WORDS + 1] = arch_clock_ns();
    mix_root(seed, sizeof(seed));
    memset(seed, 0, sizeof(seed));
    __asm__ volatile("" : : "r"(seed) : "memory");
}

void random_mix(const void *data, size_t len)
{
    spin_lock(&lock);
    mix_root(data, len);
    spin_unlock(&lock);
}

void random_bytes(void *out, size_t len)
{
    struct generator *g = &generators[arch_cpu_id()];
    uint8_t *to = out;

    if (g->mixes != atomic_load(&mixes))
        seed_generator(g);
    while (len) {
        size_t part;
        uint8_t *from;

        if (!g->pool_left)
            refill_pool(g);
        part = len < g->pool_left ? len : g->pool_left;
        from = g->pool + sizeof(g->pool) - g->pool_left;
        memcpy(to, from, part);
        memset(from, 0, part);
        g->pool_left -= part;
        to += part;
        len -= part;
    }
}
