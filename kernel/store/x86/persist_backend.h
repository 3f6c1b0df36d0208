/* SPDX-License-Identifier: MIT */
/*
 * The x86 backend of the persistence seam. The kernel must set persist_x86 once, from CPUID and the
 * boot options, before the first persistent store. Afterwards it is read-only.
 */
#ifndef STORE_PERSIST_X86_H
#define STORE_PERSIST_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERSIST_X86_CLFLUSH    0u
#define PERSIST_X86_CLFLUSHOPT 1u
#define PERSIST_X86_CLWB       2u

struct persist_x86 {
    uint8_t kind; /* PERSIST_X86_*: the flush instruction of all cores */
    bool wide;    /* all cores have AVX, and the kernel saves its registers with a thread's */
    bool traced;  /* load the line before each flush, so that a tracer sees its address */
};
extern struct persist_x86 persist_x86;

static inline void persist_x86_flush_line(const void *line)
{
    if (persist_x86.traced)
        (void)*(const volatile uint8_t *)line;
    if (persist_x86.kind == PERSIST_X86_CLWB)
        __asm__ volatile("clwb (%0)" : : "r"(line) : "memory");
    else if (persist_x86.kind == PERSIST_X86_CLFLUSHOPT)
        __asm__ volatile("clflushopt (%0)" : : "r"(line) : "memory");
    else
        __asm__ volatile("clflush (%0)" : : "r"(line) : "memory");
}

static inline void persist_store64(uint64_t *dst, uint64_t value)
{
    __atomic_store_n(dst, value, __ATOMIC_RELAXED);
    __asm__ volatile("" : : : "memory");
}

static inline void persist_fence(void)
{
    __asm__ volatile("sfence" : : : "memory");
}

static inline void persist_flush(const void *addr, size_t len)
{
    uintptr_t at = (uintptr_t)addr & ~(uintptr_t)63;
    uintptr_t end = (uintptr_t)addr + len;

    for (; at < end; at += 64)
        persist_x86_flush_line((const void *)at);
}

static inline void persist_publish64(uint64_t *dst, uint64_t value)
{
    persist_store64(dst, value);
    persist_x86_flush_line(dst);
}

static inline void persist_commit64(uint64_t *dst, uint64_t value)
{
    persist_publish64(dst, value);
    persist_fence();
}

void persist_copy(void *dst, const void *src, size_t len);
void persist_zero(void *dst, size_t len);
void persist_copy_nt(void *dst, const void *src, size_t len);
void persist_zero_nt(void *dst, size_t len);

#endif
