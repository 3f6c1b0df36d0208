/* SPDX-License-Identifier: MIT */
/* Signals; see signals.h. `actions` is read and written word by word; a torn one is harmless. */
#include <errno.h>
#include <twz/call.h>
#include <twz/faults.h>
#include <twz/threads.h>
#include <ucontext.h>

#include "base/copy.h"
#include "base/err.h"
#include "base/linux.h"
#include "base/process.h"
#include "base/thread.h"
#include "deliver.h"
#include "spawn.h"

#define SIGNALS     64
#define CANCEL      33 /* the C library's; must always end a blocking call */
#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define RED_ZONE    128u

#define SA_RESTORER_BIT 0x04000000u

static struct linux_sigaction actions[SIGNALS + 1];

/* --- the program's stack ---------------------------------------------------------------------- */

/* An interrupted place, as it lies on the program's stack while its handler runs. */
struct delivery {
    struct twz_fault_frame frame;
    int signo;
    int code;
    uint64_t addr;
};

static int in_runtime(uint64_t ip)
{
    return ip >> TWZ_OBJ_SHIFT == TWZ_SLOT_RT_TEXT;
}

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

static void take_context(struct twz_regs *r, const ucontext_t *uc)
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

/* 1 for a signal that is ignored, by the program's wish or by default: it is dropped, unless it is
 * blocked (it may get a handler yet). It never ends a wait. */
static int has_no_effect(int signo)
{
    if (actions[signo].handler != SIG_DFL)
        return actions[signo].handler == SIG_IGN;
    switch (signo) {
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
    case SIGCONT:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return 1;
    default: return 0;
    }
}

static int has_handler(int signo)
{
    return actions[signo].handler != SIG_DFL && actions[signo].handler != SIG_IGN;
}

/* Calls the handler of signo with everything blocked that it wants blocked. `regs` is where it
 * interrupts, and may be changed by it. */
static void run_handler(int signo, siginfo_t *info, struct twz_regs *regs)
{
    struct thread *t = thread_self();
    struct linux_sigaction act = actions[signo];
    uint64_t mask = t->mask;
    ucontext_t uc;

    if (has_no_effect(signo))
        return;
    if (act.handler == SIG_DFL)
        process_die(signo);
    if (act.flags & SA_RESETHAND)
        actions[signo].handler = SIG_DFL;
    if (t->suspended) {
        mask = t->suspend_mask;
        t->suspended = 0;
    }
    fill_context(&uc, regs, mask);
    t->mask |= act.mask | (act.flags & SA_NODEFER ? 0 : SIGNAL_BIT(signo));
    t->mask &= ~UNBLOCKABLE;
    if (act.flags & SA_SIGINFO)
        ((void (*)(int, siginfo_t *, void *))(void (*)(void))act.handler)(signo, info, &uc);
    else
        act.handler(signo);
    t->mask = uc.uc_sigmask.__bits[0] & ~UNBLOCKABLE;
    take_context(regs, &uc);
}

int signals_waiting(void)
{
    struct thread *t = thread_self();
    uint64_t ready;

    while ((ready = __atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) & ~t->mask) != 0) {
        if (!has_no_effect(__builtin_ctzll(ready) + 1))
            return 1;
        __atomic_fetch_and(&t->pending, ~(ready & -ready), __ATOMIC_ACQ_REL);
    }
    return 0;
}

/* The lowest signal that is pending and not blocked, taken; 0: none. */
static int take_pending(struct thread *t)
{
    uint64_t ready = __atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) & ~t->mask;
    int signo;

    if (!ready)
        return 0;
    signo = __builtin_ctzll(ready) + 1;
    __atomic_fetch_and(&t->pending, ~SIGNAL_BIT(signo), __ATOMIC_ACQ_REL);
    return signo;
}

int signals_deliver(void)
{
    struct thread *t = thread_self();
    int restart = 1, ran = 0, signo;

    while ((signo = take_pending(t)) != 0) {
        siginfo_t info = { .si_signo = signo, .si_code = SI_USER };
        struct twz_regs regs = { .rip = (uint64_t)(uintptr_t)__builtin_return_address(0) };

        if (has_no_effect(signo))
            continue;
        if (signo == CANCEL || !(actions[signo].flags & SA_RESTART))
            restart = 0;
        info.si_pid = process.pid;
        run_handler(signo, &info, &regs);
        ran = 1;
    }
    return ran && restart;
}

/* Where an interrupting handler starts: on the program's stack, told what it interrupted. */
static _Noreturn void interrupted(struct delivery *d)
{
    siginfo_t info = { .si_signo = d->signo, .si_code = d->code };

    info.si_addr = (void *)(uintptr_t)d->addr;
    run_handler(d->signo, &info, &d->frame.regs);
    (void)signals_deliver();
    (void)twz_sys_fault_return(&d->frame);
    process_die(SIGSEGV);
}

