/* SPDX-License-Identifier: MIT */
/*
 * twz-run: boots twz on a pool and connects one program in it to this terminal. twz-run locks the
 * pool, and the machine inherits the lock. So the pool is locked while either of them lives.
 */
#define _GNU_SOURCE
#include "link.h"
#include "log.h"
#include "machine.h"
#include "options.h"
#include "report.h"
#include "terminal.h"

#include <pool_lock.h>
#include <twz/signal.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

static const int ending_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* Open /dev/null for each closed standard stream: the next open would reuse its number. */
static void open_missing_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            exit(EXIT_MACHINE);
    }
}

/* The kernel relative to this program's directory, in a built and in an installed tree. */
static const char *const kernel_places[] = { "../kernel/twz.elf", "../share/twz/twz.elf" };

static bool find_own_kernel(char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    self[n > 0 ? n : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < sizeof(kernel_places) / sizeof(*kernel_places); i++) {
        snprintf(path, size, "%s/%s", self, kernel_places[i]);
        if (access(path, R_OK) == 0)
            return true;
    }
    report_message("%s: no kernel in %s or %s: build it (./twz build), or name one with --kernel",
                   self, kernel_places[0], kernel_places[1]);
    return false;
}

/* The kernel's path: --kernel, or that of the tree in which this program lies. */
static int find_kernel(const struct options *o, char *path, size_t size)
{
    if (!o->kernel)
        return find_own_kernel(path, size) ? 0 : EXIT_MISSING;
    snprintf(path, size, "%s", o->kernel);
    if (access(path, R_OK) == 0)
        return 0;
    report_message("%s: %s: name another kernel with --kernel", path, strerror(errno));
    return EXIT_MISSING;
}

/* The message and exit code for a pool that cannot be opened; twz-obj has the same codes. */
static int report_unopened_pool(const char *pool, int host_errno)
{
    bool denied = host_errno == EACCES || host_errno == EPERM || host_errno == EROFS;

    report_message("%s: %s: %s", pool, strerror(host_errno),
                   denied ? "the machine writes its pool: make the file writable, or copy it"
                          : "make a pool with twz-obj mkpool, or name another file");
    return denied ? EXIT_DENIED : EXIT_MISSING;
}

/* Open, lock and measure the pool. Returns 0, or an exit code after a message. */
static int open_pool(const struct options *o, struct machine_parts *parts)
{
    int fd = open(o->pool, O_RDWR | O_CLOEXEC);
    struct stat st;
    char holder[200];
    int err;

    if (fd < 0 && errno != EISDIR)
        return report_unopened_pool(o->pool, errno);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        report_message("%s: not a regular file: name the file that twz-obj mkpool made", o->pool);
        return EXIT_DAMAGED;
    }
    if (st.st_size == 0 || st.st_size % PAGE) {
        report_message(
            "%s: %lld bytes are not whole pages: not a pool, or cut short: name another file",
            o->pool, (long long)st.st_size);
        return EXIT_DAMAGED;
    }
    err = pool_lock_acquire(fd, false, holder, sizeof(holder));
    if (err == POOL_LOCK_ERRNO) {
        report_message("%s: cannot be locked (%s): put the pool on a local disk", o->pool,
                       strerror(errno));
        return EXIT_BUSY;
    }
    if (err < 0) {
        report_message("%s: in use by %s: wait for it, or end it", o->pool, holder);
        return EXIT_BUSY;
    }
    parts->pool_fd = fd;
    parts->pool_size = (uint64_t)st.st_size;
    return 0;
}

/* Open the log and find the descriptor that the machine gets: standard error itself, or a pipe into
 * the bounded file. A file that is not a regular one, like a pipe or a terminal, is not bounded. */
static int open_log(const struct options *o, char *path, size_t size, struct log *log, int *fd)
{
    struct stat st;
    int file;

    path[0] = '\0';
    *log = (struct log){ .from = -1, .to = -1, .ended = true };
    *fd = STDERR_FILENO;
    if (o->show || (o->log && strcmp(o->log, "-") == 0))
        return 0;
    snprintf(path, size, o->log ? "%s" : "%s.log", o->log ? o->log : o->pool);
    file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0 || fstat(file, &st) < 0) {
        report_message("%s: %s: name another log with --log", path, strerror(errno));
        return EXIT_MISSING;
    }
    *fd = S_ISREG(st.st_mode) ? log_connect(log, file, o->log_size) : file;
    if (*fd >= 0)
        return 0;
    report_message("pipe: %s", strerror(errno));
    return EXIT_MACHINE;
}

static int block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGWINCH);
    for (size_t i = 0; i < sizeof(ending_signals) / sizeof(*ending_signals); i++)
        sigaddset(&set, ending_signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The exit code of a machine that ended before the program did; prints the reasons. */
static int report_end(const struct options *o, const struct link_result *r, const char *log)
{
    bool powered_off;
    int code = machine_end_code(r->wait_status, &powered_off);

    if (o->bare && powered_off)
        return 0;
    if (r->boot_timeout)
        report_message(
            "the guest did not come up within %u s: see its log (--boot-seconds waits longer)",
            o->boot_seconds);
    else
        report_message("the machine stopped before the program ended");
    if (log[0]) {
        bool nameless = strncmp(log, "/dev/fd/", 8) == 0;

        report_message("the end of the kernel's log%s%s:", nameless ? "" : ", ",
                       nameless ? "" : log);
        report_log_tail(log);
    }
    return code;
}

static int status_of_run(const struct options *o, const struct link_result *r, const char *log)
{
    if (r->stuck)
        report_message("the guest did not power off after the program ended: see its log");
    if (r->lost)
        report_message("output was lost: %s", strerror(r->lost));
    if (r->exited)
        return r->lost && r->status == 0 ? EXIT_LOST : r->status;
    if (r->left)
        return 0;
    if (r->signal)
        return (int)TWZ_EXIT_BY_SIGNAL((unsigned)r->signal);
    return report_end(o, r, log);
}

/* Find kernel, pool and log, start the machine, serve it until its end. */
static int run_machine(const struct options *o)
{
    char kernel[PATH_MAX + 32], log[PATH_MAX];
    struct machine_parts parts = { .kernel = kernel, .pool_fd = -1 };
    struct log file;
    int err = find_kernel(o, kernel, sizeof(kernel));
    int signals;
    struct machine m;
    bool prompt;
    struct link_result r;

    if (!err && o->pool)
        err = open_pool(o, &parts);
    if (!err)
        err = open_log(o, log, sizeof(log), &file, &parts.log_fd);
    if (err)
        return err;

    signals = block_signals();
    err = machine_start(o, &parts, &m);
    if (err || o->show)
        return err;
    if (o->gdb)
        report_message("waiting for a debugger: run gdb %s -ex 'target remote :1234'", kernel);
    prompt = !o->bare && o->program_count == 0;
    if (prompt && terminal_prepare())
        report_message("leave with exit or Ctrl-D; Ctrl-A X, or Ctrl-C twice, stops the machine");
    if (file.from >= 0)
        close(parts.log_fd); /* the log ends when the machine closes its copy */
    err = link_run(o, &m, &file, signals, &r);
    terminal_restore();
    return err ? err : status_of_run(o, &r, log);
}

int main(int argc, char **argv)
{
    struct options o;
    int code;

    open_missing_streams();
    code = options_parse(&o, argc, argv);
    return code >= 0 ? code : run_machine(&o);
}
