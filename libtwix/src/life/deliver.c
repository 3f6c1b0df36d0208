/* SPDX-License-Identifier: MIT */
/* Delivery of signals, and sending them; see deliver.h. */
#include <errno.h>
#include <twz/call.h>
#include <twz/faults.h>
#include <twz/threads.h>
#include <ucontext.h>

#include "base/copy.h"
#include "base/err.h"
#include "base/linux.h"
#include "base/process.h"
#include "base/signals.h"
#include "base/thread.h"
#include "children.h"
#include "deliver.h"
#include "exit.h"

#define CANCEL   33 /* the C library's signal to cancel a thread; must not restart a call */
#define RED_ZONE 128u

/* --- the context that a handler sees ---------------------------------------------------------- */

/* Fills the handler's context from the interrupted registers and the signal mask. */
static void fill_context(ucontext_t *uc, const struct twz_regs *r, uint64_t mask)
{
    greg_t *g = uc->uc_mcontext.gregs;

    *uc = (ucontext_t){ 0 };
    g[REG_R8] = (greg_t)r->r8;
    g[REG_R9] = (greg_t)r->r9;
    g[REG_R10] = (greg_t)r->r10;
    g[REG_R11] = (greg_t)r->r11;
    g[REG_R12] = (greg_t)r->r12;
    g[REG_R13] = (greg_t)r->r13;
    g[REG_R14] = (greg_t)r->r14;
    g[REG_R15] = (greg_t)r->r15;
    g[REG_RDI] = (greg_t)r->rdi;
    g[REG_RSI] = (greg_t)r->rsi;
    g[REG_RBP] = (greg_t)r->rbp;
    g[REG_RBX] = (greg_t)r->rbx;
    g[REG_RDX] = (greg_t)r->rdx;
    g[REG_RAX] = (greg_t)r->rax;
    g[REG_RCX] = (greg_t)r->rcx;
    g[REG_RSP] = (greg_t)r->rsp;
    g[REG_RIP] = (greg_t)r->rip;
    g[REG_EFL] = (greg_t)r->rflags;
    uc->uc_sigmask.__bits[0] = mask;
}

/* Copies the context, which the handler may have changed, back to the registers. */
static void apply_context(struct twz_regs *r, const ucontext_t *uc)
{
    const greg_t *g = uc->uc_mcontext.gregs;

    r->r8 = (uint64_t)g[REG_R8];
    r->r9 = (uint64_t)g[REG_R9];
    r->r10 = (uint64_t)g[REG_R10];
    r->r11 = (uint64_t)g[REG_R11];
    r->r12 = (uint64_t)g[REG_R12];
    r->r13 = (uint64_t)g[REG_R13];
    r->r14 = (uint64_t)g[REG_R14];
    r->r15 = (uint64_t)g[REG_R15];
    r->rdi = (uint64_t)g[REG_RDI];
    r->rsi = (uint64_t)g[REG_RSI];
    r->rbp = (uint64_t)g[REG_RBP];
    r->rbx = (uint64_t)g[REG_RBX];
    r->rdx = (uint64_t)g[REG_RDX];
    r->rax = (uint64_t)g[REG_RAX];
    r->rcx = (uint64_t)g[REG_RCX];
    r->rsp = (uint64_t)g[REG_RSP];
    r->rip = (uint64_t)g[REG_RIP];
    r->rflags = (uint64_t)g[REG_EFL];
}

/* --- running a handler ------------------------------------------------------------------------ */

/* A handler that was chosen for a signal. */
struct handling {
    struct linux_sigaction act;
    uint64_t mask; /* the thread's mask after the handler */
};

/* Chooses the handler of a signal and blocks the action's mask. */
static void choose_handler(int signo, struct handling *h)
{
    struct thread *t = thread_self();

    *h = (struct handling){ .act = signals_action[signo], .mask = t->mask };
    if (h->act.flags & SA_RESETHAND)
        signals_action[signo].handler = SIG_DFL;
    if (t->suspended) {
        h->mask = t->suspend_mask;
        t->suspended = false;
    }
    signals_set_mask(
        t, (t->mask | h->act.mask | (h->act.flags & SA_NODEFER ? 0 : SIGNALS_BIT(signo))) &
               ~SIGNALS_UNBLOCKABLE);
}

