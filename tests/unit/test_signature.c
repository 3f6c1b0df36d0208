/* SPDX-License-Identifier: MIT */
/*
 * The stepwise check of Ed25519 signatures, beside libsodium's own: the vectors of RFC 8032, every
 * bit of signature, key and message flipped, forms that must be refused, and random cases.
 */
#include <stdlib.h>
#include <string.h>

#include <verify/signature.h>

#include "crypto_hash_sha512.h"
#include "crypto_sign_ed25519.h"

#include "units.h"

/* Arithmetic of scalars, from libsodium's private header. */
void sc25519_reduce(unsigned char s[64]);
void sc25519_muladd(unsigned char s[32], const unsigned char a[32], const unsigned char b[32],
                    const unsigned char c[32]);

static const char *const small_order[] = {
    /* encodings of the points of small order, canonical and not */
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

/* The order of the base point, little endian. */
static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                   0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10 };

static void from_hex(uint8_t *out, const char *hex)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

/* The result of a whole check. It must take the same number of steps for each valid signature. */
static int check_all(const uint8_t *signature, const uint8_t *key, const void *message, size_t len)
{
    struct signature check;
    int ret, steps = 0;

    signature_begin(&check, signature, key, message, len);
    do {
        ret = signature_step(&check);
        steps++;
    } while (ret == 1);
    ck_assert(ret == 0 || ret == -1);
    ck_assert_int_le(steps, 21);
    ck_assert(ret < 0 || steps == 21);
    return ret;
}

struct fixture {
    uint8_t key[32], secret[64], signature[64], message[192];
};

static void sign_fixture(struct fixture *f, uint8_t seed)
{
    uint8_t bytes[32] = { seed, 77 };

    for (size_t i = 0; i < sizeof(f->message); i++)
        f->message[i] = (uint8_t)(i * 7 + seed);
    crypto_sign_ed25519_seed_keypair(f->key, f->secret, bytes);
    crypto_sign_ed25519_detached(f->signature, NULL, f->message, sizeof(f->message), f->secret);
}

static int check_fixture(const struct fixture *f)
{
    return check_all(f->signature, f->key, f->message, sizeof(f->message));
}

START_TEST(test_vectors_of_rfc_8032)
{
    static const struct {
        const char *key, *message, *signature;
    } vector[] = {
        { "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
          "1cf9b4"
          "6bd25bf5f0595bbe24655141438e7a100b" },
        { "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
          "d0f11d"
          "8c387b2eaeb4302aeeb00d291612bb0c00" },
        { "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
          "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
          "984dc6"
          "594a7c15e9716ed28dc027beceea1ec40a" },
        { "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
          "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23"
          "a3feeb"
          "bd454d4423643ce80e2a9ac94fa54ca49f",
          "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c6"
          "6431e0"
          "303dca179c138ac17ad9bef1177331a704" },
    };

    for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
        uint8_t key[32], message[64], signature[64];

        from_hex(key, vector[i].key);
        from_hex(message, vector[i].message);
        from_hex(signature, vector[i].signature);
        ck_assert_int_eq(check_all(signature, key, message, strlen(vector[i].message) / 2), 0);
    }
}
END_TEST

