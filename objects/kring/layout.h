/* SPDX-License-Identifier: MIT */
/*
 * Layout of a kring: a record (common/layout.h has its crash protocol) that lists public keys, what
 * they may be used for, how far the owner of the kring trusts them, and the objects with the
 * private keys that the owner has.
 *
 * A kring gives no right: a capability counts if the key that its target's kuid names has signed
 * it.
 */
#ifndef KRING_LAYOUT_H
#define KRING_LAYOUT_H

#include <twz/types.h>

#define KRING_TAG     0x676e697200000001ull
#define KRING_MAGIC   0x316e69726b7a7774ull
#define KRING_VERSION 1u
#define KRING_MAX     60u /* keys of one kring */

/* Trust. */
#define KRING_UNKNOWN 0u
#define KRING_NEVER   1u /* a key that was stolen, or is not who it says */
#define KRING_KNOWN   2u /* the owner has compared it */
#define KRING_OWN     3u /* the owner's own key */
#define KRING_TRUSTS  4u

/* Purpose bits. */
#define KRING_SIGN    1u /* objects and capabilities of the owner */
#define KRING_LOGIN   2u /* sessions */
#define KRING_RECOVER 4u /* rotation of a lost key */
#define KRING_PURPOSE 7u

struct kring_key {
    objid_t ku; /* the public keys */
    objid_t kr; /* the private keys; 0: not known */
    uint32_t trust;
    uint32_t purpose;
    uint64_t added_ns; /* nanoseconds since 1970 */
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct kring_key) == 64, "kring key size");

struct kring {
    uint64_t count; /* keys in use: key[0 .. count); the others are 0 */
    uint64_t reserved[7];
    struct kring_key key[KRING_MAX];
};
_Static_assert(sizeof(struct kring) == 3904, "kring size");

#endif
