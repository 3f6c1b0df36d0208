/* SPDX-License-Identifier: MIT */
/*
 * Owns the frame of a fault on a user stack, and the choice of its location.
 *
 * thread->faults holds the location for the view that the thread is in; only the thread itself
 * changes it, by a call or with its view. A fault while the stack pointer is inside the fault stack
 * goes below it, so handlers may nest. A frame never leaves the fault stack. From the top down: the
 * vector state (64-byte aligned), struct twz_fault_frame, a zero word.
 */
#include <kernel/arch_regs.h>
#include <kernel/user.h>
#include "faultframe.h"

#define SLACK 256u /* at most: bytes of alignment and of the zero word */

/* The addresses between which the frame goes; none of the stack where the place is NONE. */
static void stack_bounds(const struct twz_fault_location *location, const struct twz_regs *regs,
                         uint64_t *low, uint64_t *top)
{
    uint64_t sp = arch_regs_stack(regs);

    *low = location->base;
    *top = sp - ARCH_RED_ZONE;
    if (location->mode == TWZ_FAULTS_NONE)
        *top = 0;
    else if (location->mode == TWZ_FAULTS_STACK && sp - location->base >= location->len)
        *top = location->base + location->len;
}

int faultframe_push(const struct twz_regs *regs, const struct twz_fault *fault, uint64_t *at)
{
    struct twz_fault_frame out = { .fault = *fault, .regs = *regs };
    struct thread *t = current();
    void *xsave = cpu_this()->xsave;
    uint64_t zero = 0, low, top;
    int err;

    if (fault->kind == TWZ_FAULT_SIGNAL) {
        out.flags = TWZ_FRAME_MASK;
        out.mask = t->signal_mask;
    }
    stack_bounds(&t->faults, regs, &low, &top);
    out.xsave_size = arch_xsave_size();
    if (top >= ARCH_USER_LIMIT || top < low || top - low < out.xsave_size + sizeof(out) + SLACK)
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

int faultframe_load(uint64_t addr, struct twz_fault_frame *in)
{
    void *xsave = cpu_this()->xsave;
    int err = user_copy_in(in, addr, sizeof(*in));

    if (err == 0 && (in->flags & ~TWZ_FRAME_MASK) != 0)
        err = -TWZ_EINVAL;
    if (err == 0)
        err = arch_regs_validate(&in->regs);
    if (err == 0 && in->xsave != 0) {
        if (in->xsave_size != arch_xsave_size())
            return -TWZ_EINVAL;
        err = user_copy_in(xsave, in->xsave, in->xsave_size);
        if (err == 0)
            err = arch_xsave_restore(xsave);
        /* A save leaves gaps; what was read here must not show in another thread's frame. */
        arch_xsave_init(xsave);
    }
    return err;
}
