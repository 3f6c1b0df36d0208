/* SPDX-License-Identifier: MIT */
/* Handlers of the thread_* calls, but for thread_sync, and of fault_return. */
#include <kernel/arch_regs.h>
#include <kernel/fault.h>
#include <kernel/gate.h>
#include <kernel/kso.h>
#include <kernel/sched.h>
#include <kernel/sec.h>
#include <kernel/signal.h>
#include <kernel/threadobj.h>
#include "calls.h"

#define SIGNALS_MAX 64u /* the highest number */

static uint64_t existing_cores(void)
{
    unsigned n = arch_cpu_count();

    return n < 64 ? (1ull << n) - 1 : UINT64_MAX;
}

/* Checks what the new thread gets besides registers, and fills *start with it. */
static int check_spawn(const struct twz_spawn *in, struct thread_start *start)
{
    if (in->flags != 0)
        return -TWZ_EINVAL;
    if (in->cores != 0)
        start->cores = in->cores & existing_cores();
    return start->cores == 0 ? -TWZ_EINVAL : 0;
}

/* Starts the thread in the context and the account that the caller names. */
static int start_thread(const struct twz_spawn *in, struct object *obj, struct object *view,
                        struct thread_start *start)
{
    struct object *account = NULL;
    int err = sys_get_context(in->sctx, &start->context);

    if (err < 0)
        return err;
    start->account = current()->account;
    if (!objid_is_none(in->account))
        err = sys_get_account(in->account, &start->account, &account);
    if (err == 0)
        err = threadobj_start(obj, view, start);
    if (account)
        obj_put(account);
    context_put(start->context);
    return err;
}

int64_t sys_thread_spawn(struct user_spawn spawn)
{
    struct thread *self = current();
    struct thread_start start = { .priority = self->priority, .cores = self->cores };
    struct object *obj, *view;
    struct twz_spawn in;
    int err = USER_IN_SIZED(&in, spawn, TWZ_SPAWN_MIN);

    if (err == 0)
        err = check_spawn(&in, &start);
    if (err < 0)
        return err;
    arch_regs_start(&start.regs, in.entry, in.stack, in.arg, in.arg2);
    arch_regs_set_bases(&start.regs, in.fsbase, in.gsbase);
    err = arch_regs_validate(&start.regs);
    if (err < 0)
        return err;
    err = sys_get(in.thread, TWZ_USE | TWZ_WRITE, &obj);
    if (err < 0)
        return err;
    err = sys_get(in.view, TWZ_USE, &view);
    if (err == 0) {
        err = start_thread(&in, obj, view, &start);
        obj_put(view);
    }
    obj_put(obj);
    return err;
}

int64_t sys_thread_exit(uint64_t code)
{
    if (current()->ngates > 0)
        gate_failed(current());
    else
        thread_end(code, NULL);
    return SYS_KEEP;
}

/* The location of fault frames after a become into `view` that names none. */
static struct twz_fault_location unnamed_location(const struct thread *t, const struct object *view)
{
    if (t->addrspace->owner == view)
        return t->faults;
    return (struct twz_fault_location){ .mode = TWZ_FAULTS_NONE };
}

/* No become leads out of a gate call. */
static bool leaves_gate(const struct thread *t, const struct object *view,
                        const struct context *context)
{
    return t->ngates > 0 && (t->addrspace->owner != view || threadobj_context(t) != context);
}

/* Moves the caller to another view and context. *faults is the location of its fault frames. */
static int switch_to(struct thread *t, objid_t view_id, objid_t sctx,
                     struct twz_fault_location *faults)
{
    struct context *context;
    struct object *view;
    int err = sys_get(view_id, TWZ_USE, &view);

    if (err < 0)
        return err;
    err = sys_get_context(sctx, &context);
    if (err == 0) {
        if (faults->mode != TWZ_FAULTS_STACK)
            *faults = unnamed_location(t, view);
        err = leaves_gate(t, view, context) ? -TWZ_EDENIED : threadobj_switch(t, view, context);
        context_put(context);
    }
    obj_put(view);
    return err;
}

int64_t sys_thread_become(struct arch_frame *frame, struct user_become become)
{
    struct twz_fault_location faults = { 0 };
    struct thread *t = current();
    struct twz_become in;
    int err = USER_IN_SIZED(&in, become, TWZ_BECOME_MIN);

    if (err == 0)
        err =
            in.flags != 0 ? -TWZ_EINVAL : fault_set_location(&faults, in.fault_base, in.fault_len);
    if (err == 0)
        err = arch_regs_validate(&in.regs);
    if (err < 0)
        return err;
    err = switch_to(t, in.view, in.sctx, &faults);
    if (err < 0)
        return err;
    t->faults = faults;
    frame->regs = in.regs;
    frame->flags = ARCH_FRAME_FULL;
    arch_frame_load(frame);
    return SYS_KEEP;
}

