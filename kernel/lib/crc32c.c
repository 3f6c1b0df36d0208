/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C, reflected, four bytes a round. Table k answers for a byte that k more bytes follow. A
 * CRC is linear, so an entry is the XOR of the entries of its bits: each table is written down as
 * those eight, lowest bit first.
 */
#include <lib/crc32c.h>
#include <lib/string.h>

#define BIT(i, n, entry) (((i) >> (n)&1u) ? (entry) : 0u)
#define ENTRY(i, b0, b1, b2, b3, b4, b5, b6, b7)                                     \
    (BIT(i, 0, b0) ^ BIT(i, 1, b1) ^ BIT(i, 2, b2) ^ BIT(i, 3, b3) ^ BIT(i, 4, b4) ^ \
     BIT(i, 5, b5) ^ BIT(i, 6, b6) ^ BIT(i, 7, b7))
#define ROW4(i, ...)                                                                   \
    ENTRY(i, __VA_ARGS__), ENTRY((i) + 1u, __VA_ARGS__), ENTRY((i) + 2u, __VA_ARGS__), \
        ENTRY((i) + 3u, __VA_ARGS__)
#define ROW16(i, ...)                                                               \
    ROW4(i, __VA_ARGS__), ROW4((i) + 4u, __VA_ARGS__), ROW4((i) + 8u, __VA_ARGS__), \
        ROW4((i) + 12u, __VA_ARGS__)
#define ROW64(i, ...)                                                                    \
    ROW16(i, __VA_ARGS__), ROW16((i) + 16u, __VA_ARGS__), ROW16((i) + 32u, __VA_ARGS__), \
        ROW16((i) + 48u, __VA_ARGS__)
#define TABLE(...)                                                                 \
    {                                                                              \
        ROW64(0u, __VA_ARGS__), ROW64(64u, __VA_ARGS__), ROW64(128u, __VA_ARGS__), \
            ROW64(192u, __VA_ARGS__)                                               \
    }

static const uint32_t table[4][256] = {
    TABLE(0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu, 0x417b1dbcu,
          0x82f63b78u),
    TABLE(0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u, 0xff17c604u,
          0xfbc3faf9u),
    TABLE(0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u, 0xc76580d9u,
          0x8b277743u),
    TABLE(0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu, 0xaba65fe7u,
          0x52a0c93fu),
};

static uint32_t add_byte(uint32_t crc, uint8_t byte)
{
    return (crc >> 8) ^ table[0][(crc ^ byte) & 0xffu];
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *at = data;

    crc = ~crc;
    for (; len >= 4; len -= 4, at += 4) {
        uint32_t word;

        memcpy(&word, at, sizeof(word));
        crc ^= word;
        crc = table[3][crc & 0xffu] ^ table[2][crc >> 8 & 0xffu] ^ table[1][crc >> 16 & 0xffu] ^
              table[0][crc >> 24];
    }
    while (len--)
        crc = add_byte(crc, *at++);
    return ~crc;
}