/* Calls the handler, which may change `regs` and the mask after it: deliver_interrupting continues
 * with the changed registers, deliver_pending drops them. */
static void call_handler(struct handling *h, int signo, siginfo_t *info, struct twz_regs *regs)
{
    ucontext_t uc;

    fill_context(&uc, regs, h->mask);
    if (h->act.flags & SA_SIGINFO)
        ((void (*)(int, siginfo_t *, void *))(void (*)(void))h->act.handler)(signo, info, &uc);
    else
        h->act.handler(signo);
    h->mask = uc.uc_sigmask.__bits[0] & ~SIGNALS_UNBLOCKABLE;
    apply_context(regs, &uc);
}

/* Delivers a signal that the caller has dequeued and that is not ignored. Without a handler it ends
 * the process. */
static void handle_dequeued(int signo)
{
    siginfo_t info = { .si_signo = signo, .si_code = SI_USER };
    struct twz_regs regs = { .rip = (uint64_t)(uintptr_t)__builtin_return_address(0) };
    struct handling h;

    info.si_pid = process.pid;
    if (!signals_has_handler(signo))
        exit_by_signal(signo);
    choose_handler(signo, &h);
    call_handler(&h, signo, &info, &regs);
    signals_set_mask(thread_self(), h.mask);
}

bool deliver_pending(void)
{
    bool ran = false, restart = true;
    int signo;

    while ((signo = signals_dequeue()) != 0) {
        if (signals_is_ignored(signo))
            continue;
        if (signo == CANCEL || !(signals_action[signo].flags & SA_RESTART))
            restart = false;
        handle_dequeued(signo);
        ran = true;
    }
    return ran && restart;
}

/* --- interrupting ----------------------------------------------------------------------------- */

/*
 * The interrupted state. It lies on the stack of the handler: the program's stack or the
 * sigaltstack.
 *
 * A burst of signals must not fill that stack: at most one delivery for each signal may lie on it.
 *   - interrupt_program blocks the handler's mask during the upcall, when the kernel masks all
 *     signals. So no second delivery of a signal starts before the first one's handler ends.
 *   - deliver_interrupting makes the kernel mask all signals before it unblocks them; fault_return
 *     ends that together with the delivery.
 */
struct delivery {
    struct twz_fault_frame frame;
    struct handling handling;
    int signo;
    int code;
    uint64_t addr;
};

/* Makes the kernel mask the thread's signals. */
static void mask_kernel_signals(uint64_t mask)
{
    (void)twz_sys_thread_ctl(TWZ_OBJID_NONE, TWZ_THREAD_MASK, mask, 0);
}

/* Unblocks what the handler blocked and delivers what came meanwhile. On return the kernel masks
 * all signals and none is pending. */
static void end_delivery(uint64_t mask)
{
    struct thread *t = thread_self();
    siginfo_t info = { .si_code = SI_USER };
    int signo;

    mask_kernel_signals(~0ull);
    signals_set_mask(t, mask);
    info.si_pid = process.pid;
    while ((signo = signals_dequeue()) != 0) {
        struct twz_regs regs = { .rip = (uint64_t)(uintptr_t)__builtin_return_address(0) };
        struct handling h;

        if (signals_is_ignored(signo))
            continue;
        if (!signals_has_handler(signo))
            exit_by_signal(signo);
        info.si_signo = signo;
        choose_handler(signo, &h);
        mask_kernel_signals(0);
        call_handler(&h, signo, &info, &regs);
        mask_kernel_signals(~0ull);
        signals_set_mask(t, h.mask);
    }
}

/* The thread continues here, on the handler's stack, when the fault upcall returns. */
static _Noreturn void deliver_interrupting(struct delivery *d)
{
    siginfo_t info = { .si_signo = d->signo, .si_code = d->code };

    info.si_addr = (void *)(uintptr_t)d->addr;
    call_handler(&d->handling, d->signo, &info, &d->frame.regs);
    end_delivery(d->handling.mask);
    (void)twz_sys_fault_return(&d->frame);
    exit_by_signal(SIGSEGV);
}

