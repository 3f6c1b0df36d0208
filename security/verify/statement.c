/* SPDX-License-Identifier: MIT */
#include <lib/string.h>
#include <verify/statement.h>

static enum sec_reason check_head(const uint8_t *domain, const char *want, uint32_t version,
                                  uint32_t algorithm)
{
    if (memcmp(domain, want, SEC_DOMAIN) != 0)
        return SEC_REASON_DOMAIN;
    if (version != SEC_VERSION)
        return SEC_REASON_VERSION;
    if (algorithm != SEC_ALGORITHM_ED25519)
        return SEC_REASON_ALGORITHM;
    return SEC_REASON_NONE;
}

enum sec_reason revocation_check_form(const struct sec_revocation *revocation)
{
    enum sec_reason reason = check_head(revocation->domain, SEC_DOMAIN_REVOCATION,
                                        revocation->version, revocation->algorithm);

    if (reason != SEC_REASON_NONE)
        return reason;
    if (objid_is_none(revocation->target))
        return SEC_REASON_TARGET_NONE;
    if ((revocation->reserved[0] | revocation->reserved[1]) != 0)
        return SEC_REASON_RESERVED;
    return SEC_REASON_NONE;
}

enum sec_reason revocation_check_use(const struct sec_revocation *revocation, objid_t target,
                                     uint64_t epoch)
{
    if (!objid_equal(revocation->target, target))
        return SEC_REASON_TARGET;
    if (revocation->epoch <= epoch)
        return SEC_REASON_EPOCH;
    if (revocation->epoch - epoch > SEC_EPOCH_STEP)
        return SEC_REASON_STEP;
    return SEC_REASON_NONE;
}

enum sec_reason rotation_check_form(const struct sec_rotation *rotation)
{
    enum sec_reason reason =
        check_head(rotation->domain, SEC_DOMAIN_ROTATION, rotation->version, rotation->algorithm);

    if (reason != SEC_REASON_NONE)
        return reason;
    if (objid_is_none(rotation->ku))
        return SEC_REASON_TARGET_NONE;
    if (objid_is_none(rotation->successor) || objid_equal(rotation->successor, rotation->ku))
        return SEC_REASON_SUCCESSOR;
    if ((rotation->reserved[0] | rotation->reserved[1]) != 0)
        return SEC_REASON_RESERVED;
    return SEC_REASON_NONE;
}

enum sec_reason rotation_check_use(const struct sec_rotation *rotation, objid_t ku, uint64_t count)
{
    if (!objid_equal(rotation->ku, ku))
        return SEC_REASON_TARGET;
    return rotation->count > count ? SEC_REASON_NONE : SEC_REASON_EPOCH;
}

enum sec_reason ku_check(const struct sec_ku *ku)
{
    size_t len = 0;

    if (ku->magic != SEC_KU_MAGIC || ku->version != SEC_VERSION ||
        ku->algorithm != SEC_ALGORITHM_ED25519 || memcmp(ku->signing, ku->recovery, SEC_KEY) == 0)
        return SEC_REASON_KEY;
    while (len < SEC_LABEL && ku->label[len] != 0)
        len++;
    if (len == SEC_LABEL)
        return SEC_REASON_KEY;
    for (; len < SEC_LABEL; len++)
        if (ku->label[len] != 0)
            return SEC_REASON_KEY;
    return SEC_REASON_NONE;
}
