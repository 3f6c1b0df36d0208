/* SPDX-License-Identifier: MIT */
/*
 * Faults. This copy of the library takes a view's entry for a kind when the first catch or handler
 * wants it, and remembers who had it: what it does not want itself it hands on there, with the same
 * frame. What nobody wants ends the thread through the kernel, which writes record and log line.
 *
 * The chain of catches hangs on the thread's page, shared by all copies in the view. It belongs to
 * its thread alone, so it needs no lock; `lock` guards the taking of entries.
 */
#include <twz/faults.h>
#include <twz/mutex.h>

#include "guest.h"

#define CATCH_KINDS                                                         \
    (1u << TWZ_FAULT_NULL | 1u << TWZ_FAULT_OBJECT | 1u << TWZ_FAULT_PERM | \
     1u << TWZ_FAULT_POINTER | 1u << TWZ_FAULT_EXCEPTION | 1u << TWZ_FAULT_PAGE)

_Noreturn void twz_catch_resume(struct twz_catch *c);
__attribute__((visibility("hidden"))) int twz_catch_begin(struct twz_catch *c);

static struct twz_mutex lock;
static twz_fault_handler handlers[TWZ_FAULT_KINDS];
static uint64_t before[TWZ_FAULT_KINDS]; /* who had the entry: its address, 0: nobody */
static uint32_t taken;                   /* bit set of kinds whose entry is ours */

static struct twz_catch **chain(void)
{
    return (struct twz_catch **)(void *)&twz_thread_repr_base()->user[TWZ_USER_CATCH];
}

static _Noreturn void end_by(const struct twz_fault *fault)
{
    (void)twz_sys_thread_ctl(TWZ_OBJID_NONE, TWZ_THREAD_FAULT, (uint64_t)(uintptr_t)fault);
    for (;;)
        (void)twz_sys_thread_exit(TWZ_EXIT_BY_SIGNAL((uint64_t)twz_fault_signal(fault)));
}

static _Noreturn void catch_take(const struct twz_fault *fault)
{
    struct twz_catch *c = *chain();

    *chain() = c->outer;
    c->fault = *fault;
    twz_catch_resume(c);
}

/* The kernel comes here as if by a call: frame in rdi, a return address that is never used. */
static void enter(struct twz_fault_frame *frame)
{
    uint32_t kind = frame->fault.kind;
    twz_fault_handler handler;

    if (*chain() && (CATCH_KINDS >> kind & 1))
        catch_take(&frame->fault);
    handler = kind < TWZ_FAULT_KINDS ? __atomic_load_n(&handlers[kind], __ATOMIC_ACQUIRE) : NULL;
    if (handler && handler(frame)) {
        (void)twz_sys_fault_return(frame);
        end_by(&frame->fault); /* the handler broke the frame */
    }
    if (before[kind])
        ((void (*)(struct twz_fault_frame *))(uintptr_t)before[kind])(frame);
    end_by(&frame->fault);
}

static void take_entries(uint32_t kinds)
{
    uint64_t mine = (uint64_t)(uintptr_t)enter;
    int died = twz_mutex_lock(&lock);

    (void)died; /* a word at a time, each right on its own */
    for (uint32_t kind = 0; kind < TWZ_FAULT_KINDS; kind++) {
        uint64_t *entry = &view_head()->fault_entry[kind];

        if (!(kinds >> kind & 1) || (taken >> kind & 1))
            continue;
        before[kind] = *entry == mine ? 0 : *entry;
        taken |= 1u << kind;
        __atomic_store_n(entry, mine, __ATOMIC_RELEASE);
    }
    twz_mutex_unlock(&lock);
}

int twz_catch_begin(struct twz_catch *c)
{
    if ((__atomic_load_n(&taken, __ATOMIC_RELAXED) & CATCH_KINDS) != CATCH_KINDS)
        take_entries(CATCH_KINDS);
    c->outer = *chain();
    *chain() = c;
    return 0;
}

void twz_catch_end(struct twz_catch *c)
{
    *chain() = c->outer;
}

int twz_try(void (*fn)(void *arg), void *arg, struct twz_fault *fault)
{
    struct twz_catch c;

    if (twz_catch(&c)) {
        *fault = c.fault;
        return 1;
    }
    fn(arg);
    twz_catch_end(&c);
    return 0;
}

int twz_fault_set(uint32_t kind, twz_fault_handler handler)
{
    if (kind >= TWZ_FAULT_KINDS)
        return -TWZ_ERANGE;
    __atomic_store_n(&handlers[kind], handler, __ATOMIC_RELEASE);
    if (handler)
        take_entries(1u << kind);
    return 0;
}

void twz_fault_stack(void *low, uint64_t len)
{
    struct twz_thread *repr = twz_thread_repr_base();

    __atomic_store_n(&repr->alt_stack, 0, __ATOMIC_RELEASE);
    repr->alt_stack_len = len;
    __atomic_store_n(&repr->alt_stack, (uint64_t)(uintptr_t)low, __ATOMIC_RELEASE);
}

/* --- faults from software --------------------------------------------------------------------- */

void twz_fault_raise(const struct twz_fault *fault)
{
    struct twz_fault_frame frame = { .fault = *fault };
    uint64_t entry;

    if (frame.fault.ip == 0)
        frame.fault.ip = (uint64_t)(uintptr_t)__builtin_return_address(0);
    if (fault->kind >= TWZ_FAULT_KINDS)
        end_by(&frame.fault);
    if (*chain() && (CATCH_KINDS >> fault->kind & 1))
        catch_take(&frame.fault);
    entry = view_head()->fault_entry[fault->kind];
    if (entry && entry != (uint64_t)(uintptr_t)enter) {
        /* Another copy's: it goes on by fault_return, so the frame has to lead back here. */
        struct twz_catch here;

        if (twz_catch(&here))
            return;
        twz_catch_end(&here);
        frame.regs = (struct twz_regs){
            .rbx = here.regs[0],
            .rbp = here.regs[1],
            .r12 = here.regs[2],
            .r13 = here.regs[3],
            .r14 = here.regs[4],
            .r15 = here.regs[5],
            .rsp = here.regs[6],
            .rip = here.regs[7],
            .rax = 1,
            .rflags = 0x202,
            .gsbase = twz_thread_repr_base()->self,
        };
        __asm__ volatile("rdfsbase %0" : "=r"(frame.regs.fsbase));
        ((void (*)(struct twz_fault_frame *))(uintptr_t)entry)(&frame);
    } else if (handlers[fault->kind] && handlers[fault->kind](&frame)) {
        return;
    }
    end_by(&frame.fault);
}

void plat_pointer_fault(const void *at, objid_t object, uint32_t reason, const void *caller)
{
    struct twz_fault fault = {
        .kind = TWZ_FAULT_POINTER,
        .reason = reason,
        .need = TWZ_READ,
        .addr = (uint64_t)(uintptr_t)at,
        .ip = (uint64_t)(uintptr_t)caller,
        .object = object,
    };

    twz_fault_raise(&fault);
}
