/* SPDX-License-Identifier: MIT */
/*
 * Owns the sending and the delivery of signals (core/sigqueue.c owns the queue).
 *
 * The sender sets a pending bit, then ends the sleep and interrupts the core; a sleeper sets its
 * sleep up, then looks at the bits (pairs with sync_begin). So a signal ends a sleep that begins
 * meanwhile, too.
 */
#include <kernel/fault.h>
#include <kernel/sched.h>
#include <kernel/signal.h>
#include <kernel/sync.h>
#include "sigqueue.h"

/* After a change of t's pending bits: its sleep ends, and its core acts on them. */
static void interrupt_thread(struct thread *t)
{
    sync_interrupt(t);
    sched_reevaluate(t);
}

int signal_send(struct thread *t, uint64_t signal, uint64_t value)
{
    int ret = 1;

    if (signal == TWZ_SIGNAL_KILL)
        atomic_fetch_or(&t->pending, THREAD_KILL);
    else
        ret = sigqueue_add(t, signal, value);
    if (ret == 1)
        interrupt_thread(t);
    return ret < 0 ? ret : 0;
}

void signal_deliver(struct thread *t, struct arch_frame *frame)
{
    struct twz_fault fault = { .kind = TWZ_FAULT_SIGNAL };
    struct twz_queued_signal s;

    if (atomic_load(&t->pending) & THREAD_KILL) {
        thread_end(TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL), NULL);
        return;
    }
    s = sigqueue_take(t);
    if (s.signal == 0)
        return;
    fault.addr = s.signal;
    fault.code = s.value;
    fault_raise(frame, &fault);
}

void signal_set_mask(uint64_t mask)
{
    if (sigqueue_set_mask(current(), mask))
        cpu_set_need_resched();
}