/* Moves the frame to the program's stack and makes it go on in `interrupted`. */
static void interrupt(struct twz_fault_frame *frame, int signo, int code)
{
    const struct thread *t = thread_self();
    const struct linux_sigaction *act = &actions[signo];
    uint64_t top = frame->regs.rsp - RED_ZONE;
    int on_alt = frame->regs.rsp - t->alt_base < t->alt_len;
    struct delivery *d;
    uint8_t *xsave;

    if ((act->flags & SA_ONSTACK) && t->alt_len && !on_alt)
        top = t->alt_base + t->alt_len;
    xsave = (uint8_t *)((top - frame->xsave_size) & ~63ull);
    d = (struct delivery *)(((uint64_t)(uintptr_t)xsave - sizeof(*d)) & ~63ull);
    copy_raw(xsave, (const void *)(uintptr_t)frame->xsave, frame->xsave_size);
    d->frame = *frame;
    d->frame.xsave = frame->xsave ? (uint64_t)(uintptr_t)xsave : 0;
    d->signo = signo;
    d->code = code;
    d->addr = frame->fault.addr;
    frame->regs.rip = (uint64_t)(uintptr_t)interrupted;
    frame->regs.rdi = (uint64_t)(uintptr_t)d;
    frame->regs.rsp = (uint64_t)(uintptr_t)d - 8;
    frame->regs.rflags &= ~0x400ull;
}

/* --- upcalls ---------------------------------------------------------------------------------- */

/* A thread that is not the first: its fault would be seen by nobody, so it is said here. */
static _Noreturn void die_of_fault(const struct twz_fault_frame *frame, int signo)
{
    char line[512];
    size_t len = twz_fault_print(&frame->fault, line, sizeof(line) - 1);

    line[len] = '\n';
    (void)linux_write(2, line, len + 1);
    process_die(signo);
}

/* A fault of the program's own. Without a handler: the thread ends with the fault as its record,
 * which whoever waits for the process prints; other threads are ended first. */
static int on_fault(struct twz_fault_frame *frame)
{
    int signo = twz_fault_signal(&frame->fault);
    const struct thread *t = thread_self();

    if (!t || in_runtime(frame->regs.rip) || !has_handler(signo) || (t->mask & SIGNAL_BIT(signo))) {
        if (t && t != thread_first())
            die_of_fault(frame, signo);
        if (t && thread_others())
            thread_stop_others(PROCESS_KILLED(signo));
        return 0;
    }
    interrupt(frame, signo, signo == SIGSEGV ? SEGV_ACCERR : 1);
    return 1;
}

/* init sends the terminal's new size with SIGWINCH: rows << 16 | columns. */
static void resize(uint64_t size)
{
    struct twz_args *args = (struct twz_args *)(uintptr_t)process.args;

    args->rows = (uint32_t)(size >> 16) & 0xffff;
    args->cols = (uint32_t)size & 0xffff;
}

static int on_signal(struct twz_fault_frame *frame)
{
    uint64_t signo = frame->fault.addr;
    struct thread *t = thread_self();

    if (signo == SIGWINCH && frame->fault.code)
        resize(frame->fault.code);
    if (signo == SIGNAL_END && (frame->fault.code & SIGNAL_END_FLAG))
        twz_thread_exit(frame->fault.code & ~SIGNAL_END_FLAG);
    if (!t || signo == 0 || signo > SIGNALS)
        return 1;
    if (!(t->mask & SIGNAL_BIT(signo)) && has_no_effect((int)signo))
        return 1;
    __atomic_fetch_or(&t->pending, SIGNAL_BIT(signo), __ATOMIC_ACQ_REL);
    if (__atomic_load_n(&t->in_call, __ATOMIC_RELAXED) || (t->mask & SIGNAL_BIT(signo)))
        return 1;
    __atomic_fetch_and(&t->pending, ~SIGNAL_BIT(signo), __ATOMIC_ACQ_REL);
    if (has_handler((int)signo))
        interrupt(frame, (int)signo, SI_USER);
    else
        process_die((int)signo);
    return 1;
}

