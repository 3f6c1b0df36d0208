/* SPDX-License-Identifier: MIT */
/*
 * Capabilities, delegations, revocations, rotations and public keys: what makes one well formed,
 * where it applies, which rights it gives, and that no bit of a signed one can be changed.
 */
#include <stdlib.h>
#include <string.h>

#include <verify/capability.h>
#include <verify/signature.h>
#include <verify/statement.h>

#include "crypto_sign_ed25519.h"

#include "units.h"

#define SIGNED offsetof(struct sec_cap, signature)

static const objid_t target = { 1, 2 }, accessor = { 3, 4 }, delegator = { 5, 6 }, kuid = { 7, 8 };
static const objid_t other = { 9, 10 };

static struct sec_cap make_cap(void)
{
    struct sec_cap cap = { .version = 1, .algorithm = 1, .form = SEC_FORM_OBJECT };

    memcpy(cap.domain, "twz capability\0", 16);
    cap.perms = TWZ_READ | TWZ_EXEC;
    cap.target = target;
    cap.accessor = accessor;
    cap.gate_start = 0x2000;
    cap.gate_len = 0x100;
    cap.gate_align = 16;
    cap.not_before = 100;
    cap.expires = 200;
    cap.epoch = 5;
    return cap;
}

static struct sec_cap make_delegation(void)
{
    struct sec_cap cap = make_cap();

    memcpy(cap.domain, "twz delegation\0", 16);
    cap.delegator = delegator;
    cap.delegator_epoch = 6;
    return cap;
}

static struct cap_use make_use(void)
{
    return (struct cap_use){ .target = target,
                             .kuid = kuid,
                             .accessor = accessor,
                             .epoch = 5,
                             .kuid_epoch = 15,
                             .delegator_epoch = 6,
                             .time = 100 };
}

/* --- form ------------------------------------------------------------------------------------- */

START_TEST(test_well_formed)
{
    struct sec_cap cap = make_cap(), delegation = make_delegation();

    assert_same(cap_check_form(&cap), SEC_REASON_NONE);
    assert_same(cap_check_form(&delegation), SEC_REASON_NONE);
    ck_assert(!cap_is_delegation(&cap));
    ck_assert(cap_is_delegation(&delegation));
    cap.gate_start = cap.gate_len = cap.gate_align = 0;
    cap.form = SEC_FORM_KUID;
    cap.not_before = cap.expires = 0;
    cap.perms = TWZ_PERMS;
    assert_same(cap_check_form(&cap), SEC_REASON_NONE);
}
END_TEST

#define REFUSED(change, reason)                                          \
    do {                                                                 \
        struct sec_cap cap = make_cap(), delegation = make_delegation(); \
        cap.change;                                                      \
        delegation.change;                                               \
        assert_same(cap_check_form(&cap), reason);                       \
        assert_same(cap_check_form(&delegation), reason);                \
    } while (0)

START_TEST(test_form_of_the_head)
{
    for (unsigned i = 0; i < SEC_DOMAIN; i++)
        REFUSED(domain[i] ^= 0x20, SEC_REASON_DOMAIN);
    REFUSED(version = 0, SEC_REASON_VERSION);
    REFUSED(version = 2, SEC_REASON_VERSION);
    REFUSED(algorithm = 0, SEC_REASON_ALGORITHM);
    REFUSED(algorithm = 2, SEC_REASON_ALGORITHM);
    REFUSED(form = 0, SEC_REASON_FORM);
    REFUSED(form = 3, SEC_REASON_FORM);
    REFUSED(perms = 0, SEC_REASON_PERMS);
    for (unsigned bit = 5; bit < 32; bit++)
        REFUSED(perms |= 1u << bit, SEC_REASON_PERMS);
    REFUSED(target = TWZ_OBJID_NONE, SEC_REASON_TARGET_NONE);
    REFUSED(accessor = TWZ_OBJID_NONE, SEC_REASON_ACCESSOR_NONE);
    for (unsigned i = 0; i < 7; i++)
        REFUSED(reserved[i] = 1ull << (9 * i), SEC_REASON_RESERVED);
}
END_TEST

