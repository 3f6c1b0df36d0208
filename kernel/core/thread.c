/* SPDX-License-Identifier: MIT */
/*
 * Owns struct thread: making it, saving and loading its registers, its end, its signals.
 *
 * Save slots. Each switch writes the slot with the lower epoch: first the vector state and the
 * registers, then the check, then the epoch. A slot counts if its check holds; of two that count,
 * the one with the greater epoch does. Nothing needed to go on lies elsewhere: a parked thread's
 * instruction pointer stands at its SYSCALL with the arguments in their registers.
 *
 * A thread ends only on its own core, while it is current: others set a pending bit and kick. Its
 * struct may still be looked at by a core that found it under a lock (run queue, bucket, thread
 * table, timer heap); it has left all of these before it is freed.
 *
 * Locks: thread->lock (signals), before run queues.
 */
#include <kernel/fault.h>
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/sched.h>
#include <kernel/sync.h>
#include <kernel/upcall.h>
#include <lib/string.h>

static _Atomic uint64_t last_generation;

#define SAVE_HEADER ((sizeof(struct twz_thread_save) + 63u) & ~(size_t)63u)

size_t thread_save_size(void)
{
    return SAVE_HEADER + arch_xsave_size();
}

static void *save_xsave(struct twz_thread_save *save)
{
    return (uint8_t *)save + SAVE_HEADER;
}

/* Over all words of the header behind `check`: rotate and add, so that swaps and flips show. The
 * vector image is validated by the instruction that loads it. */
static uint64_t save_check(const struct twz_thread_save *save)
{
    const uint64_t *word = (const uint64_t *)(const void *)save;
    uint64_t sum = 0x9e3779b97f4a7c15ull ^ save->epoch;
    size_t i;

#pragma GCC unroll 32
    for (i = 2; i < offsetof(struct twz_thread_save, reserved) / sizeof(*word); i++)
        sum = ((sum << 7) | (sum >> 57)) + word[i];
    return sum;
}

static void save_finish(struct thread *t, struct twz_thread_save *save)
{
    save->sctx = t->sctx;
    save->priority = t->priority;
    save->cores = t->cores;
    save->epoch = ++t->epoch;
    save->check = save_check(save);
}

void thread_save(struct thread *t, struct arch_frame *frame)
{
    struct twz_thread_save *save = t->save[(t->epoch + 1) & 1];

    arch_frame_sync(frame);
    save->regs = frame->regs;
    save->state = frame->flags;
    arch_xsave_save(save_xsave(save));
    save_finish(t, save);
}

int thread_load(struct thread *t, struct arch_frame *frame)
{
    struct twz_thread_save *save = t->save[t->epoch & 1];
    int err;

    if (save->epoch != t->epoch || save->check != save_check(save))
        return -TWZ_EDAMAGED;
    frame->regs = save->regs;
    frame->flags = save->state & ARCH_FRAME_FULL;
    err = arch_regs_validate(&frame->regs);
    if (err < 0)
        return err;
    arch_frame_load(frame);
    return arch_xsave_restore(save_xsave(save));
}

struct thread *thread_create(const struct thread_init *init)
{
    struct thread *t = kmem_alloc(sizeof(*t));
    struct twz_thread_save *save = init->save[1];

    if (!t)
        return NULL;
    t->id = init->id;
    t->obj = init->obj;
    t->user = init->user;
    t->save[0] = init->save[0];
    t->save[1] = init->save[1];
    t->addrspace = init->addrspace;
    t->root = init->root;
    t->sctx = init->sctx;
    t->priority = init->priority;
    t->cores = init->cores;
    t->cpu = arch_cpu_id();
    t->state = THREAD_BLOCKED;
    t->generation = atomic_fetch_add(&last_generation, 1) + 1;
    init->save[0]->epoch = 0;
    save->regs = init->regs;
    save->state = ARCH_FRAME_FULL;
    save->xsave_size = arch_xsave_size();
    arch_xsave_init(save_xsave(save));
    save_finish(t, save);
    return t;
}

static void write_exit_record(struct twz_thread *user, uint64_t code, const struct twz_fault *fault)
{
    if (fault)
        user->fault = *fault;
    user->exit_fault = fault != NULL;
    user->exit_code = code;
}

void thread_end(uint64_t code, const struct twz_fault *fault)
{
    struct thread *t = current();

    t->state = THREAD_ENDED;
    write_exit_record(t->user, code, fault);
    sched_leave();
    arch_root_unload();
    upcall.thread_ended(t);
    kmem_free(t, sizeof(*t));
}

int thread_signal(struct thread *t, uint64_t signal, uint64_t value)
{
    int err = 0;

    if (signal == TWZ_SIGNAL_KILL) {
        atomic_fetch_or(&t->pending, THREAD_KILL);
        sched_interrupt(t);
        return 0;
    }
    spin_lock(&t->lock);
    if (t->nsignals < THREAD_SIGNALS)
        t->signals[t->nsignals++] = (struct thread_signal){ signal, value };
    else
        err = -TWZ_EAGAIN;
    spin_unlock(&t->lock);
    if (err == 0) {
        atomic_fetch_or(&t->pending, THREAD_SIGNAL);
        sched_interrupt(t);
    }
    return err;
}

/* The eldest queued signal; clears the pending bit with the last. */
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

void thread_pending(struct thread *t, struct arch_frame *frame)
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
