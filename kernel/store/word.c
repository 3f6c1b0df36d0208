/* SPDX-License-Identifier: MIT */
/*
 * The check of store words: CRC-16 with the T10-DIF polynomial, which finds every burst of up to 16
 * bits and every flip of up to three. Linear like any CRC: the table is spelled as the XOR of the
 * entries of single bits.
 */
#include <store/word.h>

#define POLY    0x8bb7u
#define STEP(x) ((((x) << 1) ^ (((x)&0x8000u) ? POLY : 0u)) & 0xffffu)

/* BITn is the entry of the byte 1 << n. */
#define BIT0 POLY
#define BIT1 0x9cd9u
#define BIT2 0xb205u
#define BIT3 0xefbdu
#define BIT4 0x54cdu
#define BIT5 0xa99au
#define BIT6 0xd883u
#define BIT7 0x3ab1u
_Static_assert(BIT1 == STEP(BIT0) && BIT2 == STEP(BIT1) && BIT3 == STEP(BIT2), "table bits");
_Static_assert(BIT4 == STEP(BIT3) && BIT5 == STEP(BIT4) && BIT6 == STEP(BIT5), "table bits");
_Static_assert(BIT7 == STEP(BIT6), "table bits");

#define ENTRY(i)                                                                  \
    ((((i)&1u) ? BIT0 : 0u) ^ (((i)&2u) ? BIT1 : 0u) ^ (((i)&4u) ? BIT2 : 0u) ^   \
     (((i)&8u) ? BIT3 : 0u) ^ (((i)&16u) ? BIT4 : 0u) ^ (((i)&32u) ? BIT5 : 0u) ^ \
     (((i)&64u) ? BIT6 : 0u) ^ (((i)&128u) ? BIT7 : 0u))
#define ROW4(i)  ENTRY(i), ENTRY((i) + 1u), ENTRY((i) + 2u), ENTRY((i) + 3u)
#define ROW16(i) ROW4(i), ROW4((i) + 4u), ROW4((i) + 8u), ROW4((i) + 12u)
#define ROW64(i) ROW16(i), ROW16((i) + 16u), ROW16((i) + 32u), ROW16((i) + 48u)

static const uint16_t table[256] = { ROW64(0u), ROW64(64u), ROW64(128u), ROW64(192u) };

static inline uint16_t crc_byte(uint16_t crc, uint64_t byte)
{
    return (uint16_t)((uint32_t)crc << 8 ^ table[(crc >> 8 ^ byte) & 0xffu]);
}

uint16_t word_crc16(uint16_t crc, const void *data, size_t len)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < len; i++)
        crc = crc_byte(crc, at[i]);
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

uint64_t word_seal(uint64_t body, uint16_t salt, uint32_t place, uint32_t index)
{
    uint16_t crc = 0;

    for (uint32_t shift = 0; shift < 48; shift += 8)
        crc = crc_byte(crc, body >> shift);
    for (uint32_t shift = 0; shift < 32; shift += 8)
        crc = crc_byte(crc, index >> shift);
    crc = crc_byte(crc, place);
    return body | (uint64_t)(uint16_t)(crc ^ salt) << 48;
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

int word_sane(uint64_t word, uint64_t frames)
{
    uint32_t state = STORE_WORD_STATE(word);
    uint32_t frame = STORE_WORD_FRAME(word);

    if (STORE_WORD_ZERO(word) || (STORE_WORD_FLAGS(word) & ~STORE_FLAG_READONLY))
        return 0;
    if (state == STORE_ABSENT || state == STORE_HOLE)
        return frame == 0;
    return state >= STORE_PRESENT && state <= STORE_CHUNK && frame > 1 && frame < frames;
}
