/* SPDX-License-Identifier: MIT */
/* Functions that parse an option return -1 to go on, or an exit code. */
#define _GNU_SOURCE
#include "options.h"
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPT_POOL = 256,
    OPT_KERNEL,
    OPT_QEMU,
    OPT_LOG,
    OPT_LOG_SIZE,
    OPT_TRACE,
    OPT_APPEND,
    OPT_CPUS,
    OPT_MEMORY,
    OPT_BOOT_SECONDS,
    OPT_DETERMINISTIC,
    OPT_GDB,
    OPT_BARE,
    OPT_SHOW,
    OPT_ENV,
    OPT_MACHINE_ARG,
    OPT_HELP
};

static const struct option table[] = {
    { "pool", required_argument, NULL, OPT_POOL },
    { "kernel", required_argument, NULL, OPT_KERNEL },
    { "qemu", required_argument, NULL, OPT_QEMU },
    { "log", required_argument, NULL, OPT_LOG },
    { "log-size", required_argument, NULL, OPT_LOG_SIZE },
    { "trace", required_argument, NULL, OPT_TRACE },
    { "append", required_argument, NULL, OPT_APPEND },
    { "cpus", required_argument, NULL, OPT_CPUS },
    { "memory", required_argument, NULL, OPT_MEMORY },
    { "boot-seconds", required_argument, NULL, OPT_BOOT_SECONDS },
    { "deterministic", no_argument, NULL, OPT_DETERMINISTIC },
    { "gdb", no_argument, NULL, OPT_GDB },
    { "bare", no_argument, NULL, OPT_BARE },
    { "show", no_argument, NULL, OPT_SHOW },
    { "env", required_argument, NULL, OPT_ENV },
    { "machine-arg", required_argument, NULL, OPT_MACHINE_ARG },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

static const char help[] =
    "usage: twz-run [options] [-- PROGRAM ARG...]\n"
    "Boots twz on a pool and runs PROGRAM in it; without PROGRAM, a prompt. Standard input, "
    "output\n"
    "and error are the program's own; the exit status is the program's.\n"
    "\n"
    "  --pool FILE       the persistent memory, made by twz-obj mkpool; only --bare needs none\n"
    "  --kernel FILE     the kernel (default: that of the same built or installed tree)\n"
    "  --log FILE        the kernel's log, - is standard error (default: beside the pool)\n"
    "  --log-size N[KMG] the log's file keeps the newest N bytes or half of them (default 16M)\n"
    "  --cpus N          number of cores (default 2)\n"
    "  --memory N[KMG]   size of the DRAM (default 512M)\n"
    "  --env NAME=VALUE  a variable for the program; may be repeated\n"
    "  --trace LIST      events to log: a list of call, fault, linux\n"
    "  --append WORDS    more words for the kernel's command line\n"
    "  --deterministic   one core, time counted in instructions: the same in every run\n"
    "  --gdb             wait for a debugger on port 1234\n"
    "  --bare            no program: for a kernel that runs its own tests\n"
    "  --boot-seconds N  give up if the guest has not started by then (default 120, 0: never)\n"
    "  --qemu FILE       the emulator (default qemu-system-x86_64)\n"
    "  --machine-arg ARG one more argument for the emulator; may be repeated\n"
    "  --show            print the emulator's command and exit\n"
    "\n"
    "Exit status: the program's; 1 output lost, 2 wrong use, 3 a file is missing, 4 pool damaged,\n"
    "5 pool in use, 7 pool not writable, 125 the machine stopped before the program did,\n"
    "128 + signal.\n";

static int report_bad_value(const char *option, const char *value, const char *wanted)
{
    report_message("--%s %s: %s", option, value, wanted);
    return 2;
}

static bool parse_count(const char *s, uint64_t max, uint64_t *value)
{
    char *end;
    unsigned long long n;

    errno = 0;
    if (!isdigit((unsigned char)*s))
        return false;
    n = strtoull(s, &end, 10);
    if (errno || *end || n > max)
        return false;
    *value = n;
    return true;
}

/* A number with or without K, M or G. */
static bool parse_size(const char *s, uint64_t *bytes)
{
    size_t len = strlen(s);
    char digits[24];
    unsigned shift = 0;
    uint64_t n;

    if (len == 0 || len >= sizeof(digits))
        return false;
    memcpy(digits, s, len + 1);

    switch (digits[len - 1]) {
    case 'K':
    case 'k': shift = 10; break;
    case 'M':
    case 'm': shift = 20; break;
    case 'G':
    case 'g': shift = 30; break;
    default: break;
    }
    if (shift)
        digits[len - 1] = '\0';
    if (!parse_count(digits, UINT64_MAX >> shift, &n))
        return false;
    *bytes = n << shift;
    return true;
}

/* --cpus, --boot-seconds, --log-size or --memory. */
static int parse_number_option(struct options *o, int option, const char *value)
{
    uint64_t n = 0;

    switch (option) {
    case OPT_CPUS:
        if (!parse_count(value, 64, &n) || n == 0)
            return report_bad_value("cpus", value, "give a number from 1 to 64");
        o->cpus = (uint32_t)n;
        return -1;
    case OPT_BOOT_SECONDS:
        if (!parse_count(value, 1000000, &n))
            return report_bad_value("boot-seconds", value, "give a number");
        o->boot_seconds = (uint32_t)n;
        return -1;
    case OPT_LOG_SIZE:
        if (!parse_size(value, &n) || n < 64u << 10 || n > 1ull << 40)
            return report_bad_value("log-size", value, "give a size from 64K on, like 16M");
        o->log_size = n;
        return -1;
    default:
        if (!parse_size(value, &n) || n < 16u << 20 || n > 1ull << 40)
            return report_bad_value("memory", value, "give a size from 16M on, like 512M");
        o->memory = n;
        return -1;
    }
}

static int parse_list_option(struct options *o, int option, char *value)
{
    uint32_t *count = option == OPT_ENV ? &o->env_count : &o->machine_arg_count;

    if (*count == OPTIONS_LIST_MAX)
        return report_bad_value(option == OPT_ENV ? "env" : "machine-arg", value,
                                "too many: at most 64");
    if (option == OPT_ENV && !strchr(value, '='))
        return report_bad_value("env", value, "give NAME=VALUE");
    if (option == OPT_ENV)
        o->env[(*count)++] = value;
    else
        o->machine_args[(*count)++] = value;
    return -1;
}

/* The kernel gets the list on its command line, programs in their environment: libtwix reads
 * `linux` there. */
static int parse_trace(struct options *o, char *value)
{
    static const char *const known[] = { "call", "fault", "linux" };
    static char env[sizeof("TWZ_TRACE=") + 64];

    for (const char *at = value; *at;) {
        size_t len = strcspn(at, ",");
        unsigned i = 0;

        while (i < sizeof(known) / sizeof(known[0]) &&
               (strlen(known[i]) != len || strncmp(known[i], at, len) != 0))
            i++;
        if (i == sizeof(known) / sizeof(known[0]))
            return report_bad_value("trace", value, "give a list of call, fault, linux");
        at += len + (at[len] == ',');
    }
    if ((size_t)snprintf(env, sizeof(env), "TWZ_TRACE=%s", value) >= sizeof(env))
        return report_bad_value("trace", value, "name each once");
    o->trace = value;
    return parse_list_option(o, OPT_ENV, env);
}

static int parse_flag(struct options *o, int option)
{
    switch (option) {
    case OPT_DETERMINISTIC: o->deterministic = true; return -1;
    case OPT_GDB: o->gdb = true; return -1;
    case OPT_BARE: o->bare = true; return -1;
    case OPT_SHOW: o->show = true; return -1;
    case OPT_HELP: fputs(help, stdout); return 0;
    default: report_message("see twz-run --help"); return 2;
    }
}

static int parse_option(struct options *o, int option, char *value)
{
    switch (option) {
    case OPT_POOL: o->pool = value; return -1;
    case OPT_KERNEL: o->kernel = value; return -1;
    case OPT_QEMU: o->qemu = value; return -1;
    case OPT_LOG: o->log = value; return -1;
    case OPT_TRACE: return parse_trace(o, value);
    case OPT_APPEND: o->append = value; return -1;
    case OPT_CPUS:
    case OPT_MEMORY:
    case OPT_LOG_SIZE:
    case OPT_BOOT_SECONDS: return parse_number_option(o, option, value);
    case OPT_ENV:
    case OPT_MACHINE_ARG: return parse_list_option(o, option, value);
    default: return parse_flag(o, option);
    }
}

int options_parse(struct options *o, int argc, char **argv)
{
    int option;

    *o = (struct options){ .qemu = "qemu-system-x86_64", .memory = 512u << 20 };
    o->boot_seconds = 120;
    o->log_size = 16u << 20;
    while ((option = getopt_long(argc, argv, "+", table, NULL)) != -1) {
        int code = parse_option(o, option, optarg);

        if (code >= 0)
            return code;
    }
    if (o->deterministic && o->cpus > 1)
        return report_bad_value("cpus", "with --deterministic",
                                "only one core can be repeated exactly");
    if (o->cpus == 0)
        o->cpus = o->deterministic ? 1 : 2;
    o->program = argv + optind;
    o->program_count = (uint32_t)(argc - optind);
    if (o->bare && o->program_count) {
        report_message("--bare runs no program: leave PROGRAM out");
        return 2;
    }
    if (!o->pool && !o->bare) {
        report_message("no pool: give --pool FILE (twz-obj mkpool makes one), or --bare");
        return 2;
    }
    if (!o->log && !o->pool)
        o->log = "-";
    return -1;
}
