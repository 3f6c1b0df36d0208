/* SPDX-License-Identifier: MIT */
/*
 * The check of store words: CRC-16 with the T10-DIF polynomial. It detects every burst of up to 16
 * bits and every flip of up to three. A CRC is linear: each table entry is the XOR of the
 * contributions of single bits, and the bytes of a word are looked up independently.
 */
#include <store/word.h>

#define POLY    0x8bb7u
#define STEP(x) ((((x) << 1) ^ (((x)&0x8000u) ? POLY : 0u)) & 0xffffu)

/*
 * Entry n of ROW_x is the contribution of bit n of a byte to the CRC. In ROW_a the byte is the last
 * one; in ROW_b one byte follows it, and so on. Each row is the row before, multiplied by x^8.
 */
#define ROW_a(bit) bit(0x8bb7u, 0x9cd9u, 0xb205u, 0xefbdu, 0x54cdu, 0xa99au, 0xd883u, 0x3ab1u)
#define ROW_b(bit) bit(0x7562u, 0xeac4u, 0x5e3fu, 0xbc7eu, 0xf34bu, 0x6d21u, 0xda42u, 0x3f33u)
#define ROW_c(bit) bit(0x7e66u, 0xfcccu, 0x722fu, 0xe45eu, 0x430bu, 0x8616u, 0x879bu, 0x8481u)
#define ROW_d(bit) bit(0x82b5u, 0x8eddu, 0x960du, 0xa7adu, 0xc4edu, 0x026du, 0x04dau, 0x09b4u)
#define ROW_e(bit) bit(0x1368u, 0x26d0u, 0x4da0u, 0x9b40u, 0xbd37u, 0xf1d9u, 0x6805u, 0xd00au)
#define ROW_f(bit) bit(0x2ba3u, 0x5746u, 0xae8cu, 0xd6afu, 0x26e9u, 0x4dd2u, 0x9ba4u, 0xbcffu)
#define ROW_g(bit) bit(0xf249u, 0x6f25u, 0xde4au, 0x3723u, 0x6e46u, 0xdc8cu, 0x32afu, 0x655eu)
#define ROW_h(bit) bit(0xcabcu, 0x1ecfu, 0x3d9eu, 0x7b3cu, 0xf678u, 0x6747u, 0xce8eu, 0x16abu)
#define ROW_i(bit) bit(0x2d56u, 0x5aacu, 0xb558u, 0xe107u, 0x49b9u, 0x9372u, 0xad53u, 0xd111u)
#define ROW_j(bit) bit(0x2995u, 0x532au, 0xa654u, 0xc71fu, 0x0589u, 0x0b12u, 0x1624u, 0x2c48u)
#define ROW_k(bit) bit(0x5890u, 0xb120u, 0xe9f7u, 0x5859u, 0xb0b2u, 0xead3u, 0x5e11u, 0xbc22u)

#define FIRST(a, b, c, d, e, f, g, h) (a)
#define LAST(a, b, c, d, e, f, g, h)  (h)
#define CHAIN(a, b, c, d, e, f, g, h)                                                          \
    (STEP(a) == (b) && STEP(b) == (c) && STEP(c) == (d) && STEP(d) == (e) && STEP(e) == (f) && \
     STEP(f) == (g) && STEP(g) == (h))
_Static_assert(ROW_a(FIRST) == POLY && ROW_a(CHAIN), "rows");
_Static_assert(ROW_b(FIRST) == STEP(ROW_a(LAST)) && ROW_b(CHAIN), "rows");
_Static_assert(ROW_c(FIRST) == STEP(ROW_b(LAST)) && ROW_c(CHAIN), "rows");
_Static_assert(ROW_d(FIRST) == STEP(ROW_c(LAST)) && ROW_d(CHAIN), "rows");
_Static_assert(ROW_e(FIRST) == STEP(ROW_d(LAST)) && ROW_e(CHAIN), "rows");
_Static_assert(ROW_f(FIRST) == STEP(ROW_e(LAST)) && ROW_f(CHAIN), "rows");
_Static_assert(ROW_g(FIRST) == STEP(ROW_f(LAST)) && ROW_g(CHAIN), "rows");
_Static_assert(ROW_h(FIRST) == STEP(ROW_g(LAST)) && ROW_h(CHAIN), "rows");
_Static_assert(ROW_i(FIRST) == STEP(ROW_h(LAST)) && ROW_i(CHAIN), "rows");
_Static_assert(ROW_j(FIRST) == STEP(ROW_i(LAST)) && ROW_j(CHAIN), "rows");
_Static_assert(ROW_k(FIRST) == STEP(ROW_j(LAST)) && ROW_k(CHAIN), "rows");

