/* SPDX-License-Identifier: MIT */
/*
 * Owns the gate stack of each thread: the calls in progress, innermost last. An entry lies in the
 * thread's record (struct twz_gate_entry), which user code cannot reach; what holds in this boot
 * only lies in thread->gates. Only the thread itself changes its stack, on its own core.
 *
 * All that can fail comes before an entry is pushed: a call either happens, or nothing has changed.
 * In a call
 *   - all signals but KILL are masked, so that no signal of the caller runs code in the callee;
 *   - thread_become leads to no other view or context (sys/sys_thread.c);
 *   - faults take the callee's own stack, because the stack pointer is the kernel's choice.
 *
 * Lock order: takes no lock of its own.
 */
#include <kernel/arch_regs.h>
#include <kernel/context.h>
#include <kernel/gate.h>
#include <kernel/kmem.h>
#include <kernel/kso.h>
#include <kernel/page.h>
#include <kernel/progress.h>
#include <kernel/sched.h>
#include <kernel/signal.h>
#include <kernel/sync.h>
#include <kernel/view.h>

/* The account whose share of the call frames a thread uses. */
static objid_t account_of(const struct thread *t)
{
    return t->obj->account;
}

/* Makes t run in another address space, whose reference becomes t's. */
static void load_addrspace(struct thread *t, struct addrspace *addrspace)
{
    const struct object *view = addrspace->owner;

    t->view = view->id;
    t->sctx = addrspace->context->id;
    t->addrspace = addrspace;
    t->root = &addrspace->root;
    t->limited = !addrspace->first;
    arch_root_load(t->root);
    cpu_limit_memory(t->limited);
}

/* --- call ------------------------------------------------------------------------------------- */

/* Checks the entry, and that the thread can make one more call. */
static int check_call(struct thread *t, const struct arch_frame *frame, const struct service *s,
                      uint64_t offset)
{
    const struct object *view = s->addrspace->owner;
    const struct context *context = s->addrspace->context;

    if (obj_is_deleted(view) || __atomic_load_n(&context->deleted, __ATOMIC_ACQUIRE))
        return -TWZ_EDELETED;
    if (offset >= s->words.length)
        return -TWZ_ERANGE;
    if ((offset & (s->words.align - 1)) != 0 || arch_regs_bad_address(&frame->regs) != 0)
        return -TWZ_EINVAL;
    if (t->ngates == TWZ_GATE_DEPTH)
        return -TWZ_EFULL;
    if (!t->gates)
        t->gates = kmem_alloc(TWZ_GATE_DEPTH * sizeof(*t->gates));
    return t->gates ? 0 : -TWZ_ENOMEM;
}

static uint64_t part_address(const struct twz_frame_part *part, uint32_t index)
{
    return part->base + index * part->stride;
}

/* Tells the thread page of a frame its new owner. `boot` and `generation` are neighbours there. */
static int write_owner(struct service *s, uint32_t index)
{
    uint64_t words[2] = { kso_resume_count(), callframe_new_owner(&s->frames, index) };
    uint64_t at = part_address(&s->words.page, index) + offsetof(struct twz_thread, boot);
    struct object *obj;
    int err = view_lookup(s->addrspace, at, TWZ_WRITE, &obj);

    if (err < 0)
        return err;
    err = obj_write(obj, at % TWZ_OBJ_SIZE, words, sizeof(words));
    obj_put(obj);
    return err < 0 ? -TWZ_EFAULT : 0;
}
_Static_assert(offsetof(struct twz_thread, generation) ==
                   offsetof(struct twz_thread, boot) + sizeof(uint64_t),
               "one write");

static int take_frame(struct thread *t, struct service *s, uint32_t *index)
{
    bool fresh;
    int err = callframe_take(&s->frames, account_of(t), index, &fresh);

    if (err == 0 && fresh) {
        err = write_owner(s, *index);
        if (err < 0)
            callframe_put(&s->frames, *index, true);
    }
    return err;
}

