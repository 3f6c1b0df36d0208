/* SPDX-License-Identifier: MIT */
/* The table of children, and waiting for them; see children.h. */
#include <errno.h>
#include <sys/wait.h>
#include <twz/faults.h>
#include <twz/syscall.h>

#include "base/err.h"
#include "base/linux.h"
#include "base/lock.h"
#include "base/signals.h"
#include "base/wait.h"
#include "children.h"
#include "exit.h"

#define CHILDREN 62u /* below TWZ_SYNC_MAX: one thread_sync waits for all of them and a signal */

static struct child children[CHILDREN];
struct twz_mutex children_lock;

struct child *children_free_entry(void)
{
    for (unsigned i = 0; i < CHILDREN; i++)
        if (children[i].pid == 0)
            return &children[i];
    return NULL;
}

int children_signal(int64_t pid, int64_t signo)
{
    int err = -ESRCH;

    lock_acquire(&children_lock);
    for (unsigned i = 0; i < CHILDREN && pid > 0; i++)
        if (children[i].pid == pid)
            err =
                signo ? err_linux(twz_program_signal(&children[i].process, (uint64_t)signo, 0)) : 0;
    lock_release(&children_lock);
    return err;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static bool is_wanted(const struct child *c, int64_t pid)
{
    return c->pid && (pid <= 0 || c->pid == pid);
}

/* Whether an exit code without EXIT_MARK means a signal. The program may have chosen any code. */
static bool is_signal_code(uint64_t code)
{
    const uint64_t low = code & 0xffffffffu;

    return low > TWZ_EXIT_BY_SIGNAL(0u) && low <= TWZ_EXIT_BY_SIGNAL((uint64_t)SIGNALS_MAX);
}

static int status_of_end(const struct twz_program_end *end)
{
    if (end->by_fault)
        return twz_fault_signal(&end->fault) & 0x7f;
    if ((end->code & EXIT_MARK) || !is_signal_code(end->code))
        return (int)(end->code & 0xff) << 8;
    return (int)TWZ_EXIT_SIGNAL(end->code) & 0x7f;
}

/* Removes an ended child from the table and releases its objects. Deletes the pipes and file states
 * that the child inherited, unless a living process has them open. Prints the fault that ended the
 * child, because a wait status has only the fault's signal. */
static void reap_child(struct child *c, struct twz_program_end *end)
{
    if (end->by_fault)
        exit_print_fault("", c->name, &end->fault);
    (void)!twz_program_wait(&c->process, 0, end);
    inherit_reap(&c->inherited);
    c->pid = 0;
}

/* Looks for a wanted child that has ended. Returns the child's pid, sets *status, and removes the
 * child unless `keep` is set. Returns 0 if all wanted children are alive; ops[0 .. *count) then
 * hold a sleep on the exit word of each. Returns -ECHILD if the table has no wanted child. */
static int64_t poll_children(int64_t pid, bool keep, int *status, struct twz_sync *ops,
                             uint64_t *count)
{
    int64_t ret = -ECHILD;

    *count = 0;
    lock_acquire(&children_lock);
    for (unsigned i = 0; i < CHILDREN; i++) {
        struct child *c = &children[i];
        struct twz_program_end end;
        struct twz_sync unused;

        if (!is_wanted(c, pid))
            continue;
        ret = 0;
        if (!twz_program_poll(&c->process, &end)) {
            twz_program_sleeps(&c->process, &ops[(*count)++], &unused);
            continue;
        }
        *status = status_of_end(&end);
        ret = c->pid;
        if (!keep)
            reap_child(c, &end);
        break;
    }
    lock_release(&children_lock);
    return ret;
}

static int64_t wait_child(int64_t pid, uint32_t options, bool keep, int *status)
{
    struct twz_sync ops[CHILDREN + 1];
    uint64_t count;
    int64_t ret;
    int err;

    for (;;) {
        ret = poll_children(pid, keep, status, ops, &count);
        if (ret != 0 || (options & WNOHANG))
            return ret;
        err = wait_ops(ops, count, TWZ_FOREVER);
        if (err < 0 && err != -EFAULT) /* -EFAULT: a child destroyed the word; poll tells which */
            return err;
    }
}

int64_t linux_wait4(int64_t pid, void *status, uint32_t options, void *usage)
{
    int code = 0;
    int64_t ret = wait_child((int)pid, options, false, &code);

    if (ret > 0 && status)
        *(int *)status = code;
    if (ret > 0 && usage)
        *(struct linux_rusage *)usage = (struct linux_rusage){ 0 };
    return ret;
}

int64_t linux_waitid(int64_t type, int64_t id, void *info, uint32_t options, void *usage)
{
    siginfo_t *si = info;
    int code = 0;
    int64_t ret;

    (void)usage;
    if (type != P_ALL && type != P_PID && type != P_PGID)
        return -EINVAL;
    ret = wait_child(type == P_PID ? (int)id : -1, options, (options & WNOWAIT) != 0, &code);
    if (ret < 0)
        return ret;
    if (!si)
        return 0;
    *si = (siginfo_t){ 0 };
    if (ret == 0)
        return 0;
    si->si_signo = SIGCHLD;
    si->si_pid = (int)ret;
    si->si_code = WIFSIGNALED(code) ? CLD_KILLED : CLD_EXITED;
    si->si_status = WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code);
    return 0;
}
