/* SPDX-License-Identifier: MIT */
/* Copies to and from the user half. Checks the range; usercopy.S copies and stops at a fault. */
#include "../x86.h"

static bool is_in_user_half(uint64_t addr, size_t len)
{
    return addr <= ARCH_USER_LIMIT && len <= ARCH_USER_LIMIT - addr;
}

size_t arch_user_copy_in(void *dst, uint64_t user_src, size_t len, uint64_t *fault_addr)
{
    uint64_t fault = user_src;
    size_t left = len;

    if (is_in_user_half(user_src, len))
        left = x86_user_copy(dst, (const void *)user_src, len, &fault);
    if (left && fault_addr)
        *fault_addr = fault;
    return left;
}

size_t arch_user_copy_out(uint64_t user_dst, const void *src, size_t len, uint64_t *fault_addr)
{
    uint64_t fault = user_dst;
    size_t left = len;

    if (is_in_user_half(user_dst, len))
        left = x86_user_copy((void *)user_dst, src, len, &fault);
    if (left && fault_addr)
        *fault_addr = fault;
    return left;
}
