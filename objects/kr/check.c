/* SPDX-License-Identifier: MIT */
/*
 * The invariants of a kr:
 *   - The protection is a known one, and there are sealed bytes.
 *   - The bytes behind them, and reserved words, are 0.
 */
#include "inside.h"

static int inspect_kr(const void *structure, type_found found, void *ctx)
{
    const struct kr *kr = structure;
    uint32_t len = kr->len <= KR_SEALED ? kr->len : KR_SEALED;
    int problems = record_expect(kr->protection == KR_ARGON2ID, found, ctx,
                                 offsetof(struct kr, protection), "the keys are not sealed");

    problems += record_expect(kr->len == len && len > 0, found, ctx, offsetof(struct kr, len),
                              "the length of the sealed keys is not valid");
    problems += record_expect(record_is_zero(kr->reserved, sizeof(kr->reserved)), found, ctx,
                              offsetof(struct kr, reserved), "a reserved word is not 0");
    problems += record_expect(record_is_zero(kr->sealed + len, KR_SEALED - len), found, ctx,
                              offsetof(struct kr, sealed) + len, "bytes behind the sealed keys");
    return problems;
}

const struct record_type kr_record = {
    .tag = KR_TAG,
    .magic = KR_MAGIC,
    .version = KR_VERSION,
    .size = sizeof(struct kr),
    .inspect = inspect_kr,
};

int kr_check(const twzobj *obj, type_found found, void *ctx)
{
    return record_check(obj, &kr_record, found, ctx);
}
