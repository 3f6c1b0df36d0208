/* SPDX-License-Identifier: MIT */
/*
 * The functions that a compiler may call without being asked to. They are weak: those of a C
 * library replace them.
 */
#include <stddef.h>
#include <stdint.h>

__attribute__((weak)) void *memcpy(void *restrict dst, const void *restrict src, size_t len);
__attribute__((weak)) void *memmove(void *dst, const void *src, size_t len);
__attribute__((weak)) void *memset(void *dst, int value, size_t len);
__attribute__((weak)) int memcmp(const void *a, const void *b, size_t len);
__attribute__((weak)) size_t strlen(const char *text);

void *memcpy(void *restrict dst, const void *restrict src, size_t len)
{
    void *to = dst;
    size_t words = len / 8;
    size_t rest = len % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(rest) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
    uint8_t *to = dst;
    const uint8_t *from = src;

    if ((uintptr_t)to - (uintptr_t)from >= len)
        return memcpy(dst, src, len);
    while (len-- > 0)
        __atomic_store_n(&to[len], from[len], __ATOMIC_RELAXED);
    return dst;
}

void *memset(void *dst, int value, size_t len)
{
    uint64_t word = (uint8_t)value * 0x0101010101010101ull;
    void *to = dst;
    size_t words = len / 8;
    size_t rest = len % 8;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(word) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a;
    const uint8_t *y = b;

    for (size_t i = 0; i < len; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}

size_t strlen(const char *text)
{
    const char *end = text;

    while (__atomic_load_n(end, __ATOMIC_RELAXED))
        end++;
    return (size_t)(end - text);
}
