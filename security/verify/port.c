/* SPDX-License-Identifier: MIT */
/*
 * The functions that libsodium's hash and group files call outside of themselves. They call
 * sodium_misuse for a length that verify/hash.h forbids. This is a bug of the caller, so the
 * program stops. The other two are weak: a program that links all of libsodium's utilities has its
 * own.
 */
#include <stddef.h>

void sodium_misuse(void) __attribute__((noreturn));
void sodium_memzero(void *mem, size_t len);
int sodium_is_zero(const unsigned char *mem, const size_t len);
#pragma weak sodium_memzero
#pragma weak sodium_is_zero

void sodium_misuse(void)
{
    __builtin_trap();
}

void sodium_memzero(void *mem, size_t len)
{
    volatile unsigned char *at = mem;

    for (size_t i = 0; i < len; i++)
        at[i] = 0;
}

/* In constant time, as libsodium promises. */
int sodium_is_zero(const unsigned char *mem, const size_t len)
{
    volatile unsigned char all = 0;

    for (size_t i = 0; i < len; i++)
        all |= mem[i];
    return all == 0;
}
