/* SPDX-License-Identifier: MIT */
/* Keys, what they sign, and key files with and without a passphrase. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include <sign/keyfile.h>
#include <twz/error.h>

#include "units.h"

static const char passphrase[] = "correct horse battery staple";

static struct sec_cap make_cap(void)
{
    struct sec_cap cap = { .form = SEC_FORM_OBJECT, .perms = TWZ_READ };

    memcpy(cap.domain, SEC_DOMAIN_CAPABILITY, SEC_DOMAIN);
    cap.target = (objid_t){ 1, 2 };
    cap.accessor = (objid_t){ 3, 4 };
    return cap;
}

START_TEST(test_new_keys)
{
    struct sign_key a, b;

    assert_same(sign_key_make(&a, "alice"), 0);
    assert_same(sign_key_make(&b, ""), 0);
    assert_same(ku_check(&a.ku), SEC_REASON_NONE);
    assert_same(ku_check(&b.ku), SEC_REASON_NONE);
    ck_assert_str_eq(a.ku.label, "alice");
    ck_assert_mem_ne(a.ku.signing, b.ku.signing, SEC_KEY);
    ck_assert_mem_ne(a.signing, b.signing, SIGN_SECRET);
    ck_assert_mem_ne(a.signing, a.recovery, SIGN_SECRET);
    sign_key_wipe(&a);
    for (size_t i = 0; i < sizeof(a); i++)
        ck_assert_uint_eq(((uint8_t *)&a)[i], 0);
}
END_TEST

START_TEST(test_labels)
{
    struct sign_key key;
    char label[SEC_LABEL + 1];

    memset(label, 'x', sizeof(label));
    label[SEC_LABEL] = 0;
    assert_same(sign_key_make(&key, label), -TWZ_ENAMELEN);
    label[SEC_LABEL - 1] = 0;
    assert_same(sign_key_make(&key, label), 0);
    assert_same(ku_check(&key.ku), SEC_REASON_NONE);
}
END_TEST

START_TEST(test_statements)
{
    struct sign_key key, other;
    struct sec_cap cap = make_cap();
    struct sec_revocation revocation = { .target = { 1, 2 }, .epoch = 1 };
    struct sec_rotation rotation = { .ku = { 1, 2 }, .successor = { 3, 4 }, .count = 1 };

    memcpy(revocation.domain, SEC_DOMAIN_REVOCATION, SEC_DOMAIN);
    memcpy(rotation.domain, SEC_DOMAIN_ROTATION, SEC_DOMAIN);
    assert_same(sign_key_make(&key, "a"), 0);
    assert_same(sign_key_make(&other, "b"), 0);
    assert_same(sign_cap(&cap, &key), SEC_REASON_NONE);
    assert_same(sign_revocation(&revocation, &key), SEC_REASON_NONE);
    assert_same(sign_rotation(&rotation, &key), SEC_REASON_NONE);
    ck_assert(sign_verify_cap(&cap, &key.ku) && !sign_verify_cap(&cap, &other.ku));
    ck_assert(sign_verify_revocation(&revocation, &key.ku));
    ck_assert(!sign_verify_revocation(&revocation, &other.ku));
    ck_assert(sign_verify_rotation(&rotation, &key.ku));
    ck_assert(!sign_verify_rotation(&rotation, &other.ku));
    /* The signing key must not rotate, nor the recovery key sign anything else. */
    memcpy(other.ku.recovery, key.ku.signing, SEC_KEY);
    memcpy(other.ku.signing, key.ku.recovery, SEC_KEY);
    ck_assert(!sign_verify_rotation(&rotation, &other.ku));
    ck_assert(!sign_verify_cap(&cap, &other.ku));
    ck_assert(!sign_verify_revocation(&revocation, &other.ku));
}
END_TEST

/* No signature leaves the library under a statement that no verifier accepts. */
START_TEST(test_ill_formed_is_not_signed)
{
    struct sign_key key;
    struct sec_cap cap = make_cap();
    struct sec_revocation revocation = { .target = { 1, 2 }, .epoch = 1 };
    struct sec_rotation rotation = { .ku = { 1, 2 }, .successor = { 1, 2 }, .count = 1 };
    uint8_t none[SEC_SIGNATURE] = { 0 };

    memcpy(rotation.domain, SEC_DOMAIN_ROTATION, SEC_DOMAIN);
    assert_same(sign_key_make(&key, "a"), 0);
    cap.perms = 0x80;
    assert_same(sign_cap(&cap, &key), SEC_REASON_PERMS);
    assert_same(sign_revocation(&revocation, &key), SEC_REASON_DOMAIN);
    assert_same(sign_rotation(&rotation, &key), SEC_REASON_SUCCESSOR);
    ck_assert_mem_eq(cap.signature, none, sizeof(none));
    ck_assert_mem_eq(revocation.signature, none, sizeof(none));
    ck_assert_mem_eq(rotation.signature, none, sizeof(none));
}
END_TEST

static bool is_wiped(const struct sign_key *key)
{
    static const struct sign_key none;

    return memcmp(key, &none, sizeof(none)) == 0;
}

