/* SPDX-License-Identifier: MIT */
/*
 * Children. One call makes a child from a description: its descriptor table (handover.h) is handed
 * over in the args' opaque area; nothing of the parent's memory is shared. `lock` guards the table
 * of children; waiting is done without it, on the exit words of their thread objects.
 */
#include <errno.h>
#include <sys/wait.h>
#include <twz/call.h>
#include <twz/faults.h>
#include <twz/program.h>
#include <twz/syscall.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/process.h"
#include "base/text.h"
#include "base/thread.h"
#include "file/path.h"
#include "inherit.h"
#include "mem/mem.h"
#include "spawn.h"

#define NAME_SHOWN 128 /* of argv[0], in the message of a fault */
#define CHILDREN   62u /* as many as one thread_sync can wait for, besides signals */

struct child {
    int pid; /* 0: free */
    char name[NAME_SHOWN];
    struct twz_process process;
    struct given given;
};

static struct child children[CHILDREN];
static struct twz_mutex lock;

/* --- finding the program ---------------------------------------------------------------------- */

static int64_t find_at(const char *path, objid_t cwd, objid_t *id)
{
    struct hier_where w;
    int64_t ret = err_linux(hier_walk(process.root, cwd, path, 0, &w));

    if (ret < 0)
        return ret;
    if (w.kind == 0)
        ret = -ENOENT;
    else if (w.kind != HIER_OBJECT)
        ret = -EACCES;
    else
        *id = w.id;
    hier_where_close(&w);
    return ret;
}

/* dir[0 .. dir_len) + "/" + name into `to`. */
static int64_t join(char *to, const char *dir, size_t dir_len, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < dir_len && n < TWZ_PATH_MAX - 2; i++)
        to[n++] = dir[i];
    if (dir_len)
        to[n++] = '/';
    while (*name && n < TWZ_PATH_MAX - 1)
        to[n++] = *name++;
    to[n] = 0;
    return *name ? -ENAMETOOLONG : 0;
}

static int has_slash(const char *s)
{
    while (*s && *s != '/')
        s++;
    return *s == '/';
}

static int64_t find_program(struct plan *p, const struct linux_spawn *spawn, objid_t *id)
{
    const char *dir = spawn->search;
    int64_t ret = -ENOENT;

    if (!*spawn->path)
        return -ENOENT;
    if (!dir || has_slash(spawn->path)) {
        ret = join(p->found, "", 0, spawn->path);
        return ret < 0 ? ret : find_at(p->found, p->cwd, id);
    }
    for (;;) {
        size_t len = 0;

        while (dir[len] && dir[len] != ':')
            len++;
        ret = join(p->found, dir, len, spawn->path);
        if (ret == 0)
            ret = find_at(p->found, p->cwd, id);
        if (ret == 0 || !dir[len])
            return ret;
        dir += len + 1;
    }
}

/* Until the child has opened what was handed over (or has ended): from then on the parent may close
 * and remove it. */
static void wait_ready(const struct child *c)
{
    const struct twz_thread *child = twz_object_base(&c->process.repr);

    while (!__atomic_load_n(&child->ready, __ATOMIC_ACQUIRE) &&
           !__atomic_load_n(&child->exit, __ATOMIC_ACQUIRE)) {
        struct twz_sync ops[2] = { thread_sleep_on(&child->ready, 0),
                                   thread_sleep_on(&child->exit, 0) };

        (void)twz_sys_thread_sync(ops, 2, TWZ_FOREVER);
    }
}

/* --- the call --------------------------------------------------------------------------------- */

/* What the parent keeps for when it has ended. */
static void note_child(struct child *c, const struct handover *h, const char *name)
{
    struct text t;

    given_note(&c->given, h);
    text_init(&t, c->name, sizeof(c->name));
    text_str(&t, name);
}

static int64_t start(struct plan *p, struct handover *h, const struct linux_spawn *spawn,
                     struct child *c)
{
    const struct twz_args *args = process.args;
    struct twz_program_spec spec = { .runtime = args->runtime,
                                     .path = p->found,
                                     .argv = spawn->argv,
                                     .envp = spawn->envp,
                                     .cwd = p->cwd,
                                     .cwd_path = p->cwd_path,
                                     .ttybits = args->ttybits,
                                     .rows = args->rows,
                                     .cols = args->cols,
                                     .opaque = h };
    static const char *const nothing[] = { NULL };
    int64_t ret = find_program(p, spawn, &spec.program);

    if (ret < 0)
        return ret;
    if (!spec.envp)
        spec.envp = nothing;
    if (!spec.argv)
        spec.argv = nothing;
    ret = err_linux(hier_path_of(process.root, p->cwd, p->cwd_path, sizeof(p->cwd_path)));
    if (ret < 0)
        return ret;
    ret = hand_over(h, p, spawn);
    if (ret == 0) {
        spec.opaque_len = sizeof(h->head) + h->head.count * sizeof(h->file[0]);
        ret = err_linux(twz_program_spawn(&spec, &c->process));
    }
    if (ret < 0)
        hand_over_undo(h, p);
    else
        hand_over_settle(h, p, twz_object_base(&c->process.repr));
    if (ret == 0)
        note_child(c, h, spec.argv[0] ? spec.argv[0] : p->found);
    return ret;
}

static struct child *free_child(void)
{
    for (unsigned i = 0; i < CHILDREN; i++)
        if (children[i].pid == 0)
            return &children[i];
    return NULL;
}

