/* SPDX-License-Identifier: MIT */
/*
 * Facts that a program may ask for about itself and the machine. There is one user, with ID 0; the
 * ID gives no privilege. Limits are those of this implementation; a program cannot change them.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <twz/call.h>
#include <twz/threads.h>

#include "base/err.h"
#include "base/linux.h"
#include "base/process.h"
#include "base/thread.h"
#include "base/times.h"
#include "file/device.h"
#include "file/fd.h"
#include "file/regular.h"

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003

int64_t linux_getpid(void)
{
    return process.pid;
}

int64_t linux_getppid(void)
{
    return process.ppid;
}

int64_t linux_getuid(void)
{
    return 0;
}

int64_t linux_getgid(void)
{
    return 0;
}

int64_t linux_geteuid(void)
{
    return 0;
}

int64_t linux_getegid(void)
{
    return 0;
}

int64_t linux_setuid(int64_t id)
{
    return id == 0 ? 0 : -EPERM;
}

int64_t linux_setgid(int64_t id)
{
    return id == 0 ? 0 : -EPERM;
}

int64_t linux_getgroups(int64_t count, void *list)
{
    if (count > 0)
        *(uint32_t *)list = 0;
    return count < 0 ? -EINVAL : 1;
}

/* Each process is its own group and its own session; there is no job control. */
int64_t linux_setpgid(int64_t pid, int64_t group)
{
    if (pid != 0 && pid != process.pid)
        return -ESRCH;
    return group == 0 || group == process.pid ? 0 : -EPERM;
}

int64_t linux_getpgid(int64_t pid)
{
    return pid == 0 || pid == process.pid ? process.pid : -ESRCH;
}

int64_t linux_getpgrp(void)
{
    return process.pid;
}

int64_t linux_setsid(void)
{
    return process.pid;
}

int64_t linux_getsid(int64_t pid)
{
    return linux_getpgid(pid);
}

static void copy_text(char *to, const char *text)
{
    while ((*to++ = *text++))
        ;
}

int64_t linux_uname(void *buf)
{
    struct utsname *u = buf;

    *u = (struct utsname){ .sysname = "" };
    copy_text(u->sysname, "twz");
    copy_text(u->nodename, "twz");
    copy_text(u->release, "5.0.0");
    copy_text(u->version, "twz libtwix");
    copy_text(u->machine, "x86_64");
    return 0;
}

int64_t linux_sysinfo(void *buf)
{
    const struct twz_system *system = process_system_now();
    struct linux_sysinfo *s = buf;

    *s = (struct linux_sysinfo){ 0 };
    s->uptime = (int64_t)(twz_clock() / TIMES_SECOND);
    s->totalram = system->memory;
    s->freeram = system->memory_free;
    s->procs = 1;
    s->mem_unit = 1;
    return 0;
}

/* --- limits and usage ------------------------------------------------------------------------- */

static struct rlimit limit_of(int64_t which)
{
    rlim_t n = RLIM_INFINITY;

    switch (which) {
    case RLIMIT_NOFILE: n = FD_MAX; break;
    case RLIMIT_STACK: n = process.args->stack_top - process.args->stack_low; break;
    case RLIMIT_FSIZE: n = REGULAR_MAX; break;
    case RLIMIT_NPROC: n = THREADS_MAX; break;
    case RLIMIT_CORE: n = 0; break;
    }
    return (struct rlimit){ n, n };
}

int64_t linux_getrlimit(int64_t which, void *limit)
{
    if (which < 0 || which >= RLIM_NLIMITS)
        return -EINVAL;
    *(struct rlimit *)limit = limit_of(which);
    return 0;
}

int64_t linux_setrlimit(int64_t which, const void *limit)
{
    const struct rlimit *want = limit;

    if (which < 0 || which >= RLIM_NLIMITS || want->rlim_cur > want->rlim_max)
        return -EINVAL;
    return want->rlim_max > limit_of(which).rlim_max ? -EPERM : 0;
}

int64_t linux_prlimit64(int64_t pid, int64_t which, const void *set, void *old)
{
    int64_t ret = 0;

    if (pid != 0 && pid != process.pid)
        return -ESRCH;
    if (old)
        ret = linux_getrlimit(which, old);
    return ret < 0 || !set ? ret : linux_setrlimit(which, set);
}

/* Reports the time since the process's start as user time, and 0 for children. All other fields are
 * 0. */
int64_t linux_getrusage(int64_t who, void *usage)
{
    struct linux_rusage *u = usage;
    struct timespec used = times_spec(who == RUSAGE_CHILDREN ? 0 : times_used());

    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != 1)
        return -EINVAL;
    *u = (struct linux_rusage){ 0 };
    u->user_sec = used.tv_sec;
    u->user_usec = used.tv_nsec / 1000;
    return 0;
}

/* --- random ----------------------------------------------------------------------------------- */

int64_t linux_getrandom(void *buf, uint64_t len, uint32_t flags)
{
    (void)flags;
    return random_ops.read(NULL, buf, len > INT32_MAX ? INT32_MAX : len, 0);
}

/* --- processors ------------------------------------------------------------------------------- */

int64_t linux_sched_getaffinity(int64_t tid, uint64_t len, void *mask)
{
    uint64_t cores = process_system()->cores;

    (void)tid;
    if (len < 8 || len % 8)
        return -EINVAL;
    *(uint64_t *)mask = cores >= 64 ? ~0ull : (1ull << cores) - 1;
    return 8;
}

int64_t linux_sched_setaffinity(int64_t tid, uint64_t len, const void *mask)
{
    (void)tid;
    return len < 8 || !(*(const uint64_t *)mask) ? -EINVAL : 0;
}

/* Weaker than Linux's membarrier. The fence orders only the caller's own accesses. No other core
 * executes a barrier, so another thread's load may still pass that thread's earlier store. QUERY
 * (0) reports no supported command; any other command returns 0. */
int64_t linux_membarrier(int64_t cmd, uint32_t flags)
{
    (void)flags;
    if (cmd != 0)
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return 0;
}

int64_t linux_arch_prctl(int64_t code, void *addr)
{
    switch (code) {
    case ARCH_SET_FS: __asm__ volatile("wrfsbase %0" : : "r"(addr)); return 0;
    case ARCH_GET_FS: __asm__ volatile("rdfsbase %0" : "=r"(*(uint64_t *)addr)); return 0;
    default: return code == ARCH_SET_GS ? -EPERM : -EINVAL;
    }
}

int64_t linux_prctl(int64_t op, int64_t a, int64_t b, int64_t c, int64_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return op == PR_SET_NAME ? 0 : -EINVAL;
}