/* A SYSCALL instruction with one of Linux's numbers: served here, and it goes on behind it. */
static int on_call(struct twz_fault_frame *frame)
{
    struct twz_regs *r = &frame->regs;

    r->rax = (uint64_t)twix_table.call(r->rax, r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
    return 1;
}

void signals_init(uint64_t mask, uint64_t ignored)
{
    static const uint32_t faults[] = { TWZ_FAULT_NULL,    TWZ_FAULT_OBJECT,    TWZ_FAULT_PERM,
                                       TWZ_FAULT_POINTER, TWZ_FAULT_EXCEPTION, TWZ_FAULT_PAGE };

    thread_self()->mask = mask & ~UNBLOCKABLE;
    for (int signo = 1; signo <= SIGNALS; signo++)
        if (ignored & SIGNAL_BIT(signo))
            actions[signo].handler = SIG_IGN;
    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        (void)!twz_fault_set(faults[i], on_fault);
    (void)!twz_fault_set(TWZ_FAULT_SIGNAL, on_signal);
    (void)!twz_fault_set(TWZ_FAULT_CALL, on_call);
}

uint64_t signals_ignored(void)
{
    uint64_t set = 0;

    for (int signo = 1; signo <= SIGNALS; signo++)
        if (actions[signo].handler == SIG_IGN)
            set |= SIGNAL_BIT(signo);
    return set;
}

void signals_raise(int signo)
{
    struct thread *t = thread_self();

    if ((t->mask & SIGNAL_BIT(signo)) || !has_no_effect(signo))
        __atomic_fetch_or(&t->pending, SIGNAL_BIT(signo), __ATOMIC_ACQ_REL);
}

/* --- the calls -------------------------------------------------------------------------------- */

int64_t linux_rt_sigaction(int64_t signo, const void *act, void *old, uint64_t len)
{
    if (signo < 1 || signo > SIGNALS || len != 8)
        return -EINVAL;
    if (act && (UNBLOCKABLE & SIGNAL_BIT(signo)))
        return -EINVAL;
    if (old)
        *(struct linux_sigaction *)old = actions[signo];
    if (act) {
        actions[signo] = *(const struct linux_sigaction *)act;
        actions[signo].flags &= ~(uint64_t)SA_RESTORER_BIT;
        if (has_no_effect((int)signo))
            thread_drop_signal(SIGNAL_BIT(signo));
    }
    return 0;
}

int64_t linux_rt_sigprocmask(int64_t how, const void *set, void *old, uint64_t len)
{
    struct thread *t = thread_self();
    uint64_t mask = t->mask;

    if (len != 8)
        return -EINVAL;
    if (set) {
        uint64_t bits = *(const uint64_t *)set;

        if (how == SIG_BLOCK)
            mask |= bits;
        else if (how == SIG_UNBLOCK)
            mask &= ~bits;
        else if (how == SIG_SETMASK)
            mask = bits;
        else
            return -EINVAL;
    }
    if (old)
        *(uint64_t *)old = t->mask;
    t->mask = mask & ~UNBLOCKABLE;
    return 0;
}

int64_t linux_rt_sigpending(void *set, uint64_t len)
{
    const struct thread *t = thread_self();

    if (len != 8)
        return -EINVAL;
    *(uint64_t *)set = __atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) & t->mask;
    return 0;
}

/* Sleeps until a signal is there. */
static int64_t wait_signal(void)
{
    static const uint64_t never;
    int64_t ret;

    do
        ret = thread_wait_word(&never, 0, TWZ_FOREVER);
    while (ret >= 0);
    return ret;
}

int64_t linux_rt_sigsuspend(const void *set, uint64_t len)
{
    struct thread *t = thread_self();

    if (len != 8)
        return -EINVAL;
    t->suspend_mask = t->mask;
    t->suspended = 1;
    t->mask = *(const uint64_t *)set & ~UNBLOCKABLE;
    return wait_signal();
}

int64_t linux_pause(void)
{
    return wait_signal();
}

int64_t linux_sigaltstack(const void *set, void *old)
{
    struct thread *t = thread_self();
    const stack_t *s = set;

    if (old)
        *(stack_t *)old = (stack_t){ .ss_sp = (void *)(uintptr_t)t->alt_base,
                                     .ss_size = t->alt_len,
                                     .ss_flags = t->alt_len ? 0 : SS_DISABLE };
    if (!s)
        return 0;
    if (s->ss_flags & SS_DISABLE) {
        t->alt_base = t->alt_len = 0;
        return 0;
    }
    if (s->ss_size < MINSIGSTKSZ)
        return -ENOMEM;
    t->alt_base = (uint64_t)(uintptr_t)s->ss_sp;
    t->alt_len = s->ss_size;
    return 0;
}

static int64_t send(struct thread *t, int64_t signo)
{
    if (signo < 0 || signo > SIGNALS)
        return -EINVAL;
    if (!t)
        return -ESRCH;
    if (signo == 0)
        return 0;
    if (signo == SIGKILL)
        process_die(SIGKILL);
    if (t != thread_self())
        return err_linux(twz_sys_thread_signal(t->repr.id, (uint64_t)signo, 0));
    signals_raise((int)signo);
    return 0;
}

int64_t linux_tkill(int64_t tid, int64_t signo)
{
    return send(thread_find(tid), signo);
}

int64_t linux_tgkill(int64_t pid, int64_t tid, int64_t signo)
{
    return pid == process.pid ? linux_tkill(tid, signo) : -ESRCH;
}

/* The process itself and its children can be signalled; groups are the process alone. */
int64_t linux_kill(int64_t pid, int64_t signo)
{
    if (pid == process.pid || pid == 0 || pid == -1 || pid == -process.pid)
        return send(thread_self(), signo);
    if (signo < 0 || signo > SIGNALS)
        return -EINVAL;
    return spawn_signal(pid, signo);
}
