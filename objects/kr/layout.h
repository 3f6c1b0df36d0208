/* SPDX-License-Identifier: MIT */
/*
 * Layout of a kr: a record (common/layout.h has its crash protocol) that holds the private keys of
 * a ku, sealed by a passphrase. The sealed bytes are a key file (security/sign/keyfile.h): Argon2id
 * makes a key from the passphrase, and a secret box holds the seeds under it. This type does not
 * open them. Keys without a passphrase are refused: no secret lies in a pool as it is.
 *
 * A new passphrase replaces the bytes. The old ones are wiped before record_write returns, or by
 * the next change after a power failure, so the old passphrase opens nothing.
 */
#ifndef KR_LAYOUT_H
#define KR_LAYOUT_H

#include <twz/types.h>

#define KR_TAG     0x2020726b00000001ull
#define KR_MAGIC   0x31202d726b7a7774ull
#define KR_VERSION 1u
#define KR_SEALED  448u /* bytes, at most */

#define KR_ARGON2ID 1u /* the protection: as KEYFILE_ARGON2ID */

struct kr {
    objid_t ku;           /* the public keys; 0: not known */
    uint32_t protection;  /* KR_ARGON2ID */
    uint32_t len;         /* bytes in use of `sealed`; the others are 0 */
    uint64_t reserved[5]; /* 0 */
    uint8_t sealed[KR_SEALED];
};
_Static_assert(sizeof(struct kr) == 512, "kr size");

#endif
