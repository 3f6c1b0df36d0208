/* SPDX-License-Identifier: MIT */
#include <lib/string.h>
#include <verify/capability.h>

static bool has_domain(const struct sec_cap *cap, const char *domain)
{
    return memcmp(cap->domain, domain, SEC_DOMAIN) == 0;
}

bool cap_is_delegation(const struct sec_cap *cap)
{
    return has_domain(cap, SEC_DOMAIN_DELEGATION);
}

static bool is_gate_valid(const struct sec_cap *cap)
{
    if (cap->gate_len == 0)
        return cap->gate_start == 0 && cap->gate_align == 0;
    return (cap->perms & TWZ_EXEC) != 0 && cap->gate_start < TWZ_OBJ_SIZE &&
           cap->gate_len <= TWZ_OBJ_SIZE - cap->gate_start && cap->gate_align != 0 &&
           (cap->gate_align & (cap->gate_align - 1)) == 0 && cap->gate_align <= TWZ_OBJ_SIZE;
}

static bool is_delegator_valid(const struct sec_cap *cap)
{
    if (!cap_is_delegation(cap))
        return objid_is_none(cap->delegator) && cap->delegator_epoch == 0;
    return !objid_is_none(cap->delegator) && !objid_equal(cap->delegator, cap->accessor);
}

enum sec_reason cap_check_form(const struct sec_cap *cap)
{
    if (!has_domain(cap, SEC_DOMAIN_CAPABILITY) && !has_domain(cap, SEC_DOMAIN_DELEGATION))
        return SEC_REASON_DOMAIN;
    if (cap->version != SEC_VERSION)
        return SEC_REASON_VERSION;
    if (cap->algorithm != SEC_ALGORITHM_ED25519)
        return SEC_REASON_ALGORITHM;
    if (cap->form != SEC_FORM_OBJECT && cap->form != SEC_FORM_KUID)
        return SEC_REASON_FORM;
    if (cap->perms == 0 || (cap->perms & ~TWZ_PERMS) != 0)
        return SEC_REASON_PERMS;
    if (objid_is_none(cap->target))
        return SEC_REASON_TARGET_NONE;
    if (objid_is_none(cap->accessor))
        return SEC_REASON_ACCESSOR_NONE;
    if (!is_delegator_valid(cap))
        return SEC_REASON_DELEGATOR;
    if (!is_gate_valid(cap))
        return SEC_REASON_GATE;
    if (cap->expires != 0 && cap->expires <= cap->not_before)
        return SEC_REASON_TIMES;
    for (unsigned i = 0; i < sizeof(cap->reserved) / sizeof(cap->reserved[0]); i++)
        if (cap->reserved[i] != 0)
            return SEC_REASON_RESERVED;
    return SEC_REASON_NONE;
}

objid_t cap_signer(const struct sec_cap *cap, objid_t kuid)
{
    if (cap_is_delegation(cap))
        return kuid;
    return cap->form == SEC_FORM_KUID || objid_is_none(kuid) ? cap->target : kuid;
}

enum sec_reason cap_check_use(const struct sec_cap *cap, const struct cap_use *use)
{
    bool by_kuid = cap->form == SEC_FORM_KUID;

    if (!objid_equal(cap->target, by_kuid ? use->kuid : use->target))
        return SEC_REASON_TARGET;
    if (!objid_equal(cap->accessor, use->accessor))
        return SEC_REASON_ACCESSOR;
    if (cap->epoch != (by_kuid ? use->kuid_epoch : use->epoch))
        return SEC_REASON_EPOCH;
    if (cap_is_delegation(cap) && cap->delegator_epoch != use->delegator_epoch)
        return SEC_REASON_DELEGATOR_EPOCH;
    if (use->time < cap->not_before)
        return SEC_REASON_NOT_YET;
    if (cap->expires != 0 && use->time >= cap->expires)
        return SEC_REASON_EXPIRED;
    return SEC_REASON_NONE;
}

struct sec_rights cap_rights(const struct sec_cap *cap)
{
    return (struct sec_rights){ .perms = cap->perms,
                                .gate_start = cap->gate_start,
                                .gate_len = cap->gate_len,
                                .gate_align = cap->gate_align,
                                .not_before = cap->not_before,
                                .expires = cap->expires };
}

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Alignments are powers of two, so the greater one satisfies both. */
static void narrow_gate(struct sec_rights *rights, const struct sec_rights *by)
{
    uint64_t start = max64(rights->gate_start, by->gate_start);
    uint64_t end = min64(rights->gate_start + rights->gate_len, by->gate_start + by->gate_len);

    if (by->gate_len == 0)
        return;
    if (rights->gate_len == 0) {
        rights->gate_start = by->gate_start;
        rights->gate_len = by->gate_len;
        rights->gate_align = by->gate_align;
    } else if (start < end) {
        rights->gate_start = start;
        rights->gate_len = end - start;
        rights->gate_align = max64(rights->gate_align, by->gate_align);
    } else {
        rights->perms &= ~TWZ_EXEC;
    }
}

void sec_rights_narrow(struct sec_rights *rights, const struct sec_rights *by)
{
    rights->perms &= by->perms;
    narrow_gate(rights, by);
    if ((rights->perms & TWZ_EXEC) == 0)
        rights->gate_start = rights->gate_len = rights->gate_align = 0;
    rights->not_before = max64(rights->not_before, by->not_before);
    if (by->expires != 0)
        rights->expires = rights->expires ? min64(rights->expires, by->expires) : by->expires;
}

bool sec_rights_allow_gate(const struct sec_rights *rights, uint64_t offset)
{
    if ((rights->perms & TWZ_EXEC) == 0)
        return false;
    if (rights->gate_len == 0)
        return true;
    /* an offset below the start wraps, and is past any length */
    return offset - rights->gate_start < rights->gate_len &&
           (offset & (rights->gate_align - 1)) == 0;
}

const char *sec_reason_text(enum sec_reason reason)
{
    switch (reason) {
    case SEC_REASON_NONE: return "valid";
    case SEC_REASON_DOMAIN: return "of another kind of statement";
    case SEC_REASON_VERSION: return "of another version";
    case SEC_REASON_ALGORITHM: return "signed by an unknown algorithm";
    case SEC_REASON_FORM: return "of an unknown form";
    case SEC_REASON_PERMS: return "of no permission, or of an unknown one";
    case SEC_REASON_TARGET_NONE: return "without a target";
    case SEC_REASON_ACCESSOR_NONE: return "without an accessor";
    case SEC_REASON_DELEGATOR: return "with a delegator that it must not have, or without one";
    case SEC_REASON_GATE: return "with a gate that no object can have";
    case SEC_REASON_TIMES: return "expired before it begins";
    case SEC_REASON_RESERVED: return "with reserved bytes that are not zero";
    case SEC_REASON_SUCCESSOR: return "without another ku as its successor";
    case SEC_REASON_TARGET: return "for another object";
    case SEC_REASON_ACCESSOR: return "for another context";
    case SEC_REASON_NOT_YET: return "not valid yet";
    case SEC_REASON_EXPIRED: return "expired";
    case SEC_REASON_EPOCH: return "revoked";
    case SEC_REASON_DELEGATOR_EPOCH: return "revoked with its delegator";
    case SEC_REASON_STEP: return "of an epoch that is too far away";
    case SEC_REASON_KEY: return "signed by an owner whose public key is missing";
    case SEC_REASON_SIGNATURE: return "not signed by the owner";
    case SEC_REASON_DEPTH: return "delegated too often";
    case SEC_REASON_CYCLE: return "delegated in a circle";
    }
    return "refused";
}