START_TEST(test_form_of_the_delegator)
{
    struct sec_cap cap = make_cap(), delegation = make_delegation();

    cap.delegator = delegator;
    assert_same(cap_check_form(&cap), SEC_REASON_DELEGATOR);
    cap = make_cap();
    cap.delegator_epoch = 1;
    assert_same(cap_check_form(&cap), SEC_REASON_DELEGATOR);
    delegation.delegator = TWZ_OBJID_NONE;
    assert_same(cap_check_form(&delegation), SEC_REASON_DELEGATOR);
    delegation.delegator = delegation.accessor;
    assert_same(cap_check_form(&delegation), SEC_REASON_DELEGATOR);
}
END_TEST

START_TEST(test_form_of_gate_and_times)
{
    REFUSED(gate_len = 0, SEC_REASON_GATE);
    REFUSED(perms = TWZ_READ, SEC_REASON_GATE);
    REFUSED(gate_start = TWZ_OBJ_SIZE, SEC_REASON_GATE);
    REFUSED(gate_start = UINT64_MAX - 0xff, SEC_REASON_GATE);
    REFUSED(gate_len = TWZ_OBJ_SIZE - 0x2000 + 1, SEC_REASON_GATE);
    REFUSED(gate_len = UINT64_MAX, SEC_REASON_GATE);
    REFUSED(gate_len = 0 - 0x2000ull, SEC_REASON_GATE);
    REFUSED(gate_len = TWZ_OBJ_SIZE - 0x2000, SEC_REASON_NONE);
    REFUSED(gate_align = 0, SEC_REASON_GATE);
    REFUSED(gate_align = 24, SEC_REASON_GATE);
    REFUSED(gate_align = TWZ_OBJ_SIZE * 2, SEC_REASON_GATE);
    REFUSED(gate_align = 1, SEC_REASON_NONE);
    REFUSED(expires = 100, SEC_REASON_TIMES);
    REFUSED(expires = 99, SEC_REASON_TIMES);
    REFUSED(expires = 101, SEC_REASON_NONE);
    REFUSED(expires = 0, SEC_REASON_NONE);
}
END_TEST

/* A range without a length must have no other word either, or a bit would be without a meaning. */
START_TEST(test_form_without_a_gate)
{
    struct sec_cap cap = make_cap();

    cap.gate_start = cap.gate_len = cap.gate_align = 0;
    assert_same(cap_check_form(&cap), SEC_REASON_NONE);
    cap.gate_start = 1;
    assert_same(cap_check_form(&cap), SEC_REASON_GATE);
    cap.gate_start = 0;
    cap.gate_align = 1;
    assert_same(cap_check_form(&cap), SEC_REASON_GATE);
}
END_TEST

/* --- use -------------------------------------------------------------------------------------- */

#define USE(cap, change, reason)                       \
    do {                                               \
        struct cap_use use = make_use();               \
        use.change;                                    \
        assert_same(cap_check_use(cap, &use), reason); \
    } while (0)

START_TEST(test_use)
{
    struct sec_cap cap = make_cap(), delegation = make_delegation();

    USE(&cap, time = 100, SEC_REASON_NONE);
    USE(&cap, time = 199, SEC_REASON_NONE);
    USE(&cap, time = 99, SEC_REASON_NOT_YET);
    USE(&cap, time = 200, SEC_REASON_EXPIRED);
    USE(&cap, time = UINT64_MAX, SEC_REASON_EXPIRED);
    USE(&cap, target = other, SEC_REASON_TARGET);
    USE(&cap, accessor = other, SEC_REASON_ACCESSOR);
    USE(&cap, epoch = 4, SEC_REASON_EPOCH);
    USE(&cap, epoch = 6, SEC_REASON_EPOCH);
    USE(&cap, kuid = other, SEC_REASON_NONE);
    USE(&cap, kuid_epoch = 0, SEC_REASON_NONE);
    USE(&cap, delegator_epoch = 0, SEC_REASON_NONE);
    USE(&delegation, time = 100, SEC_REASON_NONE);
    USE(&delegation, delegator_epoch = 5, SEC_REASON_DELEGATOR_EPOCH);
    USE(&delegation, delegator_epoch = 7, SEC_REASON_DELEGATOR_EPOCH);
    cap.expires = 0;
    USE(&cap, time = UINT64_MAX, SEC_REASON_NONE);
}
END_TEST

