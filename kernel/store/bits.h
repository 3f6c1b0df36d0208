/* SPDX-License-Identifier: MIT */
/*
 * A volatile set of numbers 0 .. size - 1 with a fast "first member": a bitmap, and above each
 * level a bitmap of its non-zero words. Every operation visits at most BITS_LEVELS words. Pure; the
 * owner locks.
 */
#ifndef STORE_BITS_H
#define STORE_BITS_H

#include <stddef.h>
#include <stdint.h>

#define BITS_LEVELS 6
#define BITS_NONE   0xffffffffu

struct bits {
    uint64_t *level[BITS_LEVELS]; /* 0: one bit a number */
    uint32_t levels;
    uint32_t size;
    uint32_t count; /* members */
};

/* Bytes of memory a set of `size` numbers needs (zeroed, 8-byte aligned). */
size_t bits_bytes(uint32_t size);
void bits_init(struct bits *bits, uint32_t size, void *mem);
/* All of them are members now. */
void bits_fill(struct bits *bits);

int bits_test(const struct bits *bits, uint32_t n);
/* Adding a member or dropping a stranger is allowed and changes nothing. */
void bits_add(struct bits *bits, uint32_t n);
void bits_drop(struct bits *bits, uint32_t n);
/* The smallest member, or BITS_NONE. */
uint32_t bits_first(const struct bits *bits);

#endif
