/* SPDX-License-Identifier: MIT */
/*
 * Revocations, rotations and public keys (security/format.h) without cryptography: whether one is
 * well formed, and whether it applies. Pure functions; none blocks or takes a lock. As with
 * capabilities, the caller must check the form first, then the use, and then the signature.
 */
#ifndef VERIFY_STATEMENT_H
#define VERIFY_STATEMENT_H

#include <verify/capability.h>

/* One revocation raises an epoch by no more. The pool's floor follows the epochs of deleted
 * objects, so a single statement must not be able to use up all of them. */
#define SEC_EPOCH_STEP 65536u

enum sec_reason revocation_check_form(const struct sec_revocation *revocation);

/* For the target and its present epoch. */
enum sec_reason revocation_check_use(const struct sec_revocation *revocation, objid_t target,
                                     uint64_t epoch);

enum sec_reason rotation_check_form(const struct sec_rotation *rotation);

/* For the ku and the count of the rotation in force, 0 if there is none. */
enum sec_reason rotation_check_use(const struct sec_rotation *rotation, objid_t ku, uint64_t count);

/* The content of a ku. SEC_REASON_NONE or SEC_REASON_KEY. The caller must see to it that the object
 * is sealed. */
enum sec_reason ku_check(const struct sec_ku *ku);

#endif