START_TEST(test_use_of_a_kuid)
{
    struct sec_cap cap = make_cap();

    cap.form = SEC_FORM_KUID;
    cap.target = kuid;
    cap.epoch = 15;
    USE(&cap, target = other, SEC_REASON_NONE);
    USE(&cap, epoch = 99, SEC_REASON_NONE);
    USE(&cap, kuid_epoch = 16, SEC_REASON_EPOCH);
    USE(&cap, kuid = other, SEC_REASON_TARGET);
    USE(&cap, kuid = TWZ_OBJID_NONE, SEC_REASON_TARGET);
    /* An object capability for the ku itself reaches nothing else of that owner. */
    USE(&cap, target = kuid, SEC_REASON_NONE);
    cap.form = SEC_FORM_OBJECT;
    USE(&cap, time = 100, SEC_REASON_TARGET);
}
END_TEST

START_TEST(test_signer)
{
    struct sec_cap cap = make_cap(), delegation = make_delegation();

    ck_assert(objid_equal(cap_signer(&cap, kuid), kuid));
    ck_assert(objid_equal(cap_signer(&cap, TWZ_OBJID_NONE), target));
    ck_assert(objid_equal(cap_signer(&delegation, other), other));
    ck_assert(objid_is_none(cap_signer(&delegation, TWZ_OBJID_NONE)));
    delegation.form = SEC_FORM_KUID;
    ck_assert(objid_equal(cap_signer(&delegation, other), other));
    cap.form = SEC_FORM_KUID;
    ck_assert(objid_equal(cap_signer(&cap, other), target));
}
END_TEST

/* --- rights ----------------------------------------------------------------------------------- */

START_TEST(test_gate_edges)
{
    struct sec_cap cap = make_cap();
    struct sec_rights rights = cap_rights(&cap);

    ck_assert(sec_rights_allow_gate(&rights, 0x2000));
    ck_assert(sec_rights_allow_gate(&rights, 0x20f0));
    ck_assert(!sec_rights_allow_gate(&rights, 0x1ff0));
    ck_assert(!sec_rights_allow_gate(&rights, 0x1fff));
    ck_assert(!sec_rights_allow_gate(&rights, 0x2100));
    ck_assert(!sec_rights_allow_gate(&rights, 0x20ff));
    ck_assert(!sec_rights_allow_gate(&rights, 0x2001));
    ck_assert(!sec_rights_allow_gate(&rights, 0x2008));
    ck_assert(!sec_rights_allow_gate(&rights, 0));
    ck_assert(!sec_rights_allow_gate(&rights, 0x2000 + (1ull << 32)));
    ck_assert(!sec_rights_allow_gate(&rights, 0 - 16ull));
    rights.gate_align = 1;
    ck_assert(sec_rights_allow_gate(&rights, 0x20ff));
    ck_assert(!sec_rights_allow_gate(&rights, 0x2100));
    ck_assert(!sec_rights_allow_gate(&rights, 0x1fff));
    rights.gate_start = TWZ_OBJ_SIZE - 0x100;
    ck_assert(sec_rights_allow_gate(&rights, TWZ_OBJ_SIZE - 1));
    ck_assert(!sec_rights_allow_gate(&rights, TWZ_OBJ_SIZE));
    rights.perms = TWZ_READ;
    ck_assert(!sec_rights_allow_gate(&rights, TWZ_OBJ_SIZE - 1));
    rights = (struct sec_rights){ .perms = TWZ_EXEC };
    ck_assert(sec_rights_allow_gate(&rights, 0x2001));
}
END_TEST

static struct sec_rights random_rights(void)
{
    struct sec_rights rights = { .perms = (uint32_t)rand() & TWZ_PERMS,
                                 .not_before = (uint64_t)rand() % 8,
                                 .expires = (uint64_t)rand() % 8 };

