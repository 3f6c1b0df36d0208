/* SPDX-License-Identifier: MIT */
/* Waiting; see wait.h. */
#include <errno.h>
#include <twz/call.h>
#include <twz/syscall.h>

#include "err.h"
#include "linux.h"
#include "signals.h"
#include "thread.h"
#include "wait.h"

int wait_ops(struct twz_sync *ops, uint64_t count, uint64_t deadline)
{
    const struct thread *t = thread_self();
    uint64_t pending = __atomic_load_n(&t->pending, __ATOMIC_ACQUIRE);
    int err;

    if (signals_end_wait())
        return -EINTR;
    ops[count] = wait_sleep_op(&t->pending, pending);
    err = err_linux(twz_sys_thread_sync(ops, count + 1, deadline));
    if (signals_end_wait())
        return -EINTR;
    return err == -EINTR ? 0 : err;
}

int wait_word(const uint64_t *word, uint64_t value, uint64_t deadline)
{
    struct twz_sync ops[2] = { wait_sleep_op(word, value) };

    return wait_ops(ops, 1, deadline);
}

/* Sleeps until a signal ends the wait. */
static int wait_signal(void)
{
    static const uint64_t never;
    int err;

    do
        err = wait_word(&never, 0, TWZ_FOREVER);
    while (err >= 0);
    return err;
}

int64_t linux_rt_sigsuspend(const void *set, uint64_t len)
{
    struct thread *t = thread_self();

    if (len != 8)
        return -EINVAL;
    t->suspend_mask = t->mask;
    t->suspended = true;
    signals_set_mask(t, *(const uint64_t *)set & ~SIGNALS_UNBLOCKABLE);
    return wait_signal();
}

int64_t linux_pause(void)
{
    return wait_signal();
}
