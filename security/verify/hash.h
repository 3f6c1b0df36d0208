/* SPDX-License-Identifier: MIT */
/*
 * BLAKE2b (libsodium's portable implementation) for IDs and fingerprints. Freestanding and pure: no
 * locks, no allocation, no state outside of struct hash. No function blocks or fails. Two threads
 * must not use one struct hash at a time.
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

/* A digest of `size` bytes, which must be 1 .. HASH_MAX and the same in both calls. hash_init must
 * be called first, then hash_update any number of times, then hash_final once. */
void hash_init(struct hash *hash, size_t size);
void hash_update(struct hash *hash, const void *data, size_t len);
void hash_final(struct hash *hash, void *out, size_t size);

/* hash_init with a person: 16 bytes that tell this use of the hash apart from all others (RFC 7693
 * with a parameter block: BLAKE2, section 2.8). */
#define HASH_PERSON 16u
void hash_init_person(struct hash *hash, size_t size, const char person[HASH_PERSON]);

/* All three, for one range. */
void hash_bytes(void *out, size_t size, const void *data, size_t len);

/*
 * The ID of an object that is not sealed: BLAKE2b-128 over nonce (16 bytes), default permissions
 * (4 bytes) and kuid (16 bytes), little endian, in that order.
 */
objid_t hash_objid(const uint64_t nonce[2], uint32_t perms, objid_t kuid);

#endif
