/* SPDX-License-Identifier: MIT */
/*
 * The machine: q35 for its NFIT, qboot instead of a full firmware, no default devices. The guest's
 * stores to the pool reach the host's page cache at once (share=on), so they survive the end of the
 * machine at any instant.
 */
#define _GNU_SOURCE
#include "machine.h"
#include "report.h"

#include <twz/hostlink.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 192
#define GIB      (1ull << 30)

struct args {
    char *v[ARGS_MAX + 1];
    unsigned n;
};

static const struct {
    const char *name;
    unsigned number;
} ports[PORT_COUNT] = {
    [PORT_CTL] = { TWZ_HOST_CTL_NAME, TWZ_HOST_CTL },
    [PORT_IN] = { TWZ_HOST_IN_NAME, TWZ_HOST_IN },
    [PORT_OUT] = { TWZ_HOST_OUT_NAME, TWZ_HOST_OUT },
    [PORT_ERR] = { TWZ_HOST_ERR_NAME, TWZ_HOST_ERR },
};

__attribute__((format(printf, 2, 3))) static void add_arg(struct args *a, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    if (a->n == ARGS_MAX || vasprintf(&a->v[a->n], format, list) < 0) {
        report_message("out of memory");
        exit(EXIT_MACHINE);
    }
    a->n++;
    va_end(list);
}

/* Add each of the words, separated by single spaces, as an argument. */
static void add_words(struct args *a, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, " ");

        add_arg(a, "%.*s", (int)n, words);
        words += n + (words[n] == ' ');
    }
}

/* Double each comma, since a single comma ends a value for QEMU. The caller frees the result. */
static char *escape_commas(const char *s)
{
    char *copy = malloc(2 * strlen(s) + 1);
    char *d;

    if (!copy) {
        report_message("out of memory");
        exit(EXIT_MACHINE);
    }
    d = copy;
    for (; *s; s++) {
        *d++ = *s;
        if (*s == ',')
            *d++ = ',';
    }
    *d = '\0';
    return copy;
}

static void add_processor(struct args *a, const struct options *o)
{
    if (o->deterministic)
        add_words(a, "-cpu max,-erms,-fsrm -accel tcg,thread=single -icount shift=0,sleep=off "
                     "-seed 1 -rtc base=2026-01-01T00:00:00,clock=vm");
    else
        add_words(a, "-cpu max -accel tcg");
    add_words(a, "-smp");
    add_arg(a, "%u", o->cpus);
}

/* DRAM, and the pool as an NVDIMM. */
static void add_memory(struct args *a, const struct options *o, const struct machine_parts *parts)
{
    uint64_t most;
    char *path;

    add_words(a, "-m");
    if (parts->pool_fd < 0) {
        add_arg(a, "%lluK", (unsigned long long)(o->memory >> 10));
        return;
    }
    /* QEMU aligns memory slots to 1 GiB: leave 1 GiB on either side of the pool. */
    most = ((o->memory + parts->pool_size + GIB - 1) / GIB + 2) * GIB;
    add_arg(a, "%lluK,slots=2,maxmem=%lluK", (unsigned long long)(o->memory >> 10),
            (unsigned long long)(most >> 10));
    path = escape_commas(o->pool);
    add_words(a, "-object");
    add_arg(a, "memory-backend-file,id=nv0,share=on,mem-path=%s,size=%llu", path,
            (unsigned long long)parts->pool_size);
    free(path);
    add_words(a, "-device nvdimm,id=nvd0,memdev=nv0");
}

static void add_kernel(struct args *a, const struct options *o, const char *kernel)
{
    add_words(a, "-kernel");
    add_arg(a, "%s", kernel);
    if (!o->trace && !o->append)
        return;
    add_words(a, "-append");
    add_arg(a, "%s%s%s%s", o->trace ? "trace=" : "", o->trace ? o->trace : "",
            o->trace && o->append ? " " : "", o->append ? o->append : "");
}

/* Without ioeventfd the device works at the guest's notification: the same order in every run. */
static void add_link(struct args *a, const struct options *o, const int *machine_ends)
{
    add_words(a, "-device");
    add_arg(a, "virtio-serial-pci,id=link%s", o->deterministic ? ",ioeventfd=off" : "");
    for (int i = 0; i < PORT_COUNT; i++) {
        add_words(a, "-chardev");
        add_arg(a, "socket,id=%s,fd=%d", ports[i].name, machine_ends[i]);
        add_words(a, "-device");
        add_arg(a, "virtserialport,bus=link.0,nr=%u,chardev=%s,name=%s", ports[i].number,
                ports[i].name, ports[i].name);
    }
}

