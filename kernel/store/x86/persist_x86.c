/* SPDX-License-Identifier: MIT */
/*
 * The bulk forms of the x86 persistence backend. Streaming stores (movnti, vmovntdq) bypass the
 * cache: a frame that they fill needs no flush, only the next fence. The vector registers are the
 * program's: a function that uses one saves it and restores it.
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

/* Load a word that may be lost: after a machine check the kernel continues behind the load, with 0
 * in rax (arch_lost_read). Its trap handler expects the source in rsi. */
static inline uint64_t load_or_zero(const void *from)
{
    uint64_t value;

    __asm__ volatile("1: movq (%[from]), %[value]\n"
                     "2:\n\t"
                     ".pushsection .fixup, \"a\"\n\t"
                     ".long 1b - ., 2b - .\n\t"
                     ".popsection"
                     : [value] "=a"(value)
                     : [from] "S"(from)
                     : "memory");
    return value;
}

void persist_copy_nt(void *dst, const void *src, size_t len)
{
    uint64_t *to = dst;
    const uint8_t *from = src;

    for (size_t i = 0; i < len / 8; i++)
        stream64(&to[i], load_or_zero(from + i * 8));
}

#define WIDE_BYTES 512u /* of one step of stream_zeros */

/* Zero memory by stores of 32 bytes. `steps` must not be 0; dst must be a multiple of 32. */
static void stream_zeros(void *dst, size_t steps)
{
    uint8_t saved[32];

    __asm__ volatile("vmovdqu %%ymm0, %[saved]\n\t"
                     "vxorps %%ymm0, %%ymm0, %%ymm0\n"
                     "1:\n\t"
                     ".set at, 0\n\t"
                     ".rept 16\n\t"
                     "vmovntdq %%ymm0, at(%[dst])\n\t"
                     ".set at, at + 32\n\t"
                     ".endr\n\t"
                     "add %[bytes], %[dst]\n\t"
                     "dec %[steps]\n\t"
                     "jnz 1b\n\t"
                     "vmovdqu %[saved], %%ymm0"
                     : [dst] "+r"(dst), [steps] "+r"(steps), [saved] "=m"(saved)
                     : [bytes] "i"(WIDE_BYTES)
                     : "memory", "cc");
}

void persist_zero_nt(void *dst, size_t len)
{
    uint64_t *to = dst;
    uint64_t *end = to + len / 8;

    if (persist_x86.wide && len >= WIDE_BYTES && (uintptr_t)dst % 32 == 0) {
        stream_zeros(dst, len / WIDE_BYTES);
        to += len / WIDE_BYTES * (WIDE_BYTES / 8);
    }
    for (; end - to >= 8; to += 8)
        stream_zero_line(to);
    for (; to < end; to++)
        stream64(to, 0);
}
