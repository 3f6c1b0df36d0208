/* SPDX-License-Identifier: MIT */
/* The table of threads, and the calls that use only the calling thread's entry; see thread.h. */
#include <errno.h>
#include <twz/call.h>

#include "err.h"
#include "linux.h"
#include "process.h"
#include "thread.h"

struct thread_table threads;

/* The kernel's thread generations are unique for one boot. Their low bits serve as tids and pids,
 * too. */
int thread_number(uint64_t generation)
{
    return (int)(generation & 0x3fffffff);
}

struct thread *thread_find(int64_t tid)
{
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        struct thread *t = &threads.entry[i];

        if (t->state == THREAD_LIVE && t->tid == tid)
            return t;
    }
    return NULL;
}

void thread_clear_pending(uint64_t bit)
{
    __atomic_fetch_and(&threads.pending, ~bit, __ATOMIC_ACQ_REL);
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (threads.entry[i].state == THREAD_LIVE)
            __atomic_fetch_and(&threads.entry[i].pending, ~bit, __ATOMIC_ACQ_REL);
}

uint64_t thread_owner_word(uint64_t generation)
{
    uint64_t resumed = process_system()->resume_count & 0x7fffffff;

    return (generation & 0xffffffffu) | resumed << 32;
}

uint64_t thread_process_word(void)
{
    return thread_owner_word(thread_repr(thread_first())->generation);
}

/* --- the calls -------------------------------------------------------------------------------- */

int64_t linux_gettid(void)
{
    return thread_self()->tid;
}

int64_t linux_set_tid_address(void *word)
{
    struct thread *t = thread_self();

    t->clear_tid = word;
    return t->tid;
}

int64_t linux_set_robust_list(void *head, uint64_t len)
{
    if (len != 24)
        return -EINVAL;
    thread_self()->robust = head;
    return 0;
}

int64_t linux_sched_yield(void)
{
    return err_linux(twz_sys_thread_ctl(TWZ_OBJID_NONE, TWZ_THREAD_YIELD, 0, 0));
}
