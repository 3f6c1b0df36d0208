/* SPDX-License-Identifier: MIT */
/*
 * twz/persist.h inside the system. The system page holds the instruction that writes a line back.
 * It also says whether a tracer runs: it learns the address of a flushed line from a load before
 * it.
 */
#include "guest.h"

#define KIND_CLFLUSHOPT 1u
#define KIND_CLWB       2u

static inline void flush_line(uintptr_t line, uint64_t kind)
{
    void *p = (void *)line;

    if (kind == KIND_CLWB)
        __asm__ volatile("clwb (%0)" : : "r"(p) : "memory");
    else if (kind == KIND_CLFLUSHOPT)
        __asm__ volatile("clflushopt (%0)" : : "r"(p) : "memory");
    else
        __asm__ volatile("clflush (%0)" : : "r"(p) : "memory");
}

void twz_persist_flush(const void *p, size_t len)
{
    const struct twz_system *s = system_page();
    uintptr_t end = (uintptr_t)p + len;

    for (uintptr_t at = (uintptr_t)p & ~(uintptr_t)63; at < end; at += TWZ_PERSIST_LINE) {
        if (s->persist_traced)
            (void)*(const volatile uint8_t *)at;
        flush_line(at, s->persist_kind);
    }
}

void twz_persist_fence(void)
{
    __asm__ volatile("sfence" : : : "memory");
}

void twz_persist(const void *p, size_t len)
{
    twz_persist_flush(p, len);
    twz_persist_fence();
}

void twz_persist_store64(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void twz_persist_commit64(uint64_t *word, uint64_t value)
{
    twz_persist_store64(word, value);
    twz_persist(word, sizeof(*word));
}

void twz_persist_copy(void *dst, const void *src, size_t len)
{
    __builtin_memcpy(dst, src, len);
    __asm__ volatile("" : : : "memory");
}

void twz_persist_zero(void *dst, size_t len)
{
    __builtin_memset(dst, 0, len);
    __asm__ volatile("" : : : "memory");
}
