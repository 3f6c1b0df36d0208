/* SPDX-License-Identifier: MIT */
/*
 * Capabilities and delegations (security/format.h) without cryptography: whether one is well
 * formed, whether it applies, and which rights it gives. Pure functions; none blocks or takes a
 * lock.
 *
 * A capability gives its rights if cap_check_form and cap_check_use find no reason against it, and
 * its signature is valid. The caller must look for a reason in this order: nothing of a capability
 * that is not well formed has a meaning.
 */
#ifndef VERIFY_CAPABILITY_H
#define VERIFY_CAPABILITY_H

#include <format.h>
#include <stdbool.h>

/* A reason to refuse a statement. Tools print them by name, so the numbers are stable. */
enum sec_reason {
    SEC_REASON_NONE = 0,
    /* it is not well formed */
    SEC_REASON_DOMAIN = 1,
    SEC_REASON_VERSION = 2,
    SEC_REASON_ALGORITHM = 3,
    SEC_REASON_FORM = 4,
    SEC_REASON_PERMS = 5,
    SEC_REASON_TARGET_NONE = 6,
    SEC_REASON_ACCESSOR_NONE = 7,
    SEC_REASON_DELEGATOR = 8, /* a capability with one, or a delegation without, or to itself */
    SEC_REASON_GATE = 9,
    SEC_REASON_TIMES = 10,
    SEC_REASON_RESERVED = 11,
    SEC_REASON_SUCCESSOR = 12, /* a rotation to none, or to itself */
    /* it does not apply */
    SEC_REASON_TARGET = 16,
    SEC_REASON_ACCESSOR = 17,
    SEC_REASON_NOT_YET = 18,
    SEC_REASON_EXPIRED = 19,
    SEC_REASON_EPOCH = 20,
    SEC_REASON_DELEGATOR_EPOCH = 21,
    SEC_REASON_STEP = 22, /* a revocation that raises the epoch too far */
    /* found by the caller */
    SEC_REASON_KEY = 32,       /* the public key object is missing, or is none */
    SEC_REASON_SIGNATURE = 33, /* not by that key */
    SEC_REASON_DEPTH = 34,     /* too long a chain of delegations */
    SEC_REASON_CYCLE = 35      /* a delegation leads back to its accessor */
};

/* Constant text for people. */
const char *sec_reason_text(enum sec_reason reason);

/* Rights on one object. Bits of TWZ_PERMS. */
struct sec_rights {
    uint32_t perms;
    uint32_t pad;
    uint64_t gate_start; /* gate_len != 0: TWZ_EXEC is for gate calls to offsets that are */
    uint64_t gate_len;   /* multiples of gate_align in [gate_start, gate_start + gate_len) */
    uint64_t gate_align;
    uint64_t not_before; /* they hold from then on ... */
    uint64_t expires;    /* ... and before that time; 0: for ever */
};

bool cap_is_delegation(const struct sec_cap *cap);

enum sec_reason cap_check_form(const struct sec_cap *cap);

/* The ku that must have signed it. kuid: of the target; of a delegation, that of the delegator. */
objid_t cap_signer(const struct sec_cap *cap, objid_t kuid);

/* The circumstances of a decision. Times in seconds of security time. */
struct cap_use {
    objid_t target;           /* the object */
    objid_t kuid;             /* its owner; 0: none, and no form KUID applies */
    objid_t accessor;         /* the context */
    uint64_t epoch;           /* of the object */
    uint64_t kuid_epoch;      /* of the ku */
    uint64_t delegator_epoch; /* of the delegation's delegator; ignored for a capability */
    uint64_t time;
};

enum sec_reason cap_check_use(const struct sec_cap *cap, const struct cap_use *use);

/* The rights that a capability gives; of a delegation, the most that it can give. */
struct sec_rights cap_rights(const struct sec_cap *cap);

/* Takes from `rights` all that `by` does not give, too. Without a common gate, TWZ_EXEC is lost. */
void sec_rights_narrow(struct sec_rights *rights, const struct sec_rights *by);

/* A gate call to that offset of the object is allowed. */
bool sec_rights_allow_gate(const struct sec_rights *rights, uint64_t offset);

#endif
