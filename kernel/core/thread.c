/* SPDX-License-Identifier: MIT */
/*
 * Owns struct thread: its creation, the saving and loading of its registers, its end.
 *
 * Save areas. A save writes the area with the lower epoch: vector state, registers, the next epoch,
 * then the check over the registers and the epoch. An area is valid if its check holds; of two
 * valid areas the one with the greater epoch is the thread. Nothing else is needed to continue it:
 * a parked thread is on its SYSCALL instruction, with the arguments in their registers.
 *
 * A thread ends only on its own core, while it is current; another core sets a pending bit and
 * interrupts it. Other cores reach a struct thread through a run queue, a bucket, the thread table
 * or a timer heap, each under its lock; the thread must have left all of them before it is freed.
 */
#include <kernel/kmem.h>
#include <kernel/thread.h>
#include <kernel/upcall.h>

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
 * instruction that loads the vector state validates it. */
static uint64_t save_check(const struct twz_thread_save *save)
{
    const uint64_t *word = (const uint64_t *)(const void *)save;
    uint64_t sum = 0x9e3779b97f4a7c15ull ^ save->epoch;

#pragma GCC unroll 32
    for (size_t i = 2; i < offsetof(struct twz_thread_save, reserved) / sizeof(*word); i++)
        sum = ((sum << 7) | (sum >> 57)) + word[i];
    return sum;
}

static void seal_save(struct thread *t, struct twz_thread_save *save)
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
    seal_save(t, save);
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
    seal_save(t, save);
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
    arch_root_unload();
    upcall.thread_ended(t);
    t->ended = true;
    cpu_set_need_resched();
}

void thread_free(struct thread *t)
{
    cpu_drop_thread();
    kmem_free(t, sizeof(*t));
}
