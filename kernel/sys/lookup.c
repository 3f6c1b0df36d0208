/* SPDX-License-Identifier: MIT */
/*
 * Owns what handlers share: look-up with rights, and the progress of long calls.
 *
 * Progress is the thread's own: a fingerprint of the call it belongs to (place, stack, number and
 * arguments), whether a handler was called above it, and how far it got. Another fingerprint, or
 * the same one before the handler has returned (core/fault.c), means that the old call was given
 * up, or waits below, and then begins anew: pieces may be repeated.
 */
#include <kernel/arch_regs.h>
#include <kernel/sec.h>
#include <kernel/upcall.h>
#include "calls.h"

int sys_get(objid_t id, unsigned need, struct object **out)
{
    int err = obj_get(id, out);

    if (err < 0)
        return err;
    err = sec_check(current()->sctx, *out, need);
    if (err < 0) {
        obj_put(*out);
        *out = NULL;
    }
    return err;
}

static uint64_t fingerprint(const struct twz_regs *regs)
{
    uint64_t sum = arch_regs_location(regs) ^ (arch_call_number(regs) << 48);
    unsigned i;

    for (i = 0; i < ARCH_CALL_ARGS; i++)
        sum = (sum ^ arch_call_arg(regs, i)) * 0x9e3779b97f4a7c15ull;
    return sum | 1;
}

void sys_finished(void)
{
    struct thread *t = current();

    t->progress.call = 0;
    t->progress.index = 0;
    t->progress.at = 0;
    t->progress.below = false;
}

void sys_progress(struct arch_frame *frame)
{
    uint64_t call = fingerprint(&frame->regs);
    struct thread *t = current();

    if (t->progress.call == call && !t->progress.below)
        return;
    upcall.drop_progress(t);
    sys_finished();
    t->progress.call = call;
}

int64_t sys_again(struct arch_frame *frame)
{
    arch_call_rewind(&frame->regs, arch_call_number(&frame->regs));
    return SYS_KEEP;
}