START_TEST(test_file_with_a_passphrase)
{
    struct sign_key key, opened;
    struct key_file file, again;

    assert_same(sign_key_make(&key, "alice"), 0);
    assert_same(keyfile_seal(&file, &key, passphrase, strlen(passphrase)), 0);
    assert_same(keyfile_check(&file), 0);
    ck_assert_ptr_null(memmem(&file, sizeof(file), key.signing, 32));
    ck_assert_ptr_null(memmem(&file, sizeof(file), key.recovery, 32));
    assert_same(keyfile_open(&file, passphrase, strlen(passphrase), &opened), 0);
    ck_assert_mem_eq(&opened, &key, sizeof(key));
    assert_same(keyfile_open(&file, passphrase, strlen(passphrase) - 1, &opened), -TWZ_EDENIED);
    ck_assert(is_wiped(&opened));
    assert_same(keyfile_open(&file, NULL, 0, &opened), -TWZ_EDENIED);
    assert_same(keyfile_seal(&again, &key, passphrase, strlen(passphrase)), 0);
    ck_assert_mem_ne(again.salt, file.salt, sizeof(file.salt));
    ck_assert_mem_ne(again.nonce, file.nonce, sizeof(file.nonce));
    ck_assert_mem_ne(again.secret, file.secret, sizeof(file.secret));
}
END_TEST

START_TEST(test_file_without_a_passphrase)
{
    struct sign_key key, opened;
    struct key_file file;

    assert_same(sign_key_make(&key, "alice"), 0);
    assert_same(keyfile_seal(&file, &key, NULL, 0), 0);
    assert_same(keyfile_check(&file), 0);
    assert_same(keyfile_open(&file, NULL, 0, &opened), 0);
    ck_assert_mem_eq(&opened, &key, sizeof(key));
    assert_same(keyfile_open(&file, passphrase, 5, &opened), 0);
}
END_TEST

/* A file with a changed bit never opens. It has no passphrase, for time. */
START_TEST(test_every_bit_of_a_file)
{
    struct sign_key key, opened;
    struct key_file file;
    uint8_t *bytes = (uint8_t *)&file;

    assert_same(sign_key_make(&key, "alice"), 0);
    assert_same(keyfile_seal(&file, &key, NULL, 0), 0);
    for (size_t bit = 0; bit < sizeof(file) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(keyfile_check(&file) < 0 || keyfile_open(&file, NULL, 0, &opened) < 0,
                      "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_same(keyfile_open(&file, NULL, 0, &opened), 0);
}
END_TEST

START_TEST(test_changed_file_with_a_passphrase)
{
    static const size_t at[] = {
        offsetof(struct key_file, salt),        offsetof(struct key_file, nonce),
        offsetof(struct key_file, ku.label),    offsetof(struct key_file, ku.signing),
        offsetof(struct key_file, ku.recovery), offsetof(struct key_file, tag),
        offsetof(struct key_file, secret),      offsetof(struct key_file, secret) + 95
    };
    struct sign_key key, opened;
    struct key_file file;

    assert_same(sign_key_make(&key, "alice"), 0);
    assert_same(keyfile_seal(&file, &key, passphrase, 4), 0);
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
        ((uint8_t *)&file)[at[i]] ^= 1;
        ck_assert(keyfile_open(&file, passphrase, 4, &opened) < 0);
        ck_assert(is_wiped(&opened));
        ((uint8_t *)&file)[at[i]] ^= 1;
    }
    assert_same(keyfile_open(&file, passphrase, 4, &opened), 0);
}
END_TEST

#define REFUSED(change, error)                    \
    do {                                          \
        struct key_file copy = file;              \
        copy.change;                              \
        assert_same(keyfile_check(&copy), error); \
    } while (0)

/* A file must not cost more than its limits. */
START_TEST(test_form_of_a_file)
{
    struct sign_key key;
    struct key_file file;

    assert_same(sign_key_make(&key, "alice"), 0);
    assert_same(keyfile_seal(&file, &key, passphrase, 4), 0);
    REFUSED(magic++, -TWZ_ETYPE);
    REFUSED(version++, -TWZ_EVERSION);
    REFUSED(protection = 2, -TWZ_EVERSION);
    REFUSED(protection = 0, -TWZ_EDAMAGED);
    REFUSED(passes = 0, -TWZ_EDAMAGED);
    REFUSED(passes = 65, -TWZ_EDAMAGED);
    REFUSED(memory = 8191, -TWZ_EDAMAGED);
    REFUSED(memory = (1u << 30) + 1, -TWZ_EDAMAGED);
    REFUSED(memory = UINT64_MAX, -TWZ_EDAMAGED);
    REFUSED(ku.magic++, -TWZ_EDAMAGED);
    REFUSED(passes = 64, 0);
    REFUSED(memory = 1u << 30, 0);
    assert_same(keyfile_seal(&file, &key, passphrase, KEYFILE_PASSPHRASE + 1), -TWZ_ERANGE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_new_keys,
                                   test_labels,
                                   test_statements,
                                   test_ill_formed_is_not_signed,
                                   test_file_with_a_passphrase,
                                   test_file_without_a_passphrase,
                                   test_every_bit_of_a_file,
                                   test_changed_file_with_a_passphrase,
                                   test_form_of_a_file };

    return units_run("keyfile", tests, sizeof(tests) / sizeof(tests[0]));
}
