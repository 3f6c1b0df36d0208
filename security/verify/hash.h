/* SPDX-License-Identifier: MIT */
/*
 * BLAKE2b (libsodium's portable implementation) for IDs and fingerprints. Freestanding and pure:
 * no allocation, no globals that change, any thread at any time.
 */
#ifndef VERIFY_HASH_H
#define VERIFY_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <twz/types.h>

#define HASH_MAX 64u

struct hash {
    _Alignas(64) uint8_t state[448];
};

/* Digest of `size` bytes, 1 .. HASH_MAX. init, any number of updates, final once. */
void hash_init(struct hash *hash, size_t size);
void hash_update(struct hash *hash, const void *data, size_t len);
void hash_final(struct hash *hash, void *out, size_t size);

/* The three in one. */
void hash_bytes(void *out, size_t size, const void *data, size_t len);

/*
 * ID of an object that is not sealed: BLAKE2b-128 over nonce (16 bytes), default permissions
 * (4 bytes) and kuid (16 bytes), little endian, in that order.
 */
objid_t hash_objid(const uint64_t nonce[2], uint32_t perms, objid_t kuid);

#endif
