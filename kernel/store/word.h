/* SPDX-License-Identifier: MIT */
/*
 * Store words: making and checking them. Pure. A word's check covers its 48-bit body, its place
 * (kind, index) and its owner; the owner enters as a 16-bit salt, computed once (the CRC of the
 * pool's UUID and, for words of an object, of the object's ID).
 */
#ifndef STORE_WORD_H
#define STORE_WORD_H

#include <store/format.h>

/* CRC-16 (T10-DIF polynomial) of `len` bytes, continuing `crc`. */
uint16_t word_crc16(uint16_t crc, const void *data, size_t len);

/* The salt of a pool's own words, and that of the words of one of its objects. */
uint16_t word_salt_pool(const uint8_t uuid[16]);
uint16_t word_salt_object(uint16_t pool_salt, objid_t id);

/* The complete word of a body. */
uint64_t word_seal(uint64_t body, uint16_t salt, uint32_t place, uint32_t index);

static inline int word_is_valid(uint64_t word, uint16_t salt, uint32_t place, uint32_t index)
{
    return word == word_seal(STORE_WORD_BODY(word), salt, place, index);
}

static inline uint64_t word_body(uint32_t state, uint32_t flags, uint32_t frame)
{
    return (uint64_t)frame | (uint64_t)state << 30 | (uint64_t)flags << 34;
}

static inline uint64_t word_commit(uint32_t state, uint32_t sequence, uint32_t crc,
                                   uint16_t pool_salt, uint32_t row)
{
    uint64_t body = (uint64_t)state | (uint64_t)(sequence & 0xfffu) << 4 | (uint64_t)crc << 16;

    return word_seal(body, pool_salt, STORE_LOC_COMMIT, row);
}

/*
 * Most words of a node are absent, and a CRC is linear: the check of an absent word at index
 * first + i, first a multiple of STORE_NODE_WORDS, is that at `first` XOR low[i]. So a node is
 * scanned, and written, with one XOR a word.
 */
void word_low_table(uint16_t low[STORE_NODE_WORDS]);

static inline uint64_t word_absent(uint16_t salt, uint32_t place, uint32_t index)
{
    return word_seal((uint64_t)STORE_ABSENT << 30, salt, place, index);
}

static inline uint64_t word_absent_at(uint64_t first, const uint16_t *low, uint32_t i)
{
    return first ^ (uint64_t)low[i] << 48;
}

/* Bytes of a word's frame field make sense: nothing set where nothing may be, frame within pool. */
static inline int word_is_sane(uint64_t word, uint64_t frames)
{
    uint32_t state = STORE_WORD_STATE(word);
    uint32_t frame = STORE_WORD_FRAME(word);

    if (STORE_WORD_ZERO(word) || (STORE_WORD_FLAGS(word) & ~STORE_FLAG_READONLY))
        return 0;
    if (state == STORE_ABSENT || state == STORE_HOLE)
        return frame == 0;
    return state >= STORE_PRESENT && state <= STORE_CHUNK && frame > 1 && frame < frames;
}

#endif
