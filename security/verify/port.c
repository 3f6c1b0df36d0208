/* SPDX-License-Identifier: MIT */
/*
 * What libsodium's BLAKE2b files call outside of themselves. sodium_misuse means a length that
 * verify/hash.h forbids: a bug in the caller, so it stops.
 */
#include <stddef.h>

void sodium_misuse(void) __attribute__((noreturn));
void sodium_memzero(void *mem, size_t len);

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
