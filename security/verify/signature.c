/* SPDX-License-Identifier: MIT */
/*
 * The check of an Ed25519 signature (R, S) of a message M under a key A: with h = SHA-512(R, A, M)
 * it must hold that S * B = R + h * A, or R = S * B - h * A. So the check computes the right side
 * by one double scalar multiplication, and compares the encodings.
 *
 * The arithmetic is libsodium's. Its group operations are static functions of one C file, which is
 * therefore included here. The loop over the bits of both scalars is ours, because libsodium's
 * cannot stop between two bits. It is the usual one: both scalars in sliding-window form, with odd
 * multiples up to 15 of A and B.
 */
#include <lib/string.h>
#include <verify/signature.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-const-variable"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "ed25519_ref10.c"
#pragma GCC diagnostic pop

#include "crypto_hash_sha512.h"

#define BITS      256
#define MULTIPLES 8  /* A, 3A, 5A ... 15A */
#define BITS_STEP 16 /* rounds of the loop in one step */

enum stage { STAGE_FORM, STAGE_KEY, STAGE_SCALARS, STAGE_MULTIPLES, STAGE_LOOP, STAGE_COMPARE };

struct state {
    uint8_t signature[SIGNATURE_SIZE];
    uint8_t key[SIGNATURE_KEY];
    uint32_t stage;
    int32_t bit; /* STAGE_LOOP: the next bit, from the highest down */
    size_t len;
    union {
        uint8_t message[SIGNATURE_MESSAGE]; /* until STAGE_SCALARS */
        struct {
            signed char digit_h[BITS]; /* h and S in sliding-window form */
            signed char digit_s[BITS];
        };
    };
    ge25519_p3 minus_a;                 /* -A */
    ge25519_cached multiple[MULTIPLES]; /* of -A */
    ge25519_p2 sum;
};
_Static_assert(sizeof(struct state) <= sizeof(((struct signature *)0)->state), "state fits");

static const ge25519_precomp base_multiple[MULTIPLES] = {
#include "fe_51/base2.h"
};

static struct state *state_of(struct signature *check)
{
    return (struct state *)(void *)check->state;
}

void signature_begin(struct signature *check, const uint8_t signature[SIGNATURE_SIZE],
                     const uint8_t key[SIGNATURE_KEY], const void *message, size_t len)
{
    struct state *s = state_of(check);

    memcpy(s->signature, signature, SIGNATURE_SIZE);
    memcpy(s->key, key, SIGNATURE_KEY);
    memcpy(s->message, message, len);
    s->len = len;
    s->stage = STAGE_FORM;
}

static int check_form(struct state *s)
{
    if (!sc25519_is_canonical(s->signature + 32) || ge25519_has_small_order(s->signature) ||
        !ge25519_is_canonical(s->key) || ge25519_has_small_order(s->key))
        return -1;
    s->stage = STAGE_KEY;
    return 1;
}

static int load_key(struct state *s)
{
    if (ge25519_frombytes_negate_vartime(&s->minus_a, s->key) != 0)
        return -1; /* not a point of the curve */
    s->stage = STAGE_SCALARS;
    return 1;
}

/* h and S as digits. */
static int compute_scalars(struct state *s)
{
    crypto_hash_sha512_state hash;
    uint8_t h[64];

    crypto_hash_sha512_init(&hash);
    crypto_hash_sha512_update(&hash, s->signature, 32);
    crypto_hash_sha512_update(&hash, s->key, SIGNATURE_KEY);
    crypto_hash_sha512_update(&hash, s->message, s->len);
    crypto_hash_sha512_final(&hash, h);
    sc25519_reduce(h);
    slide_vartime(s->digit_h, h);
    slide_vartime(s->digit_s, s->signature + 32);
    s->stage = STAGE_MULTIPLES;
    return 1;
}

static int compute_multiples(struct state *s)
{
    ge25519_p1p1 sum;
    ge25519_p3 twice, odd;

    ge25519_p3_to_cached(&s->multiple[0], &s->minus_a);
    ge25519_p3_dbl(&sum, &s->minus_a);
    ge25519_p1p1_to_p3(&twice, &sum);
    for (int i = 1; i < MULTIPLES; i++) {
        ge25519_add(&sum, &twice, &s->multiple[i - 1]);
        ge25519_p1p1_to_p3(&odd, &sum);
        ge25519_p3_to_cached(&s->multiple[i], &odd);
    }
    ge25519_p2_0(&s->sum);
    s->bit = BITS - 1;
    s->stage = STAGE_LOOP;
    return 1;
}

/* sum = 2 * sum + digit_h * -A + digit_s * B, for one bit. */
static void add_bit(struct state *s, int bit)
{
    int h = s->digit_h[bit], b = s->digit_s[bit];
    ge25519_p1p1 sum;
    ge25519_p3 point;

    ge25519_p2_dbl(&sum, &s->sum);
    if (h != 0) {
        ge25519_p1p1_to_p3(&point, &sum);
        if (h > 0)
            ge25519_add(&sum, &point, &s->multiple[h / 2]);
        else
            ge25519_sub(&sum, &point, &s->multiple[-h / 2]);
    }
    if (b != 0) {
        ge25519_p1p1_to_p3(&point, &sum);
        if (b > 0)
            ge25519_madd(&sum, &point, &base_multiple[b / 2]);
        else
            ge25519_msub(&sum, &point, &base_multiple[-b / 2]);
    }
    ge25519_p1p1_to_p2(&s->sum, &sum);
}

static int loop(struct state *s)
{
    for (int i = 0; i < BITS_STEP && s->bit >= 0; i++, s->bit--)
        add_bit(s, s->bit);
    if (s->bit < 0)
        s->stage = STAGE_COMPARE;
    return 1;
}

static int compare(const struct state *s)
{
    uint8_t r[32];

    ge25519_tobytes(r, &s->sum);
    return memcmp(r, s->signature, sizeof(r)) == 0 ? 0 : -1;
}

int signature_step(struct signature *check)
{
    struct state *s = state_of(check);

    switch (s->stage) {
    case STAGE_FORM: return check_form(s);
    case STAGE_KEY: return load_key(s);
    case STAGE_SCALARS: return compute_scalars(s);
    case STAGE_MULTIPLES: return compute_multiples(s);
    case STAGE_LOOP: return loop(s);
    default: return compare(s);
    }
}

int signature_check(const uint8_t signature[SIGNATURE_SIZE], const uint8_t key[SIGNATURE_KEY],
                    const void *message, size_t len)
{
    struct signature check;
    int ret;

    signature_begin(&check, signature, key, message, len);
    do
        ret = signature_step(&check);
    while (ret == 1);
    return ret;
}
