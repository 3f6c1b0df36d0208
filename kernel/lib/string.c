/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions of the kernel. String instructions move eight bytes a step: that is
 * what counts where each step is an instruction, and no worse elsewhere.
 */
#include <lib/string.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t len)
{
    void *to = dst;
    size_t words = len / 8;
    size_t bytes = len % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(bytes) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
    uint8_t *to = (uint8_t *)dst + len;
    const uint8_t *from = (const uint8_t *)src + len;

    if ((uintptr_t)dst - (uintptr_t)src >= len)
        return memcpy(dst, src, len);
    while (len--)
        *--to = *--from;
    return dst;
}

void *memset(void *dst, int byte, size_t len)
{
    void *to = dst;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;
    size_t words = len / 8;
    size_t bytes = len % 8;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(pattern) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a;
    const uint8_t *y = b;

    for (size_t i = 0; i < len; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t len = 0;

    while (s[len])
        len++;
    return len;
}
