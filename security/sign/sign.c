/* SPDX-License-Identifier: MIT */
#include <sign/sign.h>
#include <string.h>
#include <twz/error.h>
#include <verify/signature.h>

#include "crypto_sign_ed25519.h"
#include "utils.h"

_Static_assert(SIGN_SECRET == crypto_sign_ed25519_SECRETKEYBYTES, "secret key size");
_Static_assert(SEC_KEY == crypto_sign_ed25519_PUBLICKEYBYTES, "public key size");

int sign_key_make(struct sign_key *key, const char *label)
{
    size_t len = strlen(label);

    if (len >= SEC_LABEL)
        return -TWZ_ENAMELEN;
    memset(key, 0, sizeof(*key));
    key->ku.magic = SEC_KU_MAGIC;
    key->ku.version = SEC_VERSION;
    key->ku.algorithm = SEC_ALGORITHM_ED25519;
    memcpy(key->ku.label, label, len);
    crypto_sign_ed25519_keypair(key->ku.signing, key->signing);
    crypto_sign_ed25519_keypair(key->ku.recovery, key->recovery);
    return 0;
}

void sign_key_wipe(struct sign_key *key)
{
    sodium_memzero(key, sizeof(*key));
}

/* Signs the `len` bytes of a statement; the signature follows them. */
static void sign(void *statement, size_t len, const uint8_t secret[SIGN_SECRET])
{
    crypto_sign_ed25519_detached((uint8_t *)statement + len, NULL, statement, len, secret);
}

static bool is_signed(const void *statement, size_t len, const uint8_t key[SEC_KEY])
{
    return signature_check((const uint8_t *)statement + len, key, statement, len) == 0;
}

enum sec_reason sign_cap(struct sec_cap *cap, const struct sign_key *key)
{
    enum sec_reason reason;

    cap->version = SEC_VERSION;
    cap->algorithm = SEC_ALGORITHM_ED25519;
    reason = cap_check_form(cap);
    if (reason == SEC_REASON_NONE)
        sign(cap, offsetof(struct sec_cap, signature), key->signing);
    return reason;
}

enum sec_reason sign_revocation(struct sec_revocation *revocation, const struct sign_key *key)
{
    enum sec_reason reason;

    revocation->version = SEC_VERSION;
    revocation->algorithm = SEC_ALGORITHM_ED25519;
    reason = revocation_check_form(revocation);
    if (reason == SEC_REASON_NONE)
        sign(revocation, offsetof(struct sec_revocation, signature), key->signing);
    return reason;
}

enum sec_reason sign_rotation(struct sec_rotation *rotation, const struct sign_key *key)
{
    enum sec_reason reason;

    rotation->version = SEC_VERSION;
    rotation->algorithm = SEC_ALGORITHM_ED25519;
    reason = rotation_check_form(rotation);
    if (reason == SEC_REASON_NONE)
        sign(rotation, offsetof(struct sec_rotation, signature), key->recovery);
    return reason;
}

bool sign_verify_cap(const struct sec_cap *cap, const struct sec_ku *ku)
{
    return is_signed(cap, offsetof(struct sec_cap, signature), ku->signing);
}

bool sign_verify_revocation(const struct sec_revocation *revocation, const struct sec_ku *ku)
{
    return is_signed(revocation, offsetof(struct sec_revocation, signature), ku->signing);
}

bool sign_verify_rotation(const struct sec_rotation *rotation, const struct sec_ku *ku)
{
    return is_signed(rotation, offsetof(struct sec_rotation, signature), ku->recovery);
}
