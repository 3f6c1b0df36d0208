/* SPDX-License-Identifier: MIT */
/*
 * Owns the outcome of a fault of user code: resolved (kernel_page_fault), delivered to the view's
 * handler, or the end of the thread with its exit record and one line in the log. In no case does
 * a fault of user code stop the machine.
 */
#include <kernel/arch_regs.h>
#include <kernel/fault.h>
#include <kernel/progress.h>
#include <kernel/trace.h>
#include <kernel/upcall.h>
#include "faultframe.h"
#include "faulttext.h"
#include "sigqueue.h"

static const uint8_t kind_signals[] = {
#define TWZ_FAULT_KIND(name, number, signal, text) [number] = TWZ_SIGNAL_##signal,
#include <twz/fault.def>
#undef TWZ_FAULT_KIND
};

/* The exit status of a thread that f ends. */
static uint64_t exit_status(const struct twz_fault *f)
{
    switch (f->kind) {
    case TWZ_FAULT_EXCEPTION:
        return TWZ_EXIT_BY_SIGNAL(arch_exception_signal((unsigned)(f->code >> 32)));
    case TWZ_FAULT_SIGNAL: return TWZ_EXIT_BY_SIGNAL(f->addr);
    default: return TWZ_EXIT_BY_SIGNAL(kind_signals[f->kind]);
    }
}

void fault_end(const struct twz_fault *fault)
{
    if (current()->ngates > 0) {
        faulttext_log(current(), fault, "ended its gate call");
        upcall.gate_failed(current());
        return;
    }
    faulttext_log(current(), fault, "ended");
    thread_end(exit_status(fault), fault);
}

int fault_set_location(struct twz_fault_location *location, uint64_t base, uint64_t len)
{
    if (base == 0 && len == 0) {
        *location = (struct twz_fault_location){ .mode = TWZ_FAULTS_OWN };
        return 0;
    }
    if (base == 0 || len == 0 || base >= ARCH_USER_LIMIT || len > ARCH_USER_LIMIT - base)
        return -TWZ_EINVAL;
    *location = (struct twz_fault_location){ .mode = TWZ_FAULTS_STACK, .base = base, .len = len };
    return 0;
}

void fault_raise(struct arch_frame *frame, struct twz_fault *fault)
{
    struct thread *t = current();
    uint64_t entry, at = 0;
    int err;

    fault->ip = arch_regs_ip(&frame->regs);
    fault->sp = arch_regs_stack(&frame->regs);
    if (trace_fault)
        faulttext_log(t, fault, "fault");
    entry = upcall.fault_entry(t, fault->kind);
    if (entry == 0 || entry >= ARCH_USER_LIMIT) {
        fault_end(fault);
        return;
    }
    arch_frame_sync(frame);
    while ((err = faultframe_push(&frame->regs, fault, &at)) < 0 && thread_takes_retry())
        arch_preemption_point(); /* between two steps of a decision about its stack */
    if (err < 0) {
        faulttext_log(t, fault, "could not take on its stack");
        fault->kind = TWZ_FAULT_DOUBLE;
        fault_end(fault);
        return;
    }
    if (fault->kind == TWZ_FAULT_SIGNAL)
        (void)sigqueue_set_mask(t, ~0ull); /* until fault_return */
    progress_handler_entered(&frame->regs);
    arch_regs_upcall(&frame->regs, entry, at - sizeof(uint64_t), at);
    frame->flags = ARCH_FRAME_FULL;
}

int fault_return(struct arch_frame *frame, uint64_t addr)
{
    struct twz_fault_frame in;
    int err = faultframe_load(addr, &in);

    if (err < 0)
        return err;
    progress_handler_left(&in.regs);
    frame->regs = in.regs;
    frame->flags = ARCH_FRAME_FULL;
    arch_frame_load(frame);
    if ((in.flags & TWZ_FRAME_MASK) != 0)
        (void)sigqueue_set_mask(current(), in.mask);
    if (atomic_load_explicit(&current()->pending, memory_order_relaxed) != 0)
        cpu_set_need_resched(); /* for the next of several signals */
    return 0;
}

void kernel_page_fault(struct arch_frame *frame, uint64_t addr, unsigned access)
{
    unsigned need = TWZ_READ;
    struct twz_fault fault = { 0 };

    if ((access & ARCH_ACCESS_EXEC) != 0)
        need = TWZ_EXEC;
    else if ((access & ARCH_ACCESS_WRITE) != 0)
        need = TWZ_WRITE;
    if ((access & ARCH_ACCESS_KERNEL) != 0)
        fault = (struct twz_fault){
            .kind = TWZ_FAULT_PERM, .reason = TWZ_REASON_KERNEL, .need = need, .addr = addr
        };
    else if (upcall.resolve_fault(current(), addr, need, &fault) == 0 || thread_takes_retry())
        return;
    fault_raise(frame, &fault);
}

void kernel_exception(struct arch_frame *frame, unsigned vector, uint64_t error)
{
    struct twz_fault fault = { .kind = TWZ_FAULT_EXCEPTION };

    fault.code = (uint64_t)vector << 32 | (error & 0xffffffffu);
    fault_raise(frame, &fault);
}

void kernel_media_error(phys_t addr)
{
    upcall.media_error(addr);
}
