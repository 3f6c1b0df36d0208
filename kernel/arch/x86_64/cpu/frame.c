/* SPDX-License-Identifier: MIT */
/*
 * A thread's registers between processor and memory: segment bases, vector state, the check of
 * registers that come from outside, and the first entry into user mode.
 */
#include "../x86.h"
#include <kernel/boot.h>
#include <kernel/log.h>
#include <lib/string.h>

/* CF PF AF ZF SF TF DF OF AC ID: the flags that user code may change. */
#define USER_FLAGS  0x240dd5ull
#define FLAGS_FIXED 0x202ull /* the reserved one, and interrupts on */

#define FCW_START   0x37fu
#define MXCSR_START 0x1f80u
#define MXCSR_MASK  0xffffu

/* The part of an XSAVE image that has a fixed layout. */
struct xsave_head {
    uint16_t fcw;
    uint8_t legacy[22];
    uint32_t mxcsr;
    uint32_t mxcsr_mask;
    uint8_t registers[480];
    uint64_t xstate_bv;
    uint64_t xcomp_bv;
    uint64_t reserved[6];
};
_Static_assert(sizeof(struct xsave_head) == 576, "xsave header size");

void arch_frame_use(struct arch_frame *frame)
{
    x86_this()->frame = frame;
}

/* In the kernel GS holds the core's base, and KERNEL_GS_BASE the user's. */
void arch_frame_sync(struct arch_frame *frame)
{
    frame->regs.gsbase = x86_rdmsr(MSR_KERNEL_GS_BASE);
    if (x86_features.fsgsbase)
        __asm__ volatile("rdfsbase %0" : "=r"(frame->regs.fsbase));
    else
        frame->regs.fsbase = x86_rdmsr(MSR_FS_BASE);
}

void arch_frame_load(const struct arch_frame *frame)
{
    x86_wrmsr(MSR_KERNEL_GS_BASE, frame->regs.gsbase);
    if (x86_features.fsgsbase)
        __asm__ volatile("wrfsbase %0" : : "r"(frame->regs.fsbase));
    else
        x86_wrmsr(MSR_FS_BASE, frame->regs.fsbase);
}

int arch_regs_validate(struct twz_regs *regs)
{
    if (regs->rip >= ARCH_USER_LIMIT || regs->fsbase >= ARCH_USER_LIMIT ||
        regs->gsbase >= ARCH_USER_LIMIT)
        return -TWZ_EINVAL;
    regs->rflags = (regs->rflags & USER_FLAGS) | FLAGS_FIXED;
    return 0;
}

size_t arch_xsave_size(void)
{
    return x86_features.xsave_size;
}

uint64_t arch_xsave_mask(void)
{
    return x86_features.xcr0;
}

void arch_xsave_init(void *area)
{
    struct xsave_head *head = area;

    memset(area, 0, x86_features.xsave_size);
    head->fcw = FCW_START;
    head->mxcsr = MXCSR_START;
}

void arch_xsave_save(void *area)
{
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

void arch_xsave_load(const void *area)
{
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

/* Its header says that no component is in it, so XRSTOR reads no more than this. */
static const struct xsave_head start_image
    __attribute__((aligned(64))) = { .fcw = FCW_START, .mxcsr = MXCSR_START };

void arch_xsave_reset(void)
{
    arch_xsave_load(&start_image);
}

/* Checks what XRSTOR should reject, because not every emulator does. XRSTOR still needs its fix-up:
 * user code may change the image after the check. */
int arch_xsave_restore(void *area)
{
    const struct xsave_head *head = area;

    if ((head->xstate_bv & ~x86_features.xcr0) || head->xcomp_bv || (head->mxcsr & ~MXCSR_MASK))
        return -TWZ_EINVAL;
    for (size_t i = 0; i < ARRAY_LEN(head->reserved); i++) {
        if (head->reserved[i])
            return -TWZ_EINVAL;
    }
    return x86_xrstor(area) ? -TWZ_EINVAL : 0;
}

void arch_enter_user(void)
{
    size_t len;

    if (x86_this() == &x86_boot_cpu && boot_option("boot.count", &len))
        log_printf("boot: %llu instructions", (unsigned long long)arch_boot_ticks());
    x86_leave();
}