    if ((rights.perms & TWZ_EXEC) != 0 && rand() % 2) {
        rights.gate_start = (uint64_t)rand() % 24;
        rights.gate_len = 1 + (uint64_t)rand() % 12;
        rights.gate_align = 1ull << rand() % 4;
    }
    return rights;
}

static bool holds_at(const struct sec_rights *rights, uint64_t time)
{
    return time >= rights->not_before && (rights->expires == 0 || time < rights->expires);
}

/* The result allows what both allow: no less, and above all no more. */
START_TEST(test_narrowing_is_intersection)
{
    srand(2);
    for (int i = 0; i < 100000; i++) {
        struct sec_rights a = random_rights(), b = random_rights(), both = a;

        sec_rights_narrow(&both, &b);
        ck_assert_uint_eq(both.perms & ~TWZ_EXEC, a.perms & b.perms & ~TWZ_EXEC);
        ck_assert_uint_eq(both.perms & ~(a.perms & b.perms), 0);
        for (uint64_t offset = 0; offset < 48; offset++)
            ck_assert_int_eq(sec_rights_allow_gate(&both, offset),
                             sec_rights_allow_gate(&a, offset) &&
                                 sec_rights_allow_gate(&b, offset));
        for (uint64_t time = 0; time < 10; time++)
            ck_assert_int_eq(holds_at(&both, time), holds_at(&a, time) && holds_at(&b, time));
        ck_assert((both.perms & TWZ_EXEC) != 0 || both.gate_len == 0);
    }
}
END_TEST

/* An EXEC without a range must not come out of two that have one. */
START_TEST(test_narrowing_keeps_the_gate)
{
    struct sec_rights gate = {
        .perms = TWZ_EXEC, .gate_start = 64, .gate_len = 64, .gate_align = 1
    };
    struct sec_rights apart = { .perms = TWZ_PERMS, .gate_start = 128, .gate_len = 64 };
    struct sec_rights all = { .perms = TWZ_PERMS };

    apart.gate_align = 1;
    sec_rights_narrow(&all, &gate);
    ck_assert_uint_eq(all.gate_len, 64);
    ck_assert_uint_eq(all.perms, TWZ_EXEC);
    sec_rights_narrow(&all, &apart);
    ck_assert_uint_eq(all.perms, 0);
}
END_TEST

/* --- signed ones ------------------------------------------------------------------------------ */

static void sign(void *statement, size_t len, uint8_t seed, uint8_t key[32])
{
    uint8_t bytes[32] = { seed }, secret[64];

    crypto_sign_ed25519_seed_keypair(key, secret, bytes);
    crypto_sign_ed25519_detached((uint8_t *)statement + len, NULL, statement, len, secret);
}

static bool is_signed(const void *statement, size_t len, const uint8_t key[32])
{
    return signature_check((const uint8_t *)statement + len, key, statement, len) == 0;
}

/* As the kernel decides. */
static bool is_accepted(const struct sec_cap *cap, const uint8_t key[32])
{
    struct cap_use use = make_use();

    return cap_check_form(cap) == SEC_REASON_NONE && cap_check_use(cap, &use) == SEC_REASON_NONE &&
           is_signed(cap, SIGNED, key);
}

