/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C, reflected, one table look-up a byte. A CRC is linear, so each entry of the table is the
 * XOR of the entries of its bits: the table is written down as those eight.
 */
#include <lib/crc32c.h>

#define POLY    0x82f63b78u
#define STEP(x) (((x) >> 1) ^ (((x)&1u) ? POLY : 0u))

/* BITn is the entry of the byte 1 << n. */
#define BIT7 POLY
#define BIT6 0x417b1dbcu
#define BIT5 0x20bd8edeu
#define BIT4 0x105ec76fu
#define BIT3 0x8ad958cfu
#define BIT2 0xc79a971fu
#define BIT1 0xe13b70f7u
#define BIT0 0xf26b8303u
_Static_assert(BIT6 == STEP(BIT7) && BIT5 == STEP(BIT6) && BIT4 == STEP(BIT5), "table bits");
_Static_assert(BIT3 == STEP(BIT4) && BIT2 == STEP(BIT3) && BIT1 == STEP(BIT2), "table bits");
_Static_assert(BIT0 == STEP(BIT1), "table bits");

#define ENTRY(i)                                                                  \
    ((((i)&1u) ? BIT0 : 0u) ^ (((i)&2u) ? BIT1 : 0u) ^ (((i)&4u) ? BIT2 : 0u) ^   \
     (((i)&8u) ? BIT3 : 0u) ^ (((i)&16u) ? BIT4 : 0u) ^ (((i)&32u) ? BIT5 : 0u) ^ \
     (((i)&64u) ? BIT6 : 0u) ^ (((i)&128u) ? BIT7 : 0u))
#define ROW4(i)  ENTRY(i), ENTRY((i) + 1u), ENTRY((i) + 2u), ENTRY((i) + 3u)
#define ROW16(i) ROW4(i), ROW4((i) + 4u), ROW4((i) + 8u), ROW4((i) + 12u)
#define ROW64(i) ROW16(i), ROW16((i) + 16u), ROW16((i) + 32u), ROW16((i) + 48u)

static const uint32_t table[256] = { ROW64(0u), ROW64(64u), ROW64(128u), ROW64(192u) };

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *at = data;

    crc = ~crc;
    for (size_t i = 0; i < len; i++)
        crc = (crc >> 8) ^ table[(crc ^ at[i]) & 0xffu];
    return ~crc;
}