struct signal_args {
    uint64_t signal;
    uint64_t value;
};

static int act_signal(struct thread *t, void *arg)
{
    const struct signal_args *s = arg;

    return signal_send(t, s->signal, s->value);
}

/* The caller needs no right on itself. In a gate call the thread is not the callee's: the callee
 * must have the right on its ID. */
static bool is_self(objid_t thread)
{
    return objid_is_none(thread) || (objid_equal(thread, current()->id) && current()->ngates == 0);
}

int64_t sys_thread_signal(objid_t thread, uint64_t signal, uint64_t value)
{
    struct signal_args args = { signal, value };
    struct object *obj;
    int err;

    if (signal == 0 || signal > SIGNALS_MAX)
        return -TWZ_EINVAL;
    if (is_self(thread))
        return current()->ngates > 0 ? -TWZ_EDENIED : signal_send(current(), signal, value);
    err = sys_get(thread, TWZ_USE, &obj);
    if (err < 0)
        return err;
    err = threadobj_with(obj, act_signal, &args);
    obj_put(obj);
    return err;
}

struct ctl_args {
    uint64_t op;
    uint64_t arg;
};

static int set_cores(struct thread *t, uint64_t cores)
{
    cores &= existing_cores();
    if (cores == 0)
        return -TWZ_EINVAL;
    __atomic_store_n(&t->cores, cores, __ATOMIC_RELAXED);
    sched_migrate(t);
    sched_reevaluate(t);
    return 0;
}

static int act_ctl(struct thread *t, void *arg)
{
    const struct ctl_args *c = arg;

    switch (c->op) {
    case TWZ_THREAD_PRIORITY:
        if (c->arg >= PRIORITIES)
            return -TWZ_EINVAL;
        sched_set_priority(t, (unsigned)c->arg);
        return 0;
    case TWZ_THREAD_CORES: return set_cores(t, c->arg);
    default: return -TWZ_EINVAL;
    }
}

/* The thread or call frame of this owner word lives. Threads of an earlier boot do not (today). */
static bool owner_lives(uint64_t owner)
{
    if (owner >> 32 != (uint32_t)kso_resume_count())
        return false;
    return threadobj_is_alive((uint32_t)owner) || callframe_is_owner_alive((uint32_t)owner);
}

/* Ends the caller by a fault that its handlers gave up. */
static int64_t end_by_fault(uint64_t addr)
{
    struct twz_fault fault;
    int err = user_copy_in(&fault, addr, sizeof(fault));

    if (err < 0)
        return err;
    if (fault.kind >= TWZ_FAULT_KINDS ||
        (fault.kind == TWZ_FAULT_SIGNAL && fault.addr > SIGNALS_MAX))
        return -TWZ_EINVAL;
    fault_end(&fault);
    return SYS_KEEP;
}

static int64_t set_mask(uint64_t mask, uint64_t before_at)
{
    uint64_t before = current()->signal_mask;
    int err = 0;

    if (before_at != 0)
        err = user_copy_out(before_at, &before, sizeof(before));
    if (err == 0)
        signal_set_mask(mask);
    return err;
}

int64_t sys_thread_ctl(objid_t thread, uint64_t op, uint64_t arg, uint64_t arg2)
{
    struct ctl_args args = { op, arg };
    struct object *obj;
    int err;

    if (op == TWZ_THREAD_YIELD) {
        cpu_yield();
        return 0;
    }
    if (op == TWZ_THREAD_ALIVE)
        return owner_lives(arg);
    if (op == TWZ_THREAD_FAULT)
        return end_by_fault(arg);
    if (op == TWZ_THREAD_FAULT_STACK)
        return fault_set_location(&current()->faults, arg, arg2);
    if (op == TWZ_THREAD_MASK)
        return set_mask(arg, arg2);
    if (objid_is_none(thread))
        return current()->ngates > 0 ? -TWZ_EDENIED : act_ctl(current(), &args);
    err = sys_get(thread, TWZ_USE, &obj);
    if (err < 0)
        return err;
    err = threadobj_with(obj, act_ctl, &args);
    obj_put(obj);
    return err;
}

int64_t sys_fault_return(struct arch_frame *frame, struct user_at at)
{
    int err = fault_return(frame, USER_ADDR(at));

    return err < 0 ? err : SYS_KEEP;
}
