/* SPDX-License-Identifier: MIT */
/*
 * Key pairs and signatures of user programs. The kernel has none of this: it only verifies.
 *
 * Secrets lie in struct sign_key alone. The caller must wipe each one with sign_key_wipe on every
 * path. Signing takes the same time for all keys. Random bytes come from the host's generator. No
 * function blocks, except that sign_key_make waits for the generator to be seeded.
 */
#ifndef SIGN_SIGN_H
#define SIGN_SIGN_H

#include <verify/capability.h>
#include <verify/statement.h>

#define SIGN_SECRET 64u /* of a key pair: 32 bytes of seed, then the public key */

struct sign_key {
    uint8_t signing[SIGN_SECRET];
    uint8_t recovery[SIGN_SECRET];
    struct sec_ku ku; /* the public keys, as a ku has them */
};

/* Makes two new key pairs. -TWZ_ENAMELEN if the label is SEC_LABEL bytes or longer. */
int sign_key_make(struct sign_key *key, const char *label);

void sign_key_wipe(struct sign_key *key);

/* Sign a statement, whose version and algorithm the function sets. One that is not well formed is
 * not signed: no verifier would accept it. A rotation is signed by the recovery key. */
enum sec_reason sign_cap(struct sec_cap *cap, const struct sign_key *key);
enum sec_reason sign_revocation(struct sec_revocation *revocation, const struct sign_key *key);
enum sec_reason sign_rotation(struct sec_rotation *rotation, const struct sign_key *key);

/* Verify the signature alone, under the keys of a ku. */
bool sign_verify_cap(const struct sec_cap *cap, const struct sec_ku *ku);
bool sign_verify_revocation(const struct sec_revocation *revocation, const struct sec_ku *ku);
bool sign_verify_rotation(const struct sec_rotation *rotation, const struct sec_ku *ku);

#endif