START_TEST(test_every_flipped_bit_is_refused)
{
    struct fixture f;
    uint8_t *const part[] = { f.signature, f.key, f.message };
    const size_t len[] = { sizeof(f.signature), sizeof(f.key), sizeof(f.message) };

    sign_fixture(&f, 1);
    ck_assert_int_eq(check_fixture(&f), 0);
    for (size_t p = 0; p < 3; p++)
        for (size_t bit = 0; bit < len[p] * 8; bit++) {
            part[p][bit / 8] ^= (uint8_t)(1u << bit % 8);
            ck_assert_int_eq(check_fixture(&f), -1);
            part[p][bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    ck_assert_int_eq(check_fixture(&f), 0);
}
END_TEST

START_TEST(test_scalar_that_is_not_reduced)
{
    struct fixture f;
    unsigned carry = 0;

    sign_fixture(&f, 2);
    for (size_t i = 0; i < 32; i++) {
        carry += f.signature[32 + i] + (unsigned)order[i];
        f.signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    ck_assert_uint_eq(carry, 0);
    ck_assert_int_eq(check_fixture(&f), -1);
}
END_TEST

START_TEST(test_points_of_small_order)
{
    for (size_t i = 0; i < sizeof(small_order) / sizeof(*small_order); i++) {
        struct fixture f;

        for (unsigned sign = 0; sign < 2; sign++) {
            sign_fixture(&f, 3);
            from_hex(f.key, small_order[i]);
            f.key[31] |= (uint8_t)(sign << 7);
            ck_assert_int_eq(check_fixture(&f), -1);
            sign_fixture(&f, 3);
            from_hex(f.signature, small_order[i]);
            f.signature[31] |= (uint8_t)(sign << 7);
            memset(f.signature + 32, 0, 32);
            ck_assert_int_eq(check_fixture(&f), -1);
        }
    }
}
END_TEST

/* A secret scalar, reduced, and its public point. */
static void make_scalar(uint8_t seed, uint8_t scalar[32], uint8_t point[32])
{
    uint8_t bytes[32] = { seed, 78 }, secret[64], hash[64];

    crypto_sign_ed25519_seed_keypair(point, secret, bytes);
    crypto_hash_sha512(hash, bytes, 32);
    hash[0] &= 248;
    hash[31] = (uint8_t)((hash[31] & 127) | 64);
    memset(hash + 32, 0, 32);
    sc25519_reduce(hash);
    memcpy(scalar, hash, 32);
}

static void hash_to_scalar(const struct fixture *f, uint8_t h[64])
{
    uint8_t input[64 + sizeof(f->message)];

    memcpy(input, f->signature, 32);
    memcpy(input + 32, f->key, 32);
    memcpy(input + 64, f->message, sizeof(f->message));
    crypto_hash_sha512(h, input, sizeof(input));
    sc25519_reduce(h);
}

/* R = S * B satisfies the equation under a key of small order if that key times h is neutral. Such
 * a signature needs no secret: without the check of the key it would be valid. */
START_TEST(test_forged_under_a_key_of_small_order)
{
    for (size_t i = 0; i < sizeof(small_order) / sizeof(*small_order); i++) {
        struct fixture f;
        uint8_t h[64] = { 1 };

        sign_fixture(&f, 4);
        from_hex(f.key, small_order[i]);
        make_scalar(5, f.signature + 32, f.signature);
        for (unsigned n = 0; h[0] % 8 != 0; n++) {
            memcpy(f.message, &n, sizeof(n));
            hash_to_scalar(&f, h);
        }
        ck_assert_int_eq(check_fixture(&f), -1);
    }
}
END_TEST

/* R neutral, S = h * a: valid without the check of R, and the secret key follows from it. */
START_TEST(test_neutral_r)
{
    struct fixture f;
    uint8_t a[32], h[64], zero[32] = { 0 };

    sign_fixture(&f, 6);
    make_scalar(7, a, f.key);
    memset(f.signature, 0, 32);
    f.signature[0] = 1;
    hash_to_scalar(&f, h);
    sc25519_muladd(f.signature + 32, h, a, zero);
    ck_assert_int_eq(check_fixture(&f), -1);
}
END_TEST

/* Encodings of y that are p or more, for y = 2 .. 18: no canonical key has them. */
START_TEST(test_keys_that_are_not_canonical)
{
    for (unsigned y = 2; y < 19; y++)
        for (unsigned sign = 0; sign < 2; sign++) {
            struct fixture f;

            sign_fixture(&f, 8);
            memset(f.key, 0xff, 32);
            f.key[0] = (uint8_t)(0xed + y);
            f.key[31] = (uint8_t)(0x7f | sign << 7);
            ck_assert_int_eq(check_fixture(&f), -1);
        }
}
END_TEST

START_TEST(test_other_key)
{
    struct fixture f, other;

    sign_fixture(&f, 9);
    sign_fixture(&other, 10);
    memcpy(f.key, other.key, sizeof(f.key));
    ck_assert_int_eq(check_fixture(&f), -1);
}
END_TEST

START_TEST(test_whole_check)
{
    struct fixture f;

    sign_fixture(&f, 11);
    ck_assert_int_eq(signature_check(f.signature, f.key, f.message, sizeof(f.message)), 0);
    f.message[5] ^= 1;
    ck_assert_int_eq(signature_check(f.signature, f.key, f.message, sizeof(f.message)), -1);
}
END_TEST

START_TEST(test_same_result_as_libsodium)
{
    srand(1);
    for (int i = 0; i < 2000; i++) {
        struct fixture f;
        size_t len = (size_t)rand() % (sizeof(f.message) + 1);

        sign_fixture(&f, (uint8_t)rand());
        crypto_sign_ed25519_detached(f.signature, NULL, f.message, len, f.secret);
        if (i % 2)
            ((uint8_t *)&f)[(size_t)rand() % sizeof(f)] ^= (uint8_t)(1 << rand() % 8);
        ck_assert_int_eq(check_all(f.signature, f.key, f.message, len),
                         crypto_sign_ed25519_verify_detached(f.signature, f.message, len, f.key));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_vectors_of_rfc_8032,
                                   test_every_flipped_bit_is_refused,
                                   test_scalar_that_is_not_reduced,
                                   test_points_of_small_order,
                                   test_forged_under_a_key_of_small_order,
                                   test_neutral_r,
                                   test_keys_that_are_not_canonical,
                                   test_other_key,
                                   test_whole_check,
                                   test_same_result_as_libsodium };

    return units_run("signature", tests, sizeof(tests) / sizeof(*tests));
}
