/* SPDX-License-Identifier: MIT */
/*
 * Making and checking store words. Pure. The check of a word covers its 48-bit body and its
 * location (kind, index, owner). The owner enters as a 16-bit salt: the CRC of the pool's UUID and,
 * for the words of an object, of the object's ID.
 */
#ifndef STORE_WORD_H
#define STORE_WORD_H

#include <stdbool.h>
#include <store/format.h>

/* CRC-16 (T10-DIF polynomial) of `len` bytes, continuing `crc`. */
uint16_t word_crc16(uint16_t crc, const void *data, size_t len);

/* The salt of a pool's own words, and of the words of one of its objects. */
uint16_t word_salt_pool(const uint8_t uuid[16]);
uint16_t word_salt_object(uint16_t pool_salt, objid_t id);

/* A body with its check. */
uint64_t word_seal(uint64_t body, uint16_t salt, uint32_t loc, uint32_t index);

static inline bool word_is_valid(uint64_t word, uint16_t salt, uint32_t loc, uint32_t index)
{
    return word == word_seal(STORE_WORD_BODY(word), salt, loc, index);
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
 * A CRC is linear, so the check of the absent word at index first + i is the check at `first` XOR
 * low[i]. `first` must be a multiple of STORE_NODE_WORDS. Most words of a node are absent: this way
 * scanning or filling a node costs one XOR for each.
 */
void word_low_table(uint16_t low[STORE_NODE_WORDS]);

static inline uint64_t word_absent(uint16_t salt, uint32_t loc, uint32_t index)
{
    return word_seal((uint64_t)STORE_ABSENT << 30, salt, loc, index);
}

static inline uint64_t word_absent_at(uint64_t first, const uint16_t *low, uint32_t i)
{
    return first ^ (uint64_t)low[i] << 48;
}

/* The fields make sense: reserved bits are zero, the frame is in the pool. */
static inline bool word_is_sane(uint64_t word, uint64_t frames)
{
    uint32_t state = STORE_WORD_STATE(word);
    uint32_t frame = STORE_WORD_FRAME(word);

    if (STORE_WORD_ZERO(word) || (STORE_WORD_FLAGS(word) & ~STORE_FLAG_READONLY))
        return false;
    if (state == STORE_ABSENT || state == STORE_HOLE)
        return frame == 0;
    return state >= STORE_PRESENT && state <= STORE_CHUNK && frame > 1 && frame < frames;
}

#endif
