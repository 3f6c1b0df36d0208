/* SPDX-License-Identifier: MIT */
/*
 * The only use of BLAKE2b: a thin wrapper around libsodium's reference files, built without the
 * rest of that library (verify/port.c has the functions they call). No locks, no state.
 */
#include <lib/string.h>
#include <verify/hash.h>

#include "blake2.h"

_Static_assert(sizeof(blake2b_state) <= sizeof(((struct hash *)0)->state), "state fits");

void hash_init(struct hash *hash, size_t size)
{
    (void)blake2b_init((blake2b_state *)(void *)hash->state, (uint8_t)size);
}

void hash_init_person(struct hash *hash, size_t size, const char person[HASH_PERSON])
{
    (void)blake2b_init_salt_personal((blake2b_state *)(void *)hash->state, (uint8_t)size, NULL,
                                     person);
}

void hash_update(struct hash *hash, const void *data, size_t len)
{
    (void)blake2b_update((blake2b_state *)(void *)hash->state, data, len);
}

void hash_final(struct hash *hash, void *out, size_t size)
{
    (void)blake2b_final((blake2b_state *)(void *)hash->state, out, (uint8_t)size);
}

void hash_bytes(void *out, size_t size, const void *data, size_t len)
{
    struct hash hash;

    hash_init(&hash, size);
    hash_update(&hash, data, len);
    hash_final(&hash, out, size);
}

objid_t hash_objid(const uint64_t nonce[2], uint32_t perms, objid_t kuid)
{
    uint8_t input[36];
    objid_t id;

    memcpy(input, nonce, 16);
    memcpy(input + 16, &perms, 4);
    memcpy(input + 20, &kuid, 16);
    hash_bytes(&id, sizeof(id), input, sizeof(input));
    return id;
}