int64_t linux_twix_spawn(const void *given)
{
    const struct linux_spawn *spawn = given;
    const uint64_t size = sizeof(struct plan) + sizeof(struct handover);
    struct plan *p = mem_alloc(size);
    struct handover *h = (struct handover *)(p + 1);
    struct child *c;
    int64_t ret;

    if (!p)
        return -ENOMEM;
    plan_start(p);
    ret = plan_actions(p, spawn->actions);
    lock_take(&lock);
    c = free_child();
    if (ret == 0)
        ret = c ? start(p, h, spawn, c) : -EAGAIN;
    if (ret == 0) {
        wait_ready(c);
        c->pid = thread_number(twz_object_base(&c->process.repr));
        ret = c->pid;
    }
    lock_drop(&lock);
    plan_end(p);
    mem_free(p, size);
    return ret;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static const struct twz_thread *thread_of(const struct child *c)
{
    return twz_object_base(&c->process.repr);
}

static int matches(const struct child *c, int64_t pid)
{
    return c->pid && (pid <= 0 || c->pid == pid);
}

/* What ended it, on our standard error: the kernel's record says more than a signal's number. */
static void report(const struct child *c, const struct twz_program_end *end)
{
    char line[640];
    struct text t;

    text_init(&t, line, sizeof(line) - 1);
    text_str(&t, c->name);
    text_str(&t, ": ");
    t.len += twz_fault_print(&end->fault, line + t.len, t.size - t.len);
    line[t.len] = '\n';
    (void)linux_write(2, line, t.len + 1);
}

/* The wait status of an end. */
static int status_of(const struct twz_program_end *end)
{
    if (end->by_fault)
        return twz_fault_signal(&end->fault) & 0x7f;
    if (end->code & PROCESS_MARK)
        return (int)(end->code & 0xff) << 8;
    return (int)TWZ_EXIT_SIGNAL(end->code) & 0x7f;
}

/* An ended child that matches, taken down unless `keep`: its pid and wait status. 0: none has
 * ended; -ECHILD: there is none. ops gets a sleep for each that lives. */
static int64_t collect(int64_t pid, int keep, int *status, struct twz_sync *ops, uint64_t *count)
{
    struct twz_program_end end;
    int64_t result = -ECHILD;

    *count = 0;
    lock_take(&lock);
    for (unsigned i = 0; i < CHILDREN; i++) {
        struct child *c = &children[i];

        if (!matches(c, pid))
            continue;
        result = 0;
        if (__atomic_load_n(&thread_of(c)->exit, __ATOMIC_ACQUIRE) == 0) {
            ops[(*count)++] = thread_sleep_on(&thread_of(c)->exit, 0);
            continue;
        }
        end = (struct twz_program_end){ .code = thread_of(c)->exit_code,
                                        .by_fault = thread_of(c)->exit_fault,
                                        .fault = thread_of(c)->fault };
        *status = status_of(&end);
        result = c->pid;
        if (keep)
            break;
        if (end.by_fault)
            report(c, &end);
        (void)!twz_program_wait(&c->process, 0, &end);
        given_sweep(&c->given);
        c->pid = 0;
        break;
    }
    lock_drop(&lock);
    return result;
}

static int64_t wait_for(int64_t pid, uint32_t options, int keep, int *status)
{
    struct twz_sync ops[CHILDREN + 1];
    uint64_t count;
    int64_t ret;

    for (;;) {
        ret = collect(pid, keep, status, ops, &count);
        if (ret != 0 || (options & WNOHANG))
            return ret;
        ret = thread_wait(ops, count, TWZ_FOREVER);
        if (ret < 0)
            return ret;
    }
}

int64_t linux_wait4(int64_t pid, void *status, uint32_t options, void *usage)
{
    int what = 0;
    int64_t ret = wait_for((int)pid, options, 0, &what);

    if (ret > 0 && status)
        *(int *)status = what;
    if (ret > 0 && usage)
        *(struct linux_rusage *)usage = (struct linux_rusage){ 0 };
    return ret;
}

int64_t linux_waitid(int64_t type, int64_t id, void *info, uint32_t options, void *usage)
{
    siginfo_t *si = info;
    int what = 0;
    int64_t ret;

    (void)usage;
    if (type != P_ALL && type != P_PID && type != P_PGID)
        return -EINVAL;
    ret = wait_for(type == P_PID ? (int)id : -1, options, (options & WNOWAIT) != 0, &what);
    if (ret < 0)
        return ret;
    if (!si)
        return 0;
    *si = (siginfo_t){ 0 };
    if (ret == 0)
        return 0;
    si->si_signo = SIGCHLD;
    si->si_pid = (int)ret;
    si->si_code = WIFSIGNALED(what) ? CLD_KILLED : CLD_EXITED;
    si->si_status = WIFSIGNALED(what) ? WTERMSIG(what) : WEXITSTATUS(what);
    return 0;
}

int64_t spawn_signal(int64_t pid, int64_t signo)
{
    int64_t ret = -ESRCH;

    lock_take(&lock);
    for (unsigned i = 0; i < CHILDREN && pid > 0; i++)
        if (children[i].pid == pid)
            ret =
                signo ? err_linux(twz_program_signal(&children[i].process, (uint64_t)signo, 0)) : 0;
    lock_drop(&lock);
    return ret;
}
