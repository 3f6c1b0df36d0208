/* SPDX-License-Identifier: MIT */
/*
 * Owns the frame of a fault on a user stack.
 *
 * It lies on the alternate stack, or below the red zone of the thread's own where none is set. A
 * fault while the stack pointer is inside the alternate stack goes below it, so handlers may nest.
 * From the top down: the vector state (64-byte aligned), struct twz_fault_frame, a zero word.
 */
#include <kernel/arch_regs.h>
#include <kernel/user.h>
#include "faultframe.h"

#define SLACK 256u /* at most: bytes of alignment and of the zero word */

/* The address below which the frame goes. */
static uint64_t stack_top(const struct thread *t, const struct twz_regs *regs)
{
    uint64_t base = __atomic_load_n(&t->user->alt_stack, __ATOMIC_RELAXED);
    uint64_t len = __atomic_load_n(&t->user->alt_stack_len, __ATOMIC_RELAXED);
    uint64_t sp = arch_regs_stack(regs);

    if (base == 0 || base >= ARCH_USER_LIMIT || len > ARCH_USER_LIMIT - base || sp - base < len)
        return sp - ARCH_RED_ZONE;
    return base + len;
}

int faultframe_push(const struct twz_regs *regs, const struct twz_fault *fault, uint64_t *at)
{
    struct twz_fault_frame out = { .fault = *fault, .regs = *regs };
    uint64_t top = stack_top(current(), regs);
    void *xsave = cpu_this()->xsave;
    uint64_t zero = 0;
    int err;

    out.xsave_size = arch_xsave_size();
    if (top >= ARCH_USER_LIMIT || top < out.xsave_size + sizeof(out) + SLACK)
        return -TWZ_EFAULT;
    out.xsave = (top - out.xsave_size) & ~63ull;
    *at = (out.xsave - sizeof(out)) & ~15ull;
    arch_xsave_save(xsave);
    err = user_copy_out(out.xsave, xsave, out.xsave_size);
    if (err == 0)
        err = user_copy_out(*at, &out, sizeof(out));
    if (err == 0)
        err = user_copy_out(*at - sizeof(zero), &zero, sizeof(zero));
    return err;
}

int faultframe_load(uint64_t addr, struct twz_regs *regs)
{
    struct twz_fault_frame in;
    void *xsave = cpu_this()->xsave;
    int err = user_copy_in(&in, addr, sizeof(in));

    if (err == 0)
        err = arch_regs_validate(&in.regs);
    if (err == 0 && in.xsave != 0) {
        if (in.xsave_size != arch_xsave_size())
            return -TWZ_EINVAL;
        err = user_copy_in(xsave, in.xsave, in.xsave_size);
        if (err == 0)
            err = arch_xsave_restore(xsave);
        /* A save leaves gaps; what was read here must not show in another thread's frame. */
        arch_xsave_init(xsave);
    }
    if (err == 0)
        *regs = in.regs;
    return err;
}
