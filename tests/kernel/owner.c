/* SPDX-License-Identifier: MIT */
/* Owners of objects, with fixed keys, and what they sign (owner.h). */
#include "owner.h"

#include "crypto_sign_ed25519.h"

#define SLOT_DRAFT (SLOT_TEST + 20)

/* Makes the keys of an owner from a number, and the public-key object. */
void owner_make(struct owner *o, uint8_t number)
{
    const uint8_t seeds[2][32] = { { number, 1 }, { number, 2 } };
    objid_t draft = user_object(0, TWZ_READ | TWZ_USE, TWZ_KIND_DATA);
    struct sec_ku *ku;

    o->key.ku = (struct sec_ku){ .magic = SEC_KU_MAGIC,
                                 .version = SEC_VERSION,
                                 .algorithm = SEC_ALGORITHM_ED25519,
                                 .label = "test" };
    crypto_sign_ed25519_seed_keypair(o->key.ku.signing, o->key.signing, seeds[0]);
    crypto_sign_ed25519_seed_keypair(o->key.ku.recovery, o->key.recovery, seeds[1]);
    draft = user_object(0, TWZ_READ | TWZ_WRITE | TWZ_USE, TWZ_KIND_DATA);
    user_map(SLOT_DRAFT, draft, RW);
    ku = (struct sec_ku *)(TWZ_SLOT_ADDR(SLOT_DRAFT) + TWZ_OBJ_BASE);
    *ku = o->key.ku;
    CHECK_IS(CALL(obj_seal, IDARG(draft), &o->ku), 0);
}

static uint64_t epoch_of(objid_t id)
{
    struct twz_stat stat = { .revocation_epoch = 0 };

    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    return stat.revocation_epoch;
}

objid_t owner_object(const struct owner *o, uint32_t kind, uint32_t perms)
{
    objid_t probe = user_object(0, TWZ_DEL, TWZ_KIND_DATA);
    struct twz_create spec = { .kind = kind, .perms = perms, .kuid = o->ku };
    objid_t id = NONE;

    OWNER_EPOCH = epoch_of(probe);
    CHECK_IS(CALL(obj_delete, IDARG(probe), 0), 0);
    CHECK_IS(user_create(&spec, &id), 0);
    return id;
}

/* A capability for an object. The caller may change it before it signs it. */
struct sec_cap owner_cap(objid_t context, objid_t object, uint32_t perms)
{
    return (struct sec_cap){ .domain = SEC_DOMAIN_CAPABILITY,
                             .form = SEC_FORM_OBJECT,
                             .perms = perms,
                             .target = object,
                             .accessor = context,
                             .epoch = OWNER_EPOCH };
}

/* A capability for all objects of an owner. */
struct sec_cap owner_cap_all(objid_t context, const struct owner *o, uint32_t perms)
{
    struct sec_cap cap = owner_cap(context, o->ku, perms);

    cap.form = SEC_FORM_KUID;
    cap.epoch = epoch_of(o->ku);
    return cap;
}

long cap_add(const struct sec_cap *cap)
{
    return CALL(sec_change, IDARG(cap->accessor), TWZ_SEC_ADD, IDARG(NONE), cap);
}

long owner_withdraw(const struct sec_cap *cap)
{
    return CALL(sec_change, IDARG(cap->accessor), TWZ_SEC_REMOVE, IDARG(NONE), cap);
}

void owner_add(struct sec_cap *cap, const struct owner *o)
{
    CHECK_IS(sign_cap(cap, &o->key), SEC_REASON_NONE);
    CHECK_IS(cap_add(cap), 0);
}

long owner_revoke(objid_t target, uint64_t epoch, const struct owner *o)
{
    struct sec_revocation r = { .domain = SEC_DOMAIN_REVOCATION, .target = target, .epoch = epoch };

    CHECK_IS(sign_revocation(&r, &o->key), SEC_REASON_NONE);
    return CALL(sec_revoke, &r);
}

struct sec_cap owner_delegation(objid_t from, objid_t to, objid_t object, uint32_t perms)
{
    struct sec_cap cap = owner_cap(to, object, perms);
    const uint8_t domain[SEC_DOMAIN] = SEC_DOMAIN_DELEGATION;

    for (unsigned i = 0; i < SEC_DOMAIN; i++)
        cap.domain[i] = domain[i];
    cap.delegator = from;
    cap.delegator_epoch = OWNER_EPOCH;
    return cap;
}
