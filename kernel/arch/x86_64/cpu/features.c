/* SPDX-License-Identifier: MIT */
/*
 * Detects and enables the processor's features. The first core reads CPUID once; every core sets
 * its control registers from the result. A bit of CR4 that the processor lacks must not be set: on
 * some processors that stops the core.
 */
#include "../x86.h"
#include <kernel/panic.h>
#include <lib/string.h>
#include <twz/hostlink.h>

#define CR0_MP    (1ull << 1)
#define CR0_NE    (1ull << 5)
#define CR0_WP    (1ull << 16)
#define CR0_PG_PE 0x80000011ull

#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

#define EFER_SCE (1ull << 0)
#define EFER_NX  (1ull << 11)

/* x87, SSE, AVX, and the three parts of AVX-512, which are enabled together or not at all. */
#define XCR0_BASE   0x07ull
#define XCR0_AVX    0x04ull
#define XCR0_AVX512 0xe0ull

struct smap_site {
    int32_t where; /* from this field */
    uint32_t opcode;
};
extern const struct smap_site x86_smap_start[], x86_smap_end[];

struct x86_features x86_features;

static bool has_bit(uint32_t word, unsigned n)
{
    return (word >> n & 1) != 0;
}

static void read_xsave_mask(void)
{
    struct x86_cpuid leaf = x86_cpuid(0xd, 0);
    uint64_t mask = ((uint64_t)leaf.d << 32 | leaf.a) & (XCR0_BASE | XCR0_AVX512);

    if ((mask & XCR0_AVX512) != XCR0_AVX512 || !(mask & 4))
        mask &= ~XCR0_AVX512;
    x86_features.xcr0 = mask;
}

/* Reads CPUID, and patches STAC and CLAC into the kernel's text, which is still writable. */
void x86_features_read(void)
{
    struct x86_features *f = &x86_features;
    struct x86_cpuid one = x86_cpuid(1, 0);
    struct x86_cpuid seven = x86_cpuid(7, 0);
    struct x86_cpuid ext = x86_cpuid(0x80000001u, 0);

    f->pge = has_bit(one.d, 13);
    f->mce = has_bit(one.d, 7) && has_bit(one.d, 14);
    f->xsave = has_bit(one.c, 26);
    f->rdrand = has_bit(one.c, 30);
    f->fsgsbase = has_bit(seven.b, 0);
    f->smep = has_bit(seven.b, 7);
    f->smap = has_bit(seven.b, 20);
    f->umip = has_bit(seven.c, 2);
    f->nx = has_bit(ext.d, 20);
    f->gb_pages = has_bit(ext.d, 26);
    f->flush = has_bit(seven.b, 24) ? 2 : has_bit(seven.b, 23) ? 1 : 0;
    if (!f->xsave || !f->nx)
        fatal(TWZ_HOST_STOP_PANIC, "the processor lacks %s", f->nx ? "XSAVE" : "no-execute pages");
    read_xsave_mask();
    for (const struct smap_site *s = x86_smap_start; f->smap && s < x86_smap_end; s++) {
        uint8_t *code = (uint8_t *)((uintptr_t)s + (uintptr_t)(intptr_t)s->where);

        code[1] = 0x01;
        code[2] = (uint8_t)s->opcode;
    }
}

static void enable_xsave(void)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(0), "a"((uint32_t)x86_features.xcr0),
                       "d"((uint32_t)(x86_features.xcr0 >> 32)));
    x86_features.xsave_size = (x86_cpuid(0xd, 0).b + 63u) & ~63u;
    /* A 32-byte store clears the upper part of a 64-byte register, which may be the program's. */
    x86_features.wide = (x86_features.xcr0 & (XCR0_AVX | XCR0_AVX512)) == XCR0_AVX &&
                        has_bit(x86_cpuid(1, 0).c, 28);
}

/* Lets every bank report, and clears errors of an earlier boot. */
static void enable_machine_check(void)
{
    uint32_t banks = (uint32_t)x86_rdmsr(MSR_MCG_CAP) & 0xff;

    for (uint32_t i = 0; i < banks; i++) {
        x86_wrmsr(MSR_MC0_CTL + i * 4, ~0ull);
        x86_wrmsr(MSR_MC0_CTL + i * 4 + 1, 0);
    }
    x86_wrmsr(MSR_MCG_STATUS, 0);
}

void x86_features_enable(void)
{
    const struct x86_features *f = &x86_features;
    uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;

    cr4 |= f->pge ? CR4_PGE : 0;
    cr4 |= f->mce ? CR4_MCE : 0;
    cr4 |= f->umip ? CR4_UMIP : 0;
    cr4 |= f->fsgsbase ? CR4_FSGSBASE : 0;
    cr4 |= f->smep ? CR4_SMEP : 0;
    cr4 |= f->smap ? CR4_SMAP : 0;
    x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_SCE | EFER_NX);
    x86_write_cr0(CR0_PG_PE | CR0_MP | CR0_NE | CR0_WP);
    x86_write_cr4(cr4);
    enable_xsave();
    if (f->mce)
        enable_machine_check();
}

unsigned arch_flush_kind(void)
{
    return x86_features.flush;
}

bool arch_has_wide_stores(void)
{
    return x86_features.wide;
}

#define FRAME_SIZE 4096u
#define WIDE_STEP  512u /* bytes of one step of zero_frame_wide */

/* Stores 32 bytes at a time. The vector registers are the program's, so the one used is restored.
 */
static void zero_frame_wide(void *frame)
{
    uint8_t saved[32];
    size_t steps = FRAME_SIZE / WIDE_STEP;

    __asm__ volatile("vmovdqu %%ymm0, %[saved]\n\t"
                     "vxorps %%ymm0, %%ymm0, %%ymm0\n"
                     "1:\n\t"
                     ".set at, 0\n\t"
                     ".rept 16\n\t"
                     "vmovdqa %%ymm0, at(%[frame])\n\t"
                     ".set at, at + 32\n\t"
                     ".endr\n\t"
                     "add %[step], %[frame]\n\t"
                     "dec %[steps]\n\t"
                     "jnz 1b\n\t"
                     "vmovdqu %[saved], %%ymm0"
                     : [frame] "+r"(frame), [steps] "+r"(steps), [saved] "=m"(saved)
                     : [step] "i"(WIDE_STEP)
                     : "memory", "cc");
}

void arch_zero_frame(void *frame)
{
    if (x86_features.wide)
        zero_frame_wide(frame);
    else
        memset(frame, 0, FRAME_SIZE);
}

bool arch_random64(uint64_t *out)
{
    uint8_t ok;

    if (!x86_features.rdrand)
        return false;
    for (unsigned tries = 0; tries < 16; tries++) {
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(ok) : : "cc");
        if (ok)
            return true;
    }
    return false;
}
