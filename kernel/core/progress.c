/* SPDX-License-Identifier: MIT */
/*
 * Owns struct progress of each thread.
 *
 * A call is recognised by its fingerprint: location, stack, number and arguments. Another
 * fingerprint means that the old call was given up. The same fingerprint while `below` is set means
 * that a handler makes the same call again, and that the interrupted one waits; the handler's call
 * begins anew. Batches may be repeated, so a call that is mistaken for a new one is slower, not
 * wrong.
 *
 * fault_return clears `below` when it leads to the location of the interrupted call. The frame may
 * be the kernel's, or one that a runtime made of it.
 */
#include <kernel/arch_regs.h>
#include <kernel/progress.h>
#include <kernel/upcall.h>

static uint64_t fingerprint_of(const struct twz_regs *regs)
{
    uint64_t sum = arch_regs_location(regs) ^ (arch_call_number(regs) << 48);

    for (unsigned i = 0; i < ARCH_CALL_ARGS; i++)
        sum = (sum ^ arch_call_arg(regs, i)) * 0x9e3779b97f4a7c15ull;
    return sum | 1;
}

void progress_end(void)
{
    struct progress *p = &current()->progress;

    p->call = 0;
    p->index = 0;
    p->at = 0;
    p->below = false;
}

void progress_begin(const struct twz_regs *regs)
{
    uint64_t call = fingerprint_of(regs);
    struct thread *t = current();

    if (t->progress.call == call && !t->progress.below)
        return;
    upcall.drop_progress(t);
    progress_end();
    t->progress.call = call;
}

void progress_forget(void)
{
    struct thread *t = current();

    if (t->progress.call == 0)
        return;
    upcall.drop_progress(t);
    progress_end();
}

uint64_t progress_of(const struct twz_regs *regs)
{
    const struct progress *p = &current()->progress;

    if (p->call == 0 || p->below || p->call != fingerprint_of(regs))
        return 0;
    return p->index;
}

void progress_handler_entered(const struct twz_regs *regs)
{
    struct thread *t = current();

    if (t->progress.call == 0)
        return;
    if (!t->progress.below) {
        t->progress.below = true;
        t->progress.location = arch_regs_location(regs);
    } else if (arch_regs_location(regs) == t->progress.location) {
        upcall.drop_progress(t);
    }
}

void progress_handler_left(const struct twz_regs *regs)
{
    struct progress *p = &current()->progress;

    if (arch_regs_location(regs) == p->location)
        p->below = false;
}