/* Each bit alone, and the signature alone notices each bit of what it covers. */
START_TEST(test_every_bit_of_a_capability)
{
    struct sec_cap cap = _i ? make_delegation() : make_cap();
    uint8_t *bytes = (uint8_t *)&cap, key[32], wrong[32];

    sign(&cap, SIGNED, 2, wrong);
    sign(&cap, SIGNED, 1, key);
    ck_assert(is_accepted(&cap, key));
    ck_assert(!is_accepted(&cap, wrong));
    for (size_t bit = 0; bit < sizeof(cap) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(!is_accepted(&cap, key), "bit %zu", bit);
        ck_assert_msg(!is_signed(&cap, SIGNED, key), "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert(is_accepted(&cap, key));
}
END_TEST

/* A signature of one kind of statement is none of another, even over the same words. */
START_TEST(test_domains)
{
    static const char *const domain[] = { SEC_DOMAIN_CAPABILITY, SEC_DOMAIN_DELEGATION,
                                          SEC_DOMAIN_REVOCATION, SEC_DOMAIN_ROTATION };
    uint8_t key[32];

    for (unsigned from = 0; from < 4; from++)
        for (unsigned to = 0; to < 4; to++) {
            struct sec_cap cap = make_cap();

            memcpy(cap.domain, domain[from], SEC_DOMAIN);
            sign(&cap, SIGNED, 1, key);
            memcpy(cap.domain, domain[to], SEC_DOMAIN);
            ck_assert_int_eq(is_signed(&cap, SIGNED, key), from == to);
        }
}
END_TEST

/* --- other statements ------------------------------------------------------------------------- */

static struct sec_revocation make_revocation(void)
{
    struct sec_revocation revocation = { .version = 1, .algorithm = 1, .target = target };

    memcpy(revocation.domain, SEC_DOMAIN_REVOCATION, SEC_DOMAIN);
    revocation.epoch = 6;
    return revocation;
}

#define REVOCATION(change, reason)                               \
    do {                                                         \
        struct sec_revocation revocation = make_revocation();    \
        revocation.change;                                       \
        assert_same(revocation_check_form(&revocation), reason); \
    } while (0)

START_TEST(test_revocation)
{
    struct sec_revocation revocation = make_revocation();

    REVOCATION(epoch = 1, SEC_REASON_NONE);
    REVOCATION(domain[15] = 1, SEC_REASON_DOMAIN);
    REVOCATION(version = 2, SEC_REASON_VERSION);
    REVOCATION(algorithm = 2, SEC_REASON_ALGORITHM);
    REVOCATION(target = TWZ_OBJID_NONE, SEC_REASON_TARGET_NONE);
    REVOCATION(reserved[0] = 1, SEC_REASON_RESERVED);
    REVOCATION(reserved[1] = 1ull << 63, SEC_REASON_RESERVED);
    assert_same(revocation_check_use(&revocation, target, 5), SEC_REASON_NONE);
    assert_same(revocation_check_use(&revocation, other, 5), SEC_REASON_TARGET);
    assert_same(revocation_check_use(&revocation, target, 6), SEC_REASON_EPOCH);
    assert_same(revocation_check_use(&revocation, target, 7), SEC_REASON_EPOCH);
    revocation.epoch = 5 + SEC_EPOCH_STEP;
    assert_same(revocation_check_use(&revocation, target, 5), SEC_REASON_NONE);
    assert_same(revocation_check_use(&revocation, target, 4), SEC_REASON_STEP);
    revocation.epoch = UINT64_MAX;
    assert_same(revocation_check_use(&revocation, target, 5), SEC_REASON_STEP);
}
END_TEST

static struct sec_rotation make_rotation(void)
{
    struct sec_rotation rotation = { .version = 1, .algorithm = 1, .ku = kuid, .successor = other };

    memcpy(rotation.domain, SEC_DOMAIN_ROTATION, SEC_DOMAIN);
    rotation.count = 1;
    return rotation;
}

#define ROTATION(change, reason)                             \
    do {                                                     \
        struct sec_rotation rotation = make_rotation();      \
        rotation.change;                                     \
        assert_same(rotation_check_form(&rotation), reason); \
    } while (0)

START_TEST(test_rotation)
{
    struct sec_rotation rotation = make_rotation();

    ROTATION(count = 2, SEC_REASON_NONE);
    ROTATION(domain[0] = 'T', SEC_REASON_DOMAIN);
    ROTATION(version = 0, SEC_REASON_VERSION);
    ROTATION(algorithm = 0, SEC_REASON_ALGORITHM);
    ROTATION(ku = TWZ_OBJID_NONE, SEC_REASON_TARGET_NONE);
    ROTATION(successor = TWZ_OBJID_NONE, SEC_REASON_SUCCESSOR);
    ROTATION(successor = kuid, SEC_REASON_SUCCESSOR);
    ROTATION(reserved[0] = 1, SEC_REASON_RESERVED);
    ROTATION(reserved[1] = 1, SEC_REASON_RESERVED);
    assert_same(rotation_check_use(&rotation, kuid, 0), SEC_REASON_NONE);
    assert_same(rotation_check_use(&rotation, other, 0), SEC_REASON_TARGET);
    assert_same(rotation_check_use(&rotation, kuid, 1), SEC_REASON_EPOCH);
}
END_TEST

static struct sec_ku make_ku(void)
{
    struct sec_ku ku = { .magic = SEC_KU_MAGIC, .version = 1, .algorithm = 1, .label = "somebody" };

    memset(ku.signing, 1, SEC_KEY);
    memset(ku.recovery, 2, SEC_KEY);
    return ku;
}

#define KU(change, reason)                  \
    do {                                    \
        struct sec_ku ku = make_ku();       \
        change;                             \
        assert_same(ku_check(&ku), reason); \
    } while (0)

START_TEST(test_ku)
{
    KU(ku.label[0] = 's', SEC_REASON_NONE);
    KU(memset(ku.label, 0, SEC_LABEL), SEC_REASON_NONE);
    KU(memset(ku.label, 'x', SEC_LABEL - 1), SEC_REASON_NONE);
    KU(memset(ku.label, 'x', SEC_LABEL), SEC_REASON_KEY);
    KU(ku.label[SEC_LABEL - 1] = 'x', SEC_REASON_KEY);
    KU(ku.magic++, SEC_REASON_KEY);
    KU(ku.version++, SEC_REASON_KEY);
    KU(ku.algorithm++, SEC_REASON_KEY);
    KU(memset(ku.recovery, 1, SEC_KEY), SEC_REASON_KEY);
}
END_TEST

/* Each reason has a text of its own. */
START_TEST(test_texts)
{
    static const enum sec_reason reason[] = { SEC_REASON_NONE,
                                              SEC_REASON_DOMAIN,
                                              SEC_REASON_VERSION,
                                              SEC_REASON_ALGORITHM,
                                              SEC_REASON_FORM,
                                              SEC_REASON_PERMS,
                                              SEC_REASON_TARGET_NONE,
                                              SEC_REASON_ACCESSOR_NONE,
                                              SEC_REASON_DELEGATOR,
                                              SEC_REASON_GATE,
                                              SEC_REASON_TIMES,
                                              SEC_REASON_RESERVED,
                                              SEC_REASON_SUCCESSOR,
                                              SEC_REASON_TARGET,
                                              SEC_REASON_ACCESSOR,
                                              SEC_REASON_NOT_YET,
                                              SEC_REASON_EXPIRED,
                                              SEC_REASON_EPOCH,
                                              SEC_REASON_DELEGATOR_EPOCH,
                                              SEC_REASON_STEP,
                                              SEC_REASON_KEY,
                                              SEC_REASON_SIGNATURE,
                                              SEC_REASON_DEPTH,
                                              SEC_REASON_CYCLE };
    const size_t count = sizeof(reason) / sizeof(*reason);

    for (size_t i = 0; i < count; i++) {
        ck_assert_str_ne(sec_reason_text(reason[i]), "refused");
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(sec_reason_text(reason[i]), sec_reason_text(reason[j]));
    }
    ck_assert_str_eq(sec_reason_text((enum sec_reason)99), "refused");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_well_formed,
                                   test_form_of_the_head,
                                   test_form_of_the_delegator,
                                   test_form_of_gate_and_times,
                                   test_form_without_a_gate,
                                   test_use,
                                   test_use_of_a_kuid,
                                   test_signer,
                                   test_gate_edges,
                                   test_narrowing_is_intersection,
                                   test_narrowing_keeps_the_gate,
                                   test_domains,
                                   test_revocation,
                                   test_rotation,
                                   test_ku,
                                   test_texts };
    SRunner *runner = units_runner("capability", tests, sizeof(tests) / sizeof(tests[0]));

    units_loop(runner, test_every_bit_of_a_capability, 2);
    return units_finish(runner);
}