/* Chooses the handler, copies the frame to its stack and makes the thread continue in
 * deliver_interrupting. */
static void interrupt_program(struct twz_fault_frame *frame, int signo, int code)
{
    const struct thread *t = thread_self();
    uint64_t top = frame->regs.rsp - RED_ZONE;
    bool on_alt = frame->regs.rsp - t->alt_base < t->alt_len;
    struct delivery *d;
    uint8_t *xsave;

    if ((signals_action[signo].flags & SA_ONSTACK) && t->alt_len && !on_alt)
        top = t->alt_base + t->alt_len;
    xsave = (uint8_t *)((top - frame->xsave_size) & ~63ull);
    d = (struct delivery *)(((uint64_t)(uintptr_t)xsave - sizeof(*d)) & ~63ull);
    copy_raw(xsave, (const void *)(uintptr_t)frame->xsave, frame->xsave_size);
    d->frame = *frame;
    d->frame.xsave = frame->xsave ? (uint64_t)(uintptr_t)xsave : 0;
    d->frame.flags |= TWZ_FRAME_MASK; /* libtwix masks no signal of the kernel otherwise */
    d->frame.mask = 0;
    choose_handler(signo, &d->handling);
    d->signo = signo;
    d->code = code;
    d->addr = frame->fault.addr;
    frame->regs.rip = (uint64_t)(uintptr_t)deliver_interrupting;
    frame->regs.rdi = (uint64_t)(uintptr_t)d;
    frame->regs.rsp = (uint64_t)(uintptr_t)d - 8;
    frame->regs.rflags &= ~0x400ull; /* clears the direction flag, as the ABI requires */
}

/* --- upcalls ---------------------------------------------------------------------------------- */

static bool is_in_runtime(uint64_t ip)
{
    return ip >> TWZ_OBJ_SHIFT == (uint64_t)(uintptr_t)is_in_runtime >> TWZ_OBJ_SHIFT;
}

/* Prints the fault of a thread other than the first, and ends the process. The parent reads only
 * the fault record of the first thread. So the line is the one that the parent prints for the first
 * thread; that of init begins with "twz". */
static _Noreturn void exit_by_fault(const struct twz_fault_frame *frame, int signo)
{
    const bool is_started_by_init = process.ppid == 0;

    exit_print_fault(is_started_by_init ? "twz: " : "", process.name, &frame->fault);
    exit_by_signal(signo);
}

/* Handles a fault. If libtwix itself faulted, or the fault's signal is blocked or has no handler,
 * the process ends. In that case, in the first thread, the function ends all other threads and
 * returns 0. The kernel then ends the first thread and records the fault. Any other thread prints
 * the fault itself. A thread without an entry (life/timers.c) ends alone. The fault may mean that
 * memory is exhausted. So clone_first touched the page of `threads.others`, which this function
 * reads. */
static int on_fault(struct twz_fault_frame *frame)
{
    int signo = twz_fault_signal(&frame->fault);
    const struct thread *t = thread_self();

    if (!t || is_in_runtime(frame->regs.rip) || !signals_has_handler(signo) ||
        (t->mask & SIGNALS_BIT(signo))) {
        if (t && t != thread_first())
            exit_by_fault(frame, signo);
        if (t && thread_has_others())
            exit_stop_others(EXIT_SIGNAL(signo));
        return 0;
    }
    interrupt_program(frame, signo, signo == SIGSEGV ? SEGV_ACCERR : 1);
    return 1;
}

/* init sends the terminal's size with SIGWINCH: rows << 16 | columns. */
static void set_window_size(uint64_t size)
{
    struct twz_args *args = (struct twz_args *)(uintptr_t)process.args;

    args->rows = (uint32_t)(size >> 16) & 0xffff;
    args->cols = (uint32_t)size & 0xffff;
}

/* Whether the calling thread takes a signal that has reached it. A signal of the process that the
 * thread blocks goes to another thread, or stays pending for the process. */
