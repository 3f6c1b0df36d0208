/* SPDX-License-Identifier: MIT */
/*
 * Ed25519 signatures (RFC 8032), checked in steps. A whole check takes some 680,000 instructions,
 * which the kernel must not spend in one stay. A step takes at most SIGNATURE_STEP (the longest one
 * 45,079, measured). Freestanding and pure: no locks, no allocation, no state outside of struct
 * signature. No function blocks.
 *
 * Refused are, as by libsodium: a scalar S that is not reduced, a key that is not canonical, and a
 * key or R of small order. Keys and signatures are public, so the time may depend on them.
 */
#ifndef VERIFY_SIGNATURE_H
#define VERIFY_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_SIZE    64u
#define SIGNATURE_KEY     32u    /* bytes of a public key */
#define SIGNATURE_MESSAGE 256u   /* bytes of a message, at most */
#define SIGNATURE_STEP    50000u /* instructions of one step, at most */

struct signature {
    _Alignas(64) uint8_t state[3072];
};

/* Begins a check. The message is copied. len must be SIGNATURE_MESSAGE at most. */
void signature_begin(struct signature *check, const uint8_t signature[SIGNATURE_SIZE],
                     const uint8_t key[SIGNATURE_KEY], const void *message, size_t len);

/* Does one step. Returns 1 if the caller must call again, 0 if the signature is valid, and -1 if it
 * is not. After a result other than 1, it must not be called again. */
int signature_step(struct signature *check);

/* Does a whole check. Returns 0 if the signature is valid, else -1. */
int signature_check(const uint8_t signature[SIGNATURE_SIZE], const uint8_t key[SIGNATURE_KEY],
                    const void *message, size_t len);

#endif
