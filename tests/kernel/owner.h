/* SPDX-License-Identifier: MIT */
/* Owners of objects, with keys that a test makes from a number, and the statements that they sign.
 * */
#ifndef TESTS_OWNER_H
#define TESTS_OWNER_H

#include <sign/sign.h>
#include <twz/sec.h>

#include "user.h"

#define RW   (TWZ_READ | TWZ_WRITE)
#define NONE TWZ_OBJID_NONE

struct owner {
    struct sign_key key;
    objid_t ku;
};

/* The revocation epoch of the object that owner_object made last. */
#define OWNER_EPOCH (SHARED->word[60])

void owner_make(struct owner *o, uint8_t number);

/* A volatile object of an owner. */
objid_t owner_object(const struct owner *o, uint32_t kind, uint32_t perms);

/* Unsigned capabilities: for the object that owner_object made last, for all objects of an owner;
 * and a delegation. The caller may change them before they are signed. */
struct sec_cap owner_cap(objid_t context, objid_t object, uint32_t perms);
struct sec_cap owner_cap_all(objid_t context, const struct owner *o, uint32_t perms);
struct sec_cap owner_delegation(objid_t from, objid_t to, objid_t object, uint32_t perms);

/* Signs a capability and adds it to its context; adds a signed one; removes it. */
void owner_add(struct sec_cap *cap, const struct owner *o);
long cap_add(const struct sec_cap *cap);
long owner_withdraw(const struct sec_cap *cap);

/* Raises the epoch of an object. */
long owner_revoke(objid_t target, uint64_t epoch, const struct owner *o);

#endif
