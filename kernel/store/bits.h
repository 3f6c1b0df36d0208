/* SPDX-License-Identifier: MIT */
/*
 * A volatile set of numbers 0 .. size - 1 with a fast "first member": a bitmap, and above each
 * level a bitmap of its non-zero words. Every operation visits at most BITS_LEVELS words. Pure. The
 * caller must serialize all calls on one set.
 */
#ifndef STORE_BITS_H
#define STORE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <store/parts.h>

#define BITS_LEVELS 6
#define BITS_NONE   0xffffffffu

struct bits {
    struct parts words;          /* of all levels, level 0 first; it has one bit for each number */
    uint32_t first[BITS_LEVELS]; /* first word of each level */
    uint32_t levels;
    uint32_t size;
    uint32_t count; /* members */
};

/* Bytes of memory for a set of `size` numbers. */
size_t bits_bytes(uint32_t size);
/* Initialize an empty set. bits->words must be an array of bits_bytes(size) bytes, zeroed. */
void bits_init(struct bits *bits, uint32_t size);
/* Make every number a member. */
void bits_fill(struct bits *bits);

bool bits_test(const struct bits *bits, uint32_t n);
/* Adding a member, and dropping a number that is none, change nothing. */
void bits_add(struct bits *bits, uint32_t n);
void bits_drop(struct bits *bits, uint32_t n);
/* The smallest member, or BITS_NONE. */
uint32_t bits_first(const struct bits *bits);
/* Drop the members that share a word of level 0 with the smallest one, and write them to `out`, the
 * largest first. Returns their number, 0 for an empty set. */
uint32_t bits_take_word(struct bits *bits, uint32_t out[64]);

#endif
