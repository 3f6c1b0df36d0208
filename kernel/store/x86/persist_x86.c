/* SPDX-License-Identifier: MIT */
/*
 * The bulk forms of the x86 persistence backend. Streaming stores (movnti) bypass the cache: a
 * frame that they fill needs no flush, only the next fence.
 */
#include <lib/string.h>
#include <store/persist.h>

struct persist_x86 persist_x86;

void persist_copy(void *dst, const void *src, size_t len)
{
    memcpy(dst, src, len);
    __asm__ volatile("" : : : "memory");
}

void persist_zero(void *dst, size_t len)
{
    memset(dst, 0, len);
    __asm__ volatile("" : : : "memory");
}

static inline void stream64(uint64_t *dst, uint64_t value)
{
    __asm__ volatile("movnti %1, %0" : "=m"(*dst) : "r"(value));
}

static inline void stream_zero_line(uint64_t *dst)
{
    __asm__ volatile("movnti %1, (%0)\n\t"
                     "movnti %1, 8(%0)\n\t"
                     "movnti %1, 16(%0)\n\t"
                     "movnti %1, 24(%0)\n\t"
                     "movnti %1, 32(%0)\n\t"
                     "movnti %1, 40(%0)\n\t"
                     "movnti %1, 48(%0)\n\t"
                     "movnti %1, 56(%0)"
                     :
                     : "r"(dst), "r"(0ull)
                     : "memory");
}

void persist_copy_nt(void *dst, const void *src, size_t len)
{
    uint64_t *to = dst;
    const uint8_t *from = src;

    for (size_t i = 0; i < len / 8; i++) {
        uint64_t value;

        memcpy(&value, from + i * 8, sizeof(value));
        stream64(&to[i], value);
    }
}

void persist_zero_nt(void *dst, size_t len)
{
    uint64_t *to = dst;
    uint64_t *end = to + len / 8;

    for (; end - to >= 8; to += 8)
        stream_zero_line(to);
    for (; to < end; to++)
        stream64(to, 0);
}
