/* SPDX-License-Identifier: MIT */
/*
 * Every byte that is signed, and the content of an object that holds public keys. All integers are
 * little endian; times are seconds of security time (kernel/store/format.h, STORE_MONO_TIME).
 *
 * A signed statement begins with a domain, 16 bytes that no other kind of statement begins with,
 * then a version and an algorithm. It ends with the signature over all bytes before. Its reader
 * must refuse an unknown domain, version, algorithm, form or permission, and reserved bytes that
 * are not 0: so no bit is without a meaning, and none can get one later under old signatures.
 *
 *   statement    signed by the signing key of
 *   capability   the target's kuid; for a form KUID, and for a target without a kuid: the target
 *   delegation   the kuid of the delegator, a context
 *   revocation   the target's kuid; for a target without a kuid: the target
 *   rotation     the ku, with its recovery key
 *
 * A kuid is the ID of a ku, a sealed object with the public keys, so an object's ID commits to its
 * owner's key. A rotated ku signs with the key of its successor.
 */
#ifndef SECURITY_FORMAT_H
#define SECURITY_FORMAT_H

#include <twz/object.h>
#include <twz/types.h>

#define SEC_VERSION 1u

#define SEC_ALGORITHM_ED25519 1u /* RFC 8032, pure */
#define SEC_KEY               32u
#define SEC_SIGNATURE         64u

#define SEC_DOMAIN            16u
#define SEC_DOMAIN_CAPABILITY "twz capability\0"
#define SEC_DOMAIN_DELEGATION "twz delegation\0"
#define SEC_DOMAIN_REVOCATION "twz revocation\0"
#define SEC_DOMAIN_ROTATION   "twz rotation\0\0\0"
_Static_assert(sizeof(SEC_DOMAIN_CAPABILITY) == SEC_DOMAIN, "domain size");
_Static_assert(sizeof(SEC_DOMAIN_DELEGATION) == SEC_DOMAIN, "domain size");
_Static_assert(sizeof(SEC_DOMAIN_REVOCATION) == SEC_DOMAIN, "domain size");
_Static_assert(sizeof(SEC_DOMAIN_ROTATION) == SEC_DOMAIN, "domain size");

/* Forms of a capability: the objects that `target` stands for. */
#define SEC_FORM_OBJECT 1u /* the object of that ID */
#define SEC_FORM_KUID   2u /* every object of that kuid */

/* Delegations between a capability and the context that uses it, at most. */
#define SEC_DEPTH 8u

/*
 * A capability, or a delegation: `accessor`, a context, has `perms` on the target. In a delegation
 * the rights come from the delegator, another context, and are no more than it has itself.
 */
struct sec_cap {
    uint8_t domain[SEC_DOMAIN]; /* SEC_DOMAIN_CAPABILITY or SEC_DOMAIN_DELEGATION */
    uint32_t version;           /* SEC_VERSION */
    uint32_t algorithm;         /* SEC_ALGORITHM_* */
    uint32_t form;              /* SEC_FORM_* */
    uint32_t perms;             /* TWZ_READ ..., at least one */
    objid_t target;
    objid_t accessor;
    objid_t delegator;        /* a capability: 0 */
    uint64_t gate_start;      /* a range of entries: TWZ_EXEC is only for gate calls to these ... */
    uint64_t gate_len;        /* ... offsets of the target; 0: there is no range, and both are 0 */
    uint64_t gate_align;      /* of an entry's offset: a power of two; without a range 0 */
    uint64_t not_before;      /* void before that time */
    uint64_t expires;         /* void from that time on; 0: never */
    uint64_t epoch;           /* the target's (KUID: of the ku), which it must have now */
    uint64_t delegator_epoch; /* the delegator's, the same; a capability: 0 */
    uint64_t reserved[7];     /* 0 */
    uint8_t signature[SEC_SIGNATURE];
};
_Static_assert(sizeof(struct sec_cap) == 256, "capability size");
_Static_assert(offsetof(struct sec_cap, target) == 32, "target after the head");
_Static_assert(offsetof(struct sec_cap, signature) == 192, "the signature covers 192 bytes");

/* From then on the target has `epoch`, and capabilities of earlier ones are void. */
struct sec_revocation {
    uint8_t domain[SEC_DOMAIN]; /* SEC_DOMAIN_REVOCATION */
    uint32_t version;           /* SEC_VERSION */
    uint32_t algorithm;         /* SEC_ALGORITHM_* */
    objid_t target;
    uint64_t epoch;       /* must be higher than the target's */
    uint64_t reserved[2]; /* 0 */
    uint8_t signature[SEC_SIGNATURE];
};
_Static_assert(sizeof(struct sec_revocation) == 128, "revocation size");
_Static_assert(offsetof(struct sec_revocation, signature) == 64, "the signature covers 64 bytes");

/* From then on what a ku signs needs the signing key of its successor. */
struct sec_rotation {
    uint8_t domain[SEC_DOMAIN]; /* SEC_DOMAIN_ROTATION */
    uint32_t version;           /* SEC_VERSION */
    uint32_t algorithm;         /* SEC_ALGORITHM_* */
    objid_t ku;
    objid_t successor;                /* another ku */
    uint64_t count;                   /* must be higher than that of the rotation in force */
    uint64_t reserved[2];             /* 0 */
    uint8_t signature[SEC_SIGNATURE]; /* by the recovery key of `ku` */
};
_Static_assert(sizeof(struct sec_rotation) == 144, "rotation size");
_Static_assert(offsetof(struct sec_rotation, signature) == 80, "the signature covers 80 bytes");

/* Bytes before the signature of the longest statement. */
#define SEC_SIGNED_MAX 192u

/*
 * The public keys of an owner, at the base of a sealed object with kuid 0, nonce 0 and without
 * TWZ_WRITE and TWZ_DEL: a ku. The object's ID is the kuid of what the owner makes.
 */
#define SEC_KU_MAGIC 0x312d756b2d7a7774ull /* "twz-ku-1" */
#define SEC_LABEL    48u
struct sec_ku {
    uint64_t magic;            /* SEC_KU_MAGIC */
    uint32_t version;          /* SEC_VERSION */
    uint32_t algorithm;        /* SEC_ALGORITHM_* */
    uint8_t signing[SEC_KEY];  /* of capabilities, delegations and revocations */
    uint8_t recovery[SEC_KEY]; /* of rotations; another one */
    char label[SEC_LABEL];     /* text for people that ends with 0; the bytes behind are 0, too */
};
_Static_assert(sizeof(struct sec_ku) == 128, "ku size");

#endif
