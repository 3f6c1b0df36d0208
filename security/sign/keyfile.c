/* SPDX-License-Identifier: MIT */
#include <sign/keyfile.h>
#include <string.h>
#include <twz/error.h>
#include <verify/hash.h>

#include "crypto_pwhash_argon2id.h"
#include "crypto_secretbox.h"
#include "crypto_sign_ed25519.h"
#include "randombytes.h"
#include "utils.h"

#define SEED   32u
#define DIGEST 32u

/* The cost of a new passphrase: more passes than libsodium calls moderate, over less memory,
 * because a small machine must open the file, too. A file may ask for more, up to the limits. */
#define PASSES     4u
#define MEMORY     (64u << 20)
#define PASSES_MAX 64u
#define MEMORY_MIN (8u << 10)
#define MEMORY_MAX (1u << 30)

struct secret {
    uint8_t signing[SEED];
    uint8_t recovery[SEED];
    uint8_t digest[DIGEST];
};
_Static_assert(sizeof(struct secret) == sizeof(((struct key_file *)0)->secret), "secret size");
_Static_assert(crypto_secretbox_MACBYTES == sizeof(((struct key_file *)0)->tag), "tag size");
_Static_assert(crypto_secretbox_NONCEBYTES == sizeof(((struct key_file *)0)->nonce), "nonce size");
_Static_assert(crypto_pwhash_argon2id_SALTBYTES == sizeof(((struct key_file *)0)->salt),
               "salt size");

static void digest_public(const struct key_file *file, uint8_t digest[DIGEST])
{
    hash_bytes(digest, DIGEST, file, offsetof(struct key_file, tag));
}

static int derive_key(const struct key_file *file, const char *passphrase, size_t len,
                      uint8_t key[crypto_secretbox_KEYBYTES])
{
    return crypto_pwhash_argon2id(key, crypto_secretbox_KEYBYTES, passphrase, len, file->salt,
                                  file->passes, file->memory,
                                  crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0
               ? 0
               : -TWZ_ENOMEM;
}

static int seal_secret(struct key_file *file, const struct secret *secret, const char *passphrase,
                       size_t len)
{
    uint8_t key[crypto_secretbox_KEYBYTES];
    int err = derive_key(file, passphrase, len, key);

    if (err == 0)
        crypto_secretbox_detached(file->secret, file->tag, (const uint8_t *)secret, sizeof(*secret),
                                  file->nonce, key);
    sodium_memzero(key, sizeof(key));
    return err;
}

int keyfile_seal(struct key_file *file, const struct sign_key *key, const char *passphrase,
                 size_t len)
{
    struct secret secret;
    int err = 0;

    if (len > KEYFILE_PASSPHRASE)
        return -TWZ_ERANGE;
    memset(file, 0, sizeof(*file));
    file->magic = KEYFILE_MAGIC;
    file->version = KEYFILE_VERSION;
    file->ku = key->ku;
    if (len > 0) {
        file->protection = KEYFILE_ARGON2ID;
        file->passes = PASSES;
        file->memory = MEMORY;
        randombytes_buf(file->salt, sizeof(file->salt));
        randombytes_buf(file->nonce, sizeof(file->nonce));
    }
    crypto_sign_ed25519_sk_to_seed(secret.signing, key->signing);
    crypto_sign_ed25519_sk_to_seed(secret.recovery, key->recovery);
    digest_public(file, secret.digest);
    if (len > 0)
        err = seal_secret(file, &secret, passphrase, len);
    else
        memcpy(file->secret, &secret, sizeof(secret));
    sodium_memzero(&secret, sizeof(secret));
    if (err < 0)
        sodium_memzero(file, sizeof(*file));
    return err;
}

static bool is_plain_valid(const struct key_file *file)
{
    return file->passes == 0 && file->memory == 0 &&
           sodium_is_zero(file->salt, sizeof(file->salt)) &&
           sodium_is_zero(file->nonce, sizeof(file->nonce)) &&
           sodium_is_zero(file->tag, sizeof(file->tag));
}

/* The limits keep a file of an adversary from taking all memory, or time without end. */
static bool is_argon2id_valid(const struct key_file *file)
{
    return file->passes >= 1 && file->passes <= PASSES_MAX && file->memory >= MEMORY_MIN &&
           file->memory <= MEMORY_MAX;
}

int keyfile_check(const struct key_file *file)
{
    if (file->magic != KEYFILE_MAGIC)
        return -TWZ_ETYPE;
    if (file->version != KEYFILE_VERSION || file->protection > KEYFILE_ARGON2ID)
        return -TWZ_EVERSION;
    if (ku_check(&file->ku) != SEC_REASON_NONE)
        return -TWZ_EDAMAGED;
    if (file->protection == KEYFILE_PLAIN ? !is_plain_valid(file) : !is_argon2id_valid(file))
        return -TWZ_EDAMAGED;
    return 0;
}

static int open_secret(const struct key_file *file, const char *passphrase, size_t len,
                       struct secret *secret)
{
    uint8_t key[crypto_secretbox_KEYBYTES];
    int err = derive_key(file, passphrase, len, key);

    if (err == 0 && crypto_secretbox_open_detached((uint8_t *)secret, file->secret, file->tag,
                                                   sizeof(*secret), file->nonce, key) != 0)
        err = -TWZ_EDENIED;
    sodium_memzero(key, sizeof(key));
    return err;
}

/* The key pairs of the seeds. They must have the public keys of the file. */
static int make_pairs(const struct key_file *file, const struct secret *secret,
                      struct sign_key *key)
{
    uint8_t digest[DIGEST], signing[SEC_KEY], recovery[SEC_KEY];

    digest_public(file, digest);
    key->ku = file->ku;
    crypto_sign_ed25519_seed_keypair(signing, key->signing, secret->signing);
    crypto_sign_ed25519_seed_keypair(recovery, key->recovery, secret->recovery);
    if (memcmp(digest, secret->digest, sizeof(digest)) != 0 ||
        memcmp(signing, file->ku.signing, sizeof(signing)) != 0 ||
        memcmp(recovery, file->ku.recovery, sizeof(recovery)) != 0)
        return -TWZ_EDAMAGED;
    return 0;
}

int keyfile_open(const struct key_file *file, const char *passphrase, size_t len,
                 struct sign_key *key)
{
    struct secret secret;
    int err = 0;

    if (file->protection == KEYFILE_PLAIN)
        memcpy(&secret, file->secret, sizeof(secret));
    else if (len == 0 || len > KEYFILE_PASSPHRASE)
        err = -TWZ_EDENIED;
    else
        err = open_secret(file, passphrase, len, &secret);
    if (err == 0)
        err = make_pairs(file, &secret, key);
    sodium_memzero(&secret, sizeof(secret));
    if (err < 0)
        sign_key_wipe(key);
    return err;
}