static bool takes_signal(const struct thread *t, int signo, uint64_t value)
{
    const bool blocked = (t->mask & SIGNALS_BIT(signo)) != 0;

    if (value & SIGNALS_TO_THREAD)
        return blocked || !signals_is_ignored(signo);
    if (blocked) {
        if (!(value & SIGNALS_NOTIFY) || signals_take(signo))
            signals_raise_process(signo);
        return false;
    }
    if ((value & SIGNALS_NOTIFY) && !signals_take(signo))
        return false; /* another thread has taken it */
    return !signals_is_ignored(signo);
}

/* Handles a signal that another thread or process sent. Pairs with thread_leave_call. */
static int on_signal(struct twz_fault_frame *frame)
{
    const uint64_t signo = frame->fault.addr, value = frame->fault.code;
    struct thread *t = thread_self();

    if (signo == SIGWINCH && value && !(value & (SIGNALS_TO_THREAD | SIGNALS_NOTIFY)))
        set_window_size(value);
    if (signo == EXIT_SIGNO && (value & EXIT_FLAG))
        twz_thread_exit(value & ~EXIT_FLAG);
    if (!t || signo == 0 || signo > SIGNALS_MAX || !takes_signal(t, (int)signo, value))
        return 1;
    if (__atomic_load_n(&t->in_call, __ATOMIC_RELAXED) || (t->mask & SIGNALS_BIT(signo))) {
        if (!(value & SIGNALS_TO_THREAD))
            __atomic_fetch_or(&t->taken, SIGNALS_BIT(signo), __ATOMIC_ACQ_REL);
        __atomic_fetch_or(&t->pending, SIGNALS_BIT(signo), __ATOMIC_ACQ_REL);
        return 1;
    }
    if (signals_has_handler((int)signo))
        interrupt_program(frame, (int)signo, SI_USER);
    else
        exit_by_signal((int)signo);
    return 1;
}

void deliver_init(void)
{
    static const uint32_t faults[] = { TWZ_FAULT_NULL,    TWZ_FAULT_OBJECT,    TWZ_FAULT_PERM,
                                       TWZ_FAULT_POINTER, TWZ_FAULT_EXCEPTION, TWZ_FAULT_PAGE };

    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        (void)!twz_fault_set(faults[i], on_fault);
    (void)!twz_fault_set(TWZ_FAULT_SIGNAL, on_signal);
}

/* --- sending ---------------------------------------------------------------------------------- */

static int signal_thread(const struct thread *t, int64_t signo)
{
    if (signo < 0 || signo > SIGNALS_MAX)
        return -EINVAL;
    if (!t)
        return -ESRCH;
    if (signo == 0)
        return 0;
    if (signo == SIGKILL)
        exit_by_signal(SIGKILL);
    if (t != thread_self())
        return err_linux(twz_sys_thread_signal(t->repr.id, (uint64_t)signo, SIGNALS_TO_THREAD));
    signals_raise((int)signo);
    return 0;
}

int64_t linux_tkill(int64_t tid, int64_t signo)
{
    return signal_thread(thread_find(tid), signo);
}

int64_t linux_tgkill(int64_t pid, int64_t tid, int64_t signo)
{
    return pid == process.pid ? linux_tkill(tid, signo) : -ESRCH;
}

/* If the calling thread does not block the signal, it gets it before the call returns. */
static void signal_process(int signo)
{
    if (signo == SIGKILL)
        exit_by_signal(SIGKILL);
    if (thread_self()->mask & SIGNALS_BIT(signo))
        signals_raise_process(signo);
    else
        signals_raise(signo);
}

/* A process may signal itself and its children. Each process is the only member of its group. */
int64_t linux_kill(int64_t pid, int64_t signo)
{
    if (signo < 0 || signo > SIGNALS_MAX)
        return -EINVAL;
    if (pid != process.pid && pid != 0 && pid != -1 && pid != -process.pid)
        return children_signal(pid, signo);
    if (signo)
        signal_process((int)signo);
    return 0;
}
