/* SPDX-License-Identifier: MIT */
/* Signal state and the calls that change it; see signals.h. */
#include <errno.h>

#include "signals.h"
#include "thread.h"

#define SA_RESTORER_BIT 0x04000000u

struct linux_sigaction signals_action[SIGNALS_MAX + 1];

void signals_inherit(uint64_t mask, uint64_t ignored)
{
    thread_self()->mask = mask & ~SIGNALS_UNBLOCKABLE;
    for (int signo = 1; signo <= SIGNALS_MAX; signo++)
        if (ignored & SIGNALS_BIT(signo))
            signals_action[signo].handler = SIG_IGN;
}

uint64_t signals_ignored(void)
{
    uint64_t set = 0;

    for (int signo = 1; signo <= SIGNALS_MAX; signo++)
        if (signals_action[signo].handler == SIG_IGN)
            set |= SIGNALS_BIT(signo);
    return set;
}

bool signals_has_handler(int signo)
{
    void (*handler)(int) = signals_action[signo].handler;

    return handler != SIG_DFL && handler != SIG_IGN;
}

bool signals_is_ignored(int signo)
{
    if (signals_action[signo].handler != SIG_DFL)
        return signals_action[signo].handler == SIG_IGN;
    switch (signo) {
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
    case SIGCONT:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return true;
    default: return false;
    }
}

void signals_raise(int signo)
{
    struct thread *t = thread_self();

    if ((t->mask & SIGNALS_BIT(signo)) || !signals_is_ignored(signo))
        __atomic_fetch_or(&t->pending, SIGNALS_BIT(signo), __ATOMIC_ACQ_REL);
}

bool signals_end_wait(void)
{
    struct thread *t = thread_self();
    uint64_t ready;

    while ((ready = __atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) & ~t->mask) != 0) {
        if (!signals_is_ignored(__builtin_ctzll(ready) + 1))
            return true;
        __atomic_fetch_and(&t->pending, ~(ready & -ready), __ATOMIC_ACQ_REL);
    }
    return false;
}

int signals_dequeue(void)
{
    struct thread *t = thread_self();
    uint64_t ready = __atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) & ~t->mask;
    int signo;

    if (!ready)
        return 0;
    signo = __builtin_ctzll(ready) + 1;
    __atomic_fetch_and(&t->pending, ~SIGNALS_BIT(signo), __ATOMIC_ACQ_REL);
    return signo;
}

/* --- the calls -------------------------------------------------------------------------------- */

int64_t linux_rt_sigaction(int64_t signo, const void *act, void *old, uint64_t len)
{
    if (signo < 1 || signo > SIGNALS_MAX || len != 8)
        return -EINVAL;
    if (act && (SIGNALS_UNBLOCKABLE & SIGNALS_BIT(signo)))
        return -EINVAL;
    if (old)
        *(struct linux_sigaction *)old = signals_action[signo];
    if (act) {
        signals_action[signo] = *(const struct linux_sigaction *)act;
        signals_action[signo].flags &= ~(uint64_t)SA_RESTORER_BIT;
        if (signals_is_ignored((int)signo))
            thread_clear_pending(SIGNALS_BIT(signo));
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
    t->mask = mask & ~SIGNALS_UNBLOCKABLE;
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
