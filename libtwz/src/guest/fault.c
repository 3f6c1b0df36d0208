/* SPDX-License-Identifier: MIT */
/*
 * Faults (twz/faults.h). This copy of the library claims the view's entry for a kind when its first
 * catch or handler needs it. It keeps the previous entry, and passes on each fault that it does not
 * take, with the same frame. If no entry takes a fault, the kernel ends the thread, records the
 * fault and logs it.
 *
 * The list of catches starts in the thread's page and is shared by all copies in the view. Only its
 * thread uses it, so it needs no lock. `entries_lock` guards the claiming of entries.
 */
#include <twz/faults.h>
#include <twz/mutex.h>

#include "guest.h"

#define CATCH_KINDS                                                         \
    (1u << TWZ_FAULT_NULL | 1u << TWZ_FAULT_OBJECT | 1u << TWZ_FAULT_PERM | \
     1u << TWZ_FAULT_POINTER | 1u << TWZ_FAULT_EXCEPTION | 1u << TWZ_FAULT_PAGE)

_Noreturn void twz_catch_resume(struct twz_catch *c);
__attribute__((visibility("hidden"))) int twz_catch_begin(struct twz_catch *c);

static struct twz_mutex entries_lock;
static twz_fault_handler handlers[TWZ_FAULT_KINDS];
static uint64_t previous[TWZ_FAULT_KINDS]; /* the entry that was claimed over; 0: none */
static uint32_t claimed;                   /* bit set of kinds whose entry is this copy's */

static struct twz_catch **catch_chain(void)
{
    return (struct twz_catch **)(void *)&twz_thread_repr_base()->user[TWZ_USER_CATCH];
}

/* The calling thread ends as by this fault. */
static _Noreturn void end_thread_by(const struct twz_fault *fault)
{
    (void)twz_sys_thread_ctl(TWZ_OBJID_NONE, TWZ_THREAD_FAULT, (uint64_t)(uintptr_t)fault, 0);
    for (;;)
        (void)twz_sys_thread_exit(TWZ_EXIT_BY_SIGNAL((uint64_t)twz_fault_signal(fault)));
}

static _Noreturn void resume_catch(const struct twz_fault *fault)
{
    struct twz_catch *c = *catch_chain();

    *catch_chain() = c->outer;
    c->fault = *fault;
    twz_catch_resume(c);
}

/* The kernel enters here as by a call: the frame is in rdi, and the return address is not used. */
static void enter_fault(struct twz_fault_frame *frame)
{
    uint32_t kind = frame->fault.kind;
    twz_fault_handler handler;

    if (*catch_chain() && (CATCH_KINDS >> kind & 1))
        resume_catch(&frame->fault);
    handler = kind < TWZ_FAULT_KINDS ? __atomic_load_n(&handlers[kind], __ATOMIC_ACQUIRE) : NULL;
    if (handler && handler(frame)) {
        (void)twz_sys_fault_return(frame);
        end_thread_by(&frame->fault); /* the kernel refused the frame: the handler damaged it */
    }
    if (previous[kind])
        ((void (*)(struct twz_fault_frame *))(uintptr_t)previous[kind])(frame);
    end_thread_by(&frame->fault);
}

static void claim_view_entries(uint32_t kinds)
{
    uint64_t mine = (uint64_t)(uintptr_t)enter_fault;
    int died = twz_mutex_lock(&entries_lock);

    (void)died; /* no repair: each word is valid by itself */
    for (uint32_t kind = 0; kind < TWZ_FAULT_KINDS; kind++) {
        uint64_t *entry = &view_head()->fault_entry[kind];

        if (!(kinds >> kind & 1) || (claimed >> kind & 1))
            continue;
        previous[kind] = *entry == mine ? 0 : *entry;
        claimed |= 1u << kind;
        __atomic_store_n(entry, mine, __ATOMIC_RELEASE);
    }
    twz_mutex_unlock(&entries_lock);
}

int twz_catch_begin(struct twz_catch *c)
{
    if ((__atomic_load_n(&claimed, __ATOMIC_RELAXED) & CATCH_KINDS) != CATCH_KINDS)
        claim_view_entries(CATCH_KINDS);
    c->outer = *catch_chain();
    *catch_chain() = c;
    return 0;
}

void twz_catch_end(struct twz_catch *c)
{
    *catch_chain() = c->outer;
}

void plat_catch_again(struct twz_catch *c)
{
    c->outer = *catch_chain();
    *catch_chain() = c;
}

struct twz_guard **plat_guard(void)
{
    return (struct twz_guard **)(void *)&twz_thread_repr_base()->user[TWZ_USER_GUARD];
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
        claim_view_entries(1u << kind);
    return 0;
}

int twz_fault_stack(void *low, uint64_t len)
{
    return (int)twz_sys_thread_ctl(TWZ_OBJID_NONE, TWZ_THREAD_FAULT_STACK, (uint64_t)(uintptr_t)low,
                                   len);
}

/* --- faults from software --------------------------------------------------------------------- */

#define RAISE_GAP 4096u

/* Enter the fault entry with a frame that returns to `here`. A handler may place what it continues
 * with below the stack pointer of the frame, as after an upcall on a fault stack. So that memory
 * must not be the stack on which the handler itself runs: RAISE_GAP bytes lie between them. */
__attribute__((noinline)) static void enter_raised(struct twz_fault_frame *frame,
                                                   const struct twz_catch *here, uint64_t entry)
{
    uint8_t gap[RAISE_GAP];

    frame->regs = (struct twz_regs){
        .rbx = here->regs[0],
        .rbp = here->regs[1],
        .r12 = here->regs[2],
        .r13 = here->regs[3],
        .r14 = here->regs[4],
        .r15 = here->regs[5],
        .rsp = here->regs[6],
        .rip = here->regs[7],
        .rax = 1,
        .rflags = 0x202,
        .gsbase = twz_thread_repr_base()->self,
    };
    __asm__ volatile("rdfsbase %0" : "=r"(frame->regs.fsbase));
    ((void (*)(struct twz_fault_frame *))(uintptr_t)entry)(frame);
    __asm__ volatile("" : : "r"(gap) : "memory"); /* the gap exists until here */
}

/* The entry is that of this copy or of another one. It continues by the fault_return call, so the
 * frame must describe a return to here, which a catch records. */
void twz_fault_raise(const struct twz_fault *fault)
{
    struct twz_fault_frame frame = { .fault = *fault };
    struct twz_catch here;
    uint64_t entry;

    if (frame.fault.ip == 0)
        frame.fault.ip = (uint64_t)(uintptr_t)__builtin_return_address(0);
    if (fault->kind >= TWZ_FAULT_KINDS)
        end_thread_by(&frame.fault);
    if (*catch_chain() && (CATCH_KINDS >> fault->kind & 1))
        resume_catch(&frame.fault);
    entry = view_head()->fault_entry[fault->kind];
    if (entry) {
        if (twz_catch(&here))
            return;
        twz_catch_end(&here);
        enter_raised(&frame, &here, entry);
    }
    end_thread_by(&frame.fault);
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