static void build_args(struct args *a, const struct options *o, const struct machine_parts *parts,
                       const int *machine_ends)
{
    add_arg(a, "%s", o->qemu);
    add_words(a, "-machine q35,nvdimm=on -bios qboot.rom -nodefaults -no-user-config -display none "
                 "-no-reboot");
    add_processor(a, o);
    add_memory(a, o, parts);
    add_kernel(a, o, parts->kernel);
    add_words(a, "-chardev stdio,id=log,signal=off -serial chardev:log");
    add_words(a, "-device");
    add_arg(a, "isa-debug-exit,iobase=0x%x,iosize=4", TWZ_HOST_STOP_PORT);
    if (!o->bare)
        add_link(a, o, machine_ends);
    if (o->gdb)
        add_words(a, "-gdb tcp:127.0.0.1:1234 -S");
    for (uint32_t i = 0; i < o->machine_arg_count; i++)
        add_arg(a, "%s", o->machine_args[i]);
}

static void keep_over_exec(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

/* In the new process: become the machine, or write errno to `failure`. */
__attribute__((noreturn)) static void exec_machine(char **argv, const int *machine_ends,
                                                   const struct machine_parts *parts, pid_t parent,
                                                   int failure)
{
    sigset_t none;
    int null;
    int error;
    ssize_t written;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_MACHINE);
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);

    null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(parts->log_fd, STDOUT_FILENO);
    dup2(parts->log_fd, STDERR_FILENO);
    if (null > STDERR_FILENO)
        close(null);
    for (int i = 0; i < PORT_COUNT; i++)
        keep_over_exec(machine_ends[i]);
    keep_over_exec(parts->pool_fd);

    execvp(argv[0], argv);
    error = errno;
    written = write(failure, &error, sizeof(error));
    _exit(written < 0 ? EXIT_MACHINE : EXIT_MISSING);
}

/* The errno of a failed exec; 0: exec succeeded and closed the descriptor. */
static int exec_error(int failure)
{
    int error = 0;
    ssize_t n;

    do {
        n = read(failure, &error, sizeof(error));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(error) ? error : 0;
}

/* Start the machine's process and wait until its exec succeeded or failed. */
static int spawn_machine(char **argv, const int *machine_ends, const struct machine_parts *parts,
                         pid_t *pid)
{
    int failure[2];
    pid_t parent;
    int error;

    if (pipe2(failure, O_CLOEXEC) < 0) {
        report_message("pipe: %s", strerror(errno));
        return EXIT_MACHINE;
    }
    parent = getpid();
    *pid = fork();
    if (*pid == 0)
        exec_machine(argv, machine_ends, parts, parent, failure[1]);
    close(failure[1]);
    error = *pid < 0 ? errno : exec_error(failure[0]);
    close(failure[0]);
    if (*pid < 0) {
        report_message("fork: %s", strerror(error));
        return EXIT_MACHINE;
    }
    if (error) {
        waitpid(*pid, NULL, 0);
        report_message("%s: %s: install qemu-system-x86, or name another with --qemu", argv[0],
                       strerror(error));
        return EXIT_MISSING;
    }
    return 0;
}

static int open_ports(int *ours, int *theirs)
{
    for (int i = 0; i < PORT_COUNT; i++) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
            report_message("socketpair: %s", strerror(errno));
            return EXIT_MACHINE;
        }
        ours[i] = pair[0];
        theirs[i] = pair[1];
        fcntl(ours[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

static void print_command(char **argv)
{
    for (; *argv; argv++) {
        const char *quote = strpbrk(*argv, " ()") ? "'" : "";

        printf("%s%s%s%c", quote, *argv, quote, argv[1] ? ' ' : '\n');
    }
}

int machine_start(const struct options *o, const struct machine_parts *parts, struct machine *m)
{
    int theirs[PORT_COUNT];
    int err;
    struct args a = { .n = 0 };

    for (int i = 0; i < PORT_COUNT; i++)
        theirs[i] = m->port[i] = -1;
    err = o->bare ? 0 : open_ports(m->port, theirs);
    if (err)
        return err;

    build_args(&a, o, parts, theirs);
    if (o->show)
        print_command(a.v);
    else
        err = spawn_machine(a.v, theirs, parts, &m->pid);
    for (unsigned i = 0; i < a.n; i++)
        free(a.v[i]);
    for (int i = 0; i < PORT_COUNT; i++) {
        if (theirs[i] >= 0)
            close(theirs[i]);
    }
    return err;
}

void machine_kill(const struct machine *m)
{
    kill(m->pid, SIGKILL);
}

int machine_end_code(int status, bool *powered_off)
{
    *powered_off = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    /* The debug-exit device ends QEMU with 2 × code + 1; QEMU itself uses 1 for its own errors. */
    if (WIFEXITED(status) && (WEXITSTATUS(status) & 1) && WEXITSTATUS(status) > 1)
        return WEXITSTATUS(status) >> 1;
    return EXIT_MACHINE;
}
