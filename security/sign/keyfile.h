/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a key file: both key pairs of an owner. The public part can be read by all that can
 * read the file. The seeds of the secret keys lie in a secret box (XSalsa20, Poly1305) under a key
 * that Argon2id makes from a passphrase; without a passphrase they lie there as they are. The seeds
 * have a digest of the public part with them, so that neither part can be exchanged.
 *
 * The caller must write a key file so that it appears whole, with mode 0600, and never over another
 * file. It must wipe passphrases, and buffers that had the file without a passphrase.
 */
#ifndef SIGN_KEYFILE_H
#define SIGN_KEYFILE_H

#include <sign/sign.h>

#define KEYFILE_MAGIC   0x3179656b2d7a7774ull /* "twz-key1" */
#define KEYFILE_VERSION 1u

#define KEYFILE_PLAIN    0u /* no passphrase */
#define KEYFILE_ARGON2ID 1u /* version 1.3 */

/* A passphrase has at least one byte, and at most so many. */
#define KEYFILE_PASSPHRASE 1024u

struct key_file {
    uint64_t magic;      /* KEYFILE_MAGIC */
    uint32_t version;    /* KEYFILE_VERSION */
    uint32_t protection; /* KEYFILE_PLAIN, KEYFILE_ARGON2ID */
    uint64_t passes;     /* Argon2id: passes over the memory; plain: 0 */
    uint64_t memory;     /* Argon2id: bytes of memory; plain: 0 */
    uint8_t salt[16];    /* Argon2id; plain: 0 */
    uint8_t nonce[24];   /* of the secret box; plain: 0 */
    struct sec_ku ku;
    uint8_t tag[16];    /* of the secret box; plain: 0 */
    uint8_t secret[96]; /* seeds of signing and recovery, then the digest of all before `tag` */
};
_Static_assert(sizeof(struct key_file) == 312, "key file size");
_Static_assert(offsetof(struct key_file, tag) == 200, "the digest covers 200 bytes");

/* Fills in the file. len 0: without a passphrase. -TWZ_ENOMEM; -TWZ_ERANGE: the passphrase is too
 * long. Takes about half a second with a passphrase. */
int keyfile_seal(struct key_file *file, const struct sign_key *key, const char *passphrase,
                 size_t len);

/* Checks all that can be checked without a passphrase. -TWZ_ETYPE: it is no key file;
 * -TWZ_EVERSION; -TWZ_EDAMAGED. */
int keyfile_check(const struct key_file *file);

/* Opens a file that keyfile_check accepts; len 0: without a passphrase. -TWZ_EDENIED: the
 * passphrase is wrong, or missing, or the secret part was changed; -TWZ_EDAMAGED: it belongs to
 * other public keys; -TWZ_ENOMEM. After an error `key` is wiped. */
int keyfile_open(const struct key_file *file, const char *passphrase, size_t len,
                 struct sign_key *key);

#endif
