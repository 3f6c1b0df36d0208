/* SPDX-License-Identifier: MIT */
/*
 * The invariants of a ku:
 *   - Version and algorithm are known.
 *   - Both keys are there, and they differ: a thief of the signing key must not have the recovery
 *     key.
 *   - The label ends with 0, and the bytes behind are 0.
 * Whether the keys are points of the curve is a matter of the verifier (security/verify).
 */
#include <common/record.h>
#include <ku/ku.h>
#include <twz/guard.h>

static int copy_out(const twzobj *obj, struct sec_ku *ku)
{
    twz_guard_watch(obj->start);
    __builtin_memcpy(ku, twz_object_base(obj), sizeof(*ku));
    return ku->magic == SEC_KU_MAGIC ? 0 : -TWZ_ETYPE;
}

static bool has_valid_label(const struct sec_ku *ku)
{
    size_t len = 0;

    while (len < SEC_LABEL && ku->label[len])
        len++;
    return len < SEC_LABEL && record_is_zero(ku->label + len, SEC_LABEL - len);
}

static int inspect_ku(const struct sec_ku *ku, type_found found, void *ctx)
{
    int problems = record_expect(ku->version == SEC_VERSION, found, ctx,
                                 offsetof(struct sec_ku, version), "unknown version of a ku");

    problems += record_expect(ku->algorithm == SEC_ALGORITHM_ED25519, found, ctx,
                              offsetof(struct sec_ku, algorithm), "unknown algorithm of a ku");
    problems += record_expect(!record_is_zero(ku->signing, SEC_KEY), found, ctx,
                              offsetof(struct sec_ku, signing), "the signing key is missing");
    problems += record_expect(!record_is_zero(ku->recovery, SEC_KEY) &&
                                  __builtin_memcmp(ku->signing, ku->recovery, SEC_KEY) != 0,
                              found, ctx, offsetof(struct sec_ku, recovery),
                              "the recovery key is missing, or is the signing key");
    problems += record_expect(has_valid_label(ku), found, ctx, offsetof(struct sec_ku, label),
                              "the label has no end, or bytes behind it");
    return problems;
}

int ku_object_read(const twzobj *obj, struct sec_ku *ku)
{
    int err = TWZ_GUARDED(copy_out(obj, ku));

    if (err < 0)
        return err;
    return inspect_ku(ku, NULL, NULL) == 0 ? 0 : -TWZ_EDAMAGED;
}

struct shift {
    type_found found;
    void *ctx;
};

static void found_in_object(void *ctx, uint64_t off, const char *what)
{
    const struct shift *shift = ctx;

    if (shift->found)
        shift->found(shift->ctx, TWZ_OBJ_BASE + off, what);
}

int ku_object_check(const twzobj *obj, type_found found, void *ctx)
{
    struct shift shift = { found, ctx };
    struct sec_ku ku;
    int err = TWZ_GUARDED(copy_out(obj, &ku));

    return err < 0 ? err : inspect_ku(&ku, found_in_object, &shift);
}
