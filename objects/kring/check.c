/* SPDX-License-Identifier: MIT */
/*
 * The invariants of a kring:
 *   - count is at most KRING_MAX, and what lies behind the keys in use is 0.
 *   - A key in use names a ku, has a known trust, and only known purposes.
 *   - No two keys name the same ku.
 */
#include "inside.h"

bool kring_key_is_valid(const struct kring_key *key)
{
    return !objid_is_none(key->ku) && key->trust < KRING_TRUSTS &&
           (key->purpose & ~KRING_PURPOSE) == 0 &&
           record_is_zero(key->reserved, sizeof(key->reserved));
}

static bool is_second(const struct kring *ring, uint64_t i)
{
    for (uint64_t k = 0; k < i; k++) {
        if (objid_equal(ring->key[k].ku, ring->key[i].ku))
            return true;
    }
    return false;
}

static int inspect_kring(const void *structure, type_found found, void *ctx)
{
    const struct kring *ring = structure;
    uint64_t count = ring->count <= KRING_MAX ? ring->count : KRING_MAX;
    int problems = record_expect(ring->count == count, found, ctx, offsetof(struct kring, count),
                                 "more keys than a kring has");

    problems += record_expect(record_is_zero(ring->reserved, sizeof(ring->reserved)), found, ctx,
                              offsetof(struct kring, reserved), "a reserved word is not 0");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t off = offsetof(struct kring, key) + i * sizeof(struct kring_key);

        problems += record_expect(kring_key_is_valid(&ring->key[i]), found, ctx, off,
                                  "the entry of a key is not valid");
        problems += record_expect(!is_second(ring, i), found, ctx, off, "a second entry of a key");
    }
    problems += record_expect(
        record_is_zero(ring->key + count, (KRING_MAX - count) * sizeof(struct kring_key)), found,
        ctx, offsetof(struct kring, key) + count * sizeof(struct kring_key),
        "a key behind the last one");
    return problems;
}

const struct record_type kring_record = {
    .tag = KRING_TAG,
    .magic = KRING_MAGIC,
    .version = KRING_VERSION,
    .size = sizeof(struct kring),
    .inspect = inspect_kring,
};

int kring_check(const twzobj *obj, type_found found, void *ctx)
{
    return record_check(obj, &kring_record, found, ctx);
}
