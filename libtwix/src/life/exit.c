/* SPDX-License-Identifier: MIT */
/*
 * The end of the process; see exit.h.
 *
 *   1. end all threads except the caller and the first thread
 *   2. flush shared mappings, close descriptors
 *   3. if the caller is not the first thread, make the first thread exit with the code
 *   4. exit with the code
 */
#include <twz/call.h>
#include <twz/faults.h>

#include "base/linux.h"
#include "base/text.h"
#include "base/thread.h"
#include "exit.h"
#include "file/fd.h"
#include "mem/mem.h"
#include "timers.h"

#define NAME_SPACE 160u /* of a line about a fault; a longer name is cut off */

static uint64_t ending; /* 0 while the process runs, then 1 | exit code << 1; set once */

void exit_stop_others(uint64_t code)
{
    const struct thread *self = thread_self();
    uint64_t before = 0;

    if (!__atomic_compare_exchange_n(&ending, &before, 1 | code << 1, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        twz_thread_exit(before >> 1);
    for (unsigned i = 1; i < THREADS_MAX; i++) {
        const struct thread *t = &threads.entry[i];

        if (t != self && t->state != THREAD_FREE && t->repr.start)
            (void)twz_sys_thread_signal(t->repr.id, TWZ_SIGNAL_KILL, 0);
    }
    timers_end();
}

static _Noreturn void end_process(uint64_t code)
{
    const struct thread *first = thread_first();

    exit_stop_others(code);
    mem_flush_all();
    fd_close_all();
    if (thread_self() != first)
        (void)twz_sys_thread_signal(first->repr.id, EXIT_SIGNO, code | EXIT_FLAG);
    twz_thread_exit(code);
}

void exit_process(int status)
{
    end_process(EXIT_STATUS(status));
}

void exit_by_signal(int signo)
{
    end_process(EXIT_SIGNAL(signo));
}

int64_t linux_exit_group(int64_t status)
{
    exit_process((int)status);
}

void exit_print_fault(const char *before, const char *name, const struct twz_fault *fault)
{
    static const char damaged[] = "ended by a fault; names cannot be read\n";
    char line[640];
    struct twz_catch catch;
    struct text t;

    if (twz_catch(&catch)) {
        (void)linux_write(2, damaged, sizeof(damaged) - 1);
        return;
    }
    text_init(&t, line, NAME_SPACE);
    text_str(&t, before);
    text_str(&t, name);
    t.size = sizeof(line) - 1;
    text_str(&t, ": ");
    t.len += twz_fault_print(fault, line + t.len, t.size - t.len);
    twz_catch_end(&catch);
    line[t.len] = '\n';
    (void)linux_write(2, line, t.len + 1);
}
