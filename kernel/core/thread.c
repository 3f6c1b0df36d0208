/* SPDX-License-Identifier: MIT */
/*
 * Owns struct thread: its creation, the saving and loading of its registers, its end.
 *
 * The record (twz/thread.h) lies in kernel memory that belongs to the thread object. Entries save
 * the running thread's registers in it; a switch adds the segment bases and the vector state. User
 * code cannot reach the record, and registers that come from outside are checked where they arrive.
 * But user code can set the bases, so a load checks these. thread_seal completes the record, with
 * its check, for a slot that is made durable. Nothing else is needed to continue the thread: a
 * parked thread is on its SYSCALL instruction, with the arguments in their registers.
 *
 * A thread ends only on its own core, while it is current; another core sets a pending bit and
 * interrupts it. Other cores reach a struct thread through a run queue, a bucket, the thread table
 * or a timer heap, each under its lock; the thread must have left all of them before it is freed.
 */
#include <kernel/account.h>
#include <kernel/arch_regs.h>
#include <kernel/kmem.h>
#include <kernel/thread.h>
#include <kernel/upcall.h>
#include <lib/string.h>
#include <lib/threadsave.h>

static _Atomic uint64_t last_generation;

uint64_t thread_new_generation(void)
{
    return atomic_fetch_add(&last_generation, 1) + 1;
}

size_t thread_save_size(void)
{
    return sizeof(struct twz_thread_save) + arch_xsave_size();
}

static void *save_xsave(struct twz_thread_save *save)
{
    return save + 1;
}

_Static_assert(offsetof(struct twz_thread_save, state) - offsetof(struct twz_thread_save, regs) ==
                   offsetof(struct arch_frame, flags),
               "a frame is a part of the record");

void thread_save(struct thread *t)
{
    arch_frame_sync(thread_frame(t));
    arch_xsave_save(save_xsave(t->save));
}

int thread_load(struct thread *t)
{
    struct arch_frame *frame = thread_frame(t);

    if (arch_regs_bad_address(&frame->regs) != 0)
        return -TWZ_EINVAL;
    arch_frame_use(frame);
    arch_frame_load(frame);
    arch_xsave_load(save_xsave(t->save));
    return 0;
}

static void seal_signals(struct thread *t)
{
    struct twz_thread_save *save = t->save;

    spin_lock(&t->lock);
    save->priority = t->wanted;
    save->cores = t->cores;
    save->signal_mask = t->signal_mask;
    save->nsignals = t->nsignals;
    memcpy(save->signals, t->signals, sizeof(save->signals));
    spin_unlock(&t->lock);
}

const struct twz_thread_save *thread_seal(struct thread *t, uint64_t epoch)
{
    struct twz_thread_save *save = t->save;

    save->view = t->view;
    save->sctx = t->sctx;
    save->faults = t->faults;
    seal_signals(t);
    save->epoch = epoch;
    save->check = threadsave_check(save);
    return save;
}

/* Writes the constant fields of the record and the first registers. thread_seal writes the other
 * fields; the reserved ones are zero since the object was created. */
static void init_record(struct twz_thread_save *save, const struct thread_init *init)
{
    save->magic = TWZ_SAVE_MAGIC;
    save->version = TWZ_SAVE_VERSION;
    save->header = sizeof(*save);
    save->size = thread_save_size();
    save->thread = init->id;
    save->regs = init->regs;
    save->state = ARCH_FRAME_FULL;
    save->xsave_mask = arch_xsave_mask();
    save->xsave_size = arch_xsave_size();
    save->xsave_off = sizeof(*save);
    arch_xsave_init(save_xsave(save));
}

static _Atomic uint64_t nthreads;

uint64_t thread_count(void)
{
    return atomic_load_explicit(&nthreads, memory_order_relaxed);
}

bool thread_takes_retry(void)
{
    struct thread *t = current();
    bool ret = t->retry;

    t->retry = false;
    return ret;
}

static void uncharge_thread(struct account *account)
{
    account_uncharge(account, TWZ_ACCOUNT_KERNEL, sizeof(struct thread));
    account_uncharge(account, TWZ_ACCOUNT_THREADS, 1); /* last: it may free the account */
}

static int alloc_thread(struct account *account, struct thread **out)
{
    int err = account_charge(account, TWZ_ACCOUNT_THREADS, 1);

    if (err < 0)
        return err;
    err = account_charge(account, TWZ_ACCOUNT_KERNEL, sizeof(struct thread));
    if (err < 0) {
        account_uncharge(account, TWZ_ACCOUNT_THREADS, 1);
        return err;
    }
    *out = kmem_alloc(sizeof(struct thread));
    if (!*out)
        uncharge_thread(account);
    return *out ? 0 : -TWZ_ENOMEM;
}

int thread_create(const struct thread_init *init, struct thread **out)
{
    struct thread *t;
    int err = alloc_thread(init->account, &t);

    if (err < 0)
        return err;
    atomic_fetch_add_explicit(&nthreads, 1, memory_order_relaxed);
    t->id = init->id;
    t->obj = init->obj;
    t->user = init->user;
    t->save = init->save;
    t->view = init->view;
    t->addrspace = init->addrspace;
    t->root = init->root;
    t->sctx = init->sctx;
    t->account = init->account;
    t->priority = init->priority;
    t->wanted = init->priority;
    t->cores = init->cores;
    t->cpu = arch_cpu_id();
    t->limited = init->limited;
    t->state = THREAD_BLOCKED;
    t->generation = thread_new_generation();
    init_record(t->save, init);
    *out = t;
    return 0;
}

void thread_end(uint64_t code, const struct twz_fault *fault)
{
    struct thread *t = current();

    arch_root_unload();
    upcall.thread_ended(t, code, fault);
    arch_frame_use(NULL); /* the record may be another thread's already */
    t->ended = true;
    t->limited = false;
    cpu_set_need_resched();
}

void thread_free(struct thread *t)
{
    struct account *account = t->account;

    cpu_drop_thread();
    atomic_fetch_sub_explicit(&nthreads, 1, memory_order_relaxed);
    kmem_free(t->gates, TWZ_GATE_DEPTH * sizeof(*t->gates));
    kmem_free(t, sizeof(*t));
    uncharge_thread(account);
}
