/* SPDX-License-Identifier: MIT */
/* The functions of a C library that a kernel test with signatures needs (libsodium, sign.c). */
#include <stddef.h>

#include "user.h"

int memcmp(const void *a, const void *b, size_t len);
void *memmove(void *dst, const void *src, size_t len);
size_t strlen(const char *text);
_Noreturn void abort(void);
void randombytes_buf(void *buf, size_t len);

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < len; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

void *memmove(void *dst, const void *src, size_t len)
{
    uint8_t *to = dst;
    const uint8_t *from = src;

    for (size_t i = 0; i < len; i++) {
        size_t at = to < from ? i : len - 1 - i;

        to[at] = from[at];
    }
    return dst;
}

size_t strlen(const char *text)
{
    size_t len = 0;

    while (text[len])
        len++;
    return len;
}

_Noreturn void abort(void)
{
    user_check(0, "abort", __LINE__);
    for (;;)
        CALL(thread_exit, 1);
}

void randombytes_buf(void *buf, size_t len)
{
    CHECK_IS(CALL(random, buf, len), 0);
}