/* The registers must be in the record, with their bases. */
static void push(struct thread *t, struct service *s, uint32_t index)
{
    const struct twz_regs *regs = &t->save->regs;

    t->save->gates[t->ngates] = (struct twz_gate_entry){ .service = s->id,
                                                         .view = t->view,
                                                         .sctx = t->sctx,
                                                         .rip = arch_regs_ip(regs),
                                                         .rsp = arch_regs_stack(regs),
                                                         .fsbase = regs->fsbase,
                                                         .gsbase = regs->gsbase,
                                                         .faults = t->faults,
                                                         .call_frame = index,
                                                         .signal_mask = t->signal_mask,
                                                         .floor = t->floor };
    t->gates[t->ngates] = (struct gate_ref){ .service = s, .addrspace = t->addrspace };
    t->ngates++;
    t->save->ngates = t->ngates;
}

static void load_registers(struct arch_frame *frame)
{
    frame->flags = ARCH_FRAME_FULL;
    arch_frame_use(frame);
    arch_frame_load(frame);
    arch_xsave_reset();
}

int gate_enter(struct arch_frame *frame, struct service *s, uint64_t offset, const uint64_t arg[3])
{
    const struct twz_service *w = &s->words;
    struct thread *t = current();
    uint32_t index;
    int err;

    arch_frame_sync(frame);
    err = check_call(t, frame, s, offset);
    if (err == 0)
        err = take_frame(t, s, &index);
    if (err < 0)
        return err;
    progress_forget();
    push(t, s, index);
    signal_set_mask(~0ull);
    view_addrspace_ref(s->addrspace);
    load_addrspace(t, s->addrspace);
    t->faults = (struct twz_fault_location){ .mode = TWZ_FAULTS_OWN };
    if (w->priority > t->floor)
        sched_set_floor(t, w->priority);
    arch_regs_gate(&frame->regs, w->entry + offset,
                   part_address(&w->stack, index) - sizeof(uint64_t), arg);
    arch_regs_set_bases(&frame->regs, w->tls.base != 0 ? part_address(&w->tls, index) : 0,
                        part_address(&w->page, index));
    load_registers(frame);
    return 0;
}

/* --- return ----------------------------------------------------------------------------------- */

/* Ends the innermost call: the thread is in its caller's address space again. */
static void pop(struct thread *t, bool broken)
{
    struct addrspace *callee = t->addrspace;
    const struct twz_gate_entry *e;
    struct gate_ref *ref;

    t->ngates--;
    t->save->ngates = t->ngates;
    e = &t->save->gates[t->ngates];
    ref = &t->gates[t->ngates];
    load_addrspace(t, ref->addrspace);
    t->faults = e->faults;
    if (t->floor != e->floor)
        sched_set_floor(t, (unsigned)e->floor);
    signal_set_mask(e->signal_mask);
    callframe_put(&ref->service->frames, (uint32_t)e->call_frame, broken);
    view_addrspace_put(callee);
    service_put(ref->service);
}

static void return_to_caller(struct thread *t, struct arch_frame *frame, int64_t result,
                             uint64_t value)
{
    const struct twz_gate_entry *e;

    progress_forget();
    pop(t, result != 0);
    e = &t->save->gates[t->ngates];
    arch_regs_gate_return(&frame->regs, e->rip, e->rsp, result, value);
    arch_regs_set_bases(&frame->regs, e->fsbase, e->gsbase);
    load_registers(frame);
}

int gate_leave(struct arch_frame *frame, uint64_t value)
{
    struct thread *t = current();

    if (t->ngates == 0)
        return -TWZ_EINVAL;
    return_to_caller(t, frame, 0, value);
    return 0;
}

static void put_object(const void *object)
{
    obj_put((struct object *)(uintptr_t)object);
}

void gate_failed(struct thread *t)
{
    if (t->nwaiters > 0) /* its registers could not be loaded, so it did not end its sleep */
        (void)sync_cancel(t, put_object);
    t->resume = NULL;
    return_to_caller(t, thread_frame(t), -TWZ_EDIED, 0);
    cpu_set_need_resched();
}

/* The root is not loaded: the thread has none any more. */
void gate_end_all(struct thread *t)
{
    while (t->ngates > 0) {
        const struct twz_gate_entry *e = &t->save->gates[--t->ngates];
        struct gate_ref *ref = &t->gates[t->ngates];

        callframe_put(&ref->service->frames, (uint32_t)e->call_frame, true);
        view_addrspace_put(t->addrspace);
        t->addrspace = ref->addrspace;
        service_put(ref->service);
    }
    t->save->ngates = 0;
}
