/* SPDX-License-Identifier: MIT */
/* Signal state and the calls that change it; see signals.h. */
#include <errno.h>
#include <twz/call.h>

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

/* --- signals of the process ------------------------------------------------------------------- */

/* Notifies a thread that does not block the signal. Another thread may take it meanwhile. */
static void notify_thread(int signo)
{
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        const struct thread *t = &threads.entry[i];

        if (t->state != THREAD_LIVE || !t->repr.start || t == thread_self() ||
            (__atomic_load_n(&t->mask, __ATOMIC_RELAXED) & SIGNALS_BIT(signo)))
            continue;
        if (twz_sys_thread_signal(t->repr.id, (uint64_t)signo, SIGNALS_NOTIFY) >= 0)
            return; /* else the thread has ended, or too many signals wait for it */
    }
}

void signals_raise_process(int signo)
{
    const struct thread *t = thread_self();

    if (!(t->mask & SIGNALS_BIT(signo)) && signals_is_ignored(signo))
        return;
    __atomic_fetch_or(&threads.pending, SIGNALS_BIT(signo), __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the signal, before the masks are read */
    if (t->mask & SIGNALS_BIT(signo))
        notify_thread(signo);
}

bool signals_take(int signo)
{
    return __atomic_fetch_and(&threads.pending, ~SIGNALS_BIT(signo), __ATOMIC_ACQ_REL) &
           SIGNALS_BIT(signo);
}

void signals_set_mask(struct thread *t, uint64_t mask)
{
    uint64_t back;

    __atomic_store_n(&t->mask, mask, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the mask, before threads.pending is read */
    back = __atomic_load_n(&t->taken, __ATOMIC_ACQUIRE) & mask;
    if (!back)
        return;
    back = __atomic_fetch_and(&t->taken, ~back, __ATOMIC_ACQ_REL) & back;
    back &= __atomic_fetch_and(&t->pending, ~back, __ATOMIC_ACQ_REL);
    for (; back; back &= back - 1)
        signals_raise_process(__builtin_ctzll(back) + 1);
}

/* --- what the calling thread delivers --------------------------------------------------------- */

static uint64_t ready_signals(const struct thread *t)
{
    return (__atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) |
            __atomic_load_n(&threads.pending, __ATOMIC_ACQUIRE)) &
           ~t->mask;
}

/* Removes a signal from the thread's set, else from the process's: false if it is in neither. */
static bool remove_pending(struct thread *t, int signo)
{
    const uint64_t bit = SIGNALS_BIT(signo);

    __atomic_fetch_and(&t->taken, ~bit, __ATOMIC_ACQ_REL);
    return (__atomic_fetch_and(&t->pending, ~bit, __ATOMIC_ACQ_REL) & bit) || signals_take(signo);
}

bool signals_end_wait(void)
{
    struct thread *t = thread_self();
    uint64_t ready;

    while ((ready = ready_signals(t)) != 0) {
        if (!signals_is_ignored(__builtin_ctzll(ready) + 1))
            return true;
        (void)remove_pending(t, __builtin_ctzll(ready) + 1);
    }
    return false;
}

int signals_dequeue(void)
{
    struct thread *t = thread_self();
    uint64_t ready;

    while ((ready = ready_signals(t)) != 0) {
        int signo = __builtin_ctzll(ready) + 1;

        if (remove_pending(t, signo))
            return signo;
    }
    return 0;
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
    signals_set_mask(t, mask & ~SIGNALS_UNBLOCKABLE);
    return 0;
}

int64_t linux_rt_sigpending(void *set, uint64_t len)
{
    const struct thread *t = thread_self();

    if (len != 8)
        return -EINVAL;
    *(uint64_t *)set = (__atomic_load_n(&t->pending, __ATOMIC_ACQUIRE) |
                        __atomic_load_n(&threads.pending, __ATOMIC_ACQUIRE)) &
                       t->mask;
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
