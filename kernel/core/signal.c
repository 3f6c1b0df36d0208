/* SPDX-License-Identifier: MIT */
/*
 * Owns the signal queue and the pending bits of each thread.
 *
 * The sender sets a pending bit, then ends the sleep and interrupts the core; a sleeper sets its
 * sleep up, then looks at the bits (pairs with sync_begin). So a signal ends a sleep that begins
 * meanwhile, too.
 *
 * Locks: thread->lock alone guards the queue.
 */
#include <kernel/fault.h>
#include <kernel/sched.h>
#include <kernel/signal.h>
#include <kernel/sync.h>
#include <lib/string.h>

/* After a change of t's pending bits: its sleep ends, and its core acts on them. */
static void interrupt_thread(struct thread *t)
{
    sync_interrupt(t);
    sched_reevaluate(t);
}

static int queue_signal(struct thread *t, uint64_t signal, uint64_t value)
{
    int err = 0;

    spin_lock(&t->lock);
    if (t->nsignals < THREAD_SIGNALS)
        t->signals[t->nsignals++] = (struct thread_signal){ signal, value };
    else
        err = -TWZ_EAGAIN;
    spin_unlock(&t->lock);
    return err;
}

int signal_send(struct thread *t, uint64_t signal, uint64_t value)
{
    bool kill = signal == TWZ_SIGNAL_KILL;
    int err = kill ? 0 : queue_signal(t, signal, value);

    if (err == 0) {
        atomic_fetch_or(&t->pending, kill ? THREAD_KILL : THREAD_SIGNAL);
        interrupt_thread(t);
    }
    return err;
}

/* Takes the eldest signal off the queue; signal 0: there is none. With the last one the pending bit
 * is cleared. */
static struct thread_signal next_signal(struct thread *t)
{
    struct thread_signal s = { 0, 0 };

    spin_lock(&t->lock);
    if (t->nsignals > 0) {
        s = t->signals[0];
        t->nsignals--;
        memmove(&t->signals[0], &t->signals[1], t->nsignals * sizeof(s));
    }
    if (t->nsignals == 0)
        atomic_fetch_and(&t->pending, ~THREAD_SIGNAL);
    spin_unlock(&t->lock);
    return s;
}

void signal_deliver(struct thread *t, struct arch_frame *frame)
{
    struct twz_fault fault = { .kind = TWZ_FAULT_SIGNAL };
    struct thread_signal s;

    if (atomic_load(&t->pending) & THREAD_KILL) {
        thread_end(TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL), NULL);
        return;
    }
    s = next_signal(t);
    if (s.signal == 0)
        return;
    fault.addr = s.signal;
    fault.code = s.value;
    fault_raise(frame, &fault);
}
