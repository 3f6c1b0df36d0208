/* SPDX-License-Identifier: MIT */
/* A set in levels of bitmaps: bit n of level k + 1 is set iff word n of level k is not 0. */
#include <lib/string.h>
#include <store/bits.h>

static uint32_t words_of(uint32_t size)
{
    return (uint32_t)(((uint64_t)size + 63) / 64);
}

size_t bits_bytes(uint32_t size)
{
    size_t words = 0;
    uint32_t level = size;

    do {
        level = words_of(level);
        words += level;
    } while (level > 1);
    return words * sizeof(uint64_t);
}

/* Word i of a level. */
static uint64_t *word_at(const struct bits *bits, uint32_t level, uint32_t i)
{
    return parts_at(&bits->words, ((size_t)bits->first[level] + i) * sizeof(uint64_t));
}

void bits_init(struct bits *bits, uint32_t size)
{
    uint32_t at = 0, words = size;

    bits->size = size;
    bits->count = 0;
    bits->levels = 0;
    do {
        words = words_of(words);
        bits->first[bits->levels++] = at;
        at += words;
    } while (words > 1);
}

void bits_fill(struct bits *bits)
{
    uint32_t left = bits->size;

    bits->count = bits->size;
    for (uint32_t k = 0; k < bits->levels; k++) {
        for (uint32_t i = 0; i < left / 64; i++)
            *word_at(bits, k, i) = ~0ull;
        if (left % 64)
            *word_at(bits, k, left / 64) = (1ull << (left % 64)) - 1;
        left = words_of(left);
    }
}

bool bits_test(const struct bits *bits, uint32_t n)
{
    return *word_at(bits, 0, n / 64) >> (n % 64) & 1;
}

void bits_add(struct bits *bits, uint32_t n)
{
    if (bits_test(bits, n))
        return;
    bits->count++;
    for (uint32_t k = 0; k < bits->levels; k++) {
        uint64_t *word = word_at(bits, k, n / 64);
        uint64_t before = *word;

        *word |= 1ull << (n % 64);
        if (before)
            return;
        n /= 64;
    }
}

/* Clear bit n of level k, and the bits above it for words that become 0. */
static void clear_bit(struct bits *bits, uint32_t k, uint32_t n)
{
    for (; k < bits->levels; k++) {
        uint64_t *word = word_at(bits, k, n / 64);

        *word &= ~(1ull << (n % 64));
        if (*word)
            return;
        n /= 64;
    }
}

void bits_drop(struct bits *bits, uint32_t n)
{
    if (!bits_test(bits, n))
        return;
    bits->count--;
    clear_bit(bits, 0, n);
}

uint32_t bits_first(const struct bits *bits)
{
    uint32_t n = 0;

    if (!bits->count)
        return BITS_NONE;
    for (uint32_t k = bits->levels; k-- > 0;)
        n = n * 64 + (uint32_t)__builtin_ctzll(*word_at(bits, k, n));
    return n;
}

uint32_t bits_take_word(struct bits *bits, uint32_t out[64])
{
    uint32_t first = bits_first(bits), taken = 0;
    uint64_t word;

    if (first == BITS_NONE)
        return 0;
    first /= 64;
    word = *word_at(bits, 0, first);
    *word_at(bits, 0, first) = 0;
    clear_bit(bits, 1, first);
    while (word) {
        uint32_t bit = 63u - (uint32_t)__builtin_clzll(word);

        word ^= 1ull << bit;
        out[taken++] = first * 64 + bit;
    }
    bits->count -= taken;
    return taken;
}