#define PICK(i, n, x) (((i) >> (n)&1u) ? (x) : 0u)
#define ENTRY(i, a, b, c, d, e, f, g, h)                                             \
    (PICK(i, 0, a) ^ PICK(i, 1, b) ^ PICK(i, 2, c) ^ PICK(i, 3, d) ^ PICK(i, 4, e) ^ \
     PICK(i, 5, f) ^ PICK(i, 6, g) ^ PICK(i, 7, h))
#define FOUR(i, ...)                                                                   \
    ENTRY(i, __VA_ARGS__), ENTRY((i) + 1u, __VA_ARGS__), ENTRY((i) + 2u, __VA_ARGS__), \
        ENTRY((i) + 3u, __VA_ARGS__)
#define MANY(i, ...)                                                                \
    FOUR(i, __VA_ARGS__), FOUR((i) + 4u, __VA_ARGS__), FOUR((i) + 8u, __VA_ARGS__), \
        FOUR((i) + 12u, __VA_ARGS__)
#define MORE(i, ...)                                                                  \
    MANY(i, __VA_ARGS__), MANY((i) + 16u, __VA_ARGS__), MANY((i) + 32u, __VA_ARGS__), \
        MANY((i) + 48u, __VA_ARGS__)
#define TABLE(...)                                                              \
    {                                                                           \
        MORE(0u, __VA_ARGS__), MORE(64u, __VA_ARGS__), MORE(128u, __VA_ARGS__), \
            MORE(192u, __VA_ARGS__)                                             \
    }

/* behind[k][byte]: the contribution of a byte to the CRC when k more bytes follow. */
static const uint16_t behind[11][256] = {
    ROW_a(TABLE), ROW_b(TABLE), ROW_c(TABLE), ROW_d(TABLE), ROW_e(TABLE), ROW_f(TABLE),
    ROW_g(TABLE), ROW_h(TABLE), ROW_i(TABLE), ROW_j(TABLE), ROW_k(TABLE),
};

static inline uint16_t crc16_byte(uint16_t crc, uint64_t byte)
{
    return (uint16_t)((uint32_t)crc << 8 ^ behind[0][(crc >> 8 ^ byte) & 0xffu]);
}

uint16_t word_crc16(uint16_t crc, const void *data, size_t len)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < len; i++)
        crc = crc16_byte(crc, at[i]);
    return crc;
}

uint16_t word_salt_pool(const uint8_t uuid[16])
{
    return word_crc16(0xffffu, uuid, 16);
}

uint16_t word_salt_object(uint16_t pool_salt, objid_t id)
{
    return word_crc16(pool_salt, &id, sizeof(id));
}

/* The CRC of six bytes of body, four of index and one of kind, the low ones first. */
uint64_t word_seal(uint64_t body, uint16_t salt, uint32_t loc, uint32_t index)
{
    uint32_t crc = salt ^ behind[0][loc & 0xffu];

#pragma GCC unroll 6
    for (uint32_t i = 0; i < 6; i++)
        crc ^= behind[10 - i][body >> (8 * i) & 0xffu];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++)
        crc ^= behind[4 - i][index >> (8 * i) & 0xffu];
    return body | (uint64_t)(uint16_t)crc << 48;
}

void word_low_table(uint16_t low[STORE_NODE_WORDS])
{
    uint64_t none = word_seal(0, 0, 0, 0);

    low[0] = 0;
    for (uint32_t i = 1; i < STORE_NODE_WORDS; i++) {
        uint32_t rest = i & (i - 1), bit = i ^ rest;

        low[i] = rest ? low[rest] ^ low[bit] : STORE_WORD_CHECK(word_seal(0, 0, 0, bit) ^ none);
    }
}
