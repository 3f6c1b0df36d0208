/* SPDX-License-Identifier: MIT */
/* twz-obj: shows and changes a pool file from the host. This file parses the global options. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "help.h"
#include "host_fault.h"
#include "out.h"

enum { MAIN_POOL = 256, MAIN_JSON, MAIN_JSONL, MAIN_HELP, MAIN_VERSION, MAIN_WORDS };

/* Parse the options before the command. TOOL_OK: the command is argv[*next]; -1: all is done; else
 * an exit code after a message. */
static int parse_global_options(struct tool *tool, int argc, char **argv, int *next)
{
    static const struct option list[] = {
        { "pool", required_argument, NULL, MAIN_POOL },
        { "json", no_argument, NULL, MAIN_JSON },
        { "jsonl", no_argument, NULL, MAIN_JSONL },
        { "help", no_argument, NULL, MAIN_HELP },
        { "version", no_argument, NULL, MAIN_VERSION },
        { "words", optional_argument, NULL, MAIN_WORDS },
        { 0 },
    };
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, "+:", list, NULL)) != -1) {
        switch (c) {
        case MAIN_POOL: tool->pool_path = optarg; break;
        case MAIN_JSON: out_mode_set(OUT_JSON); break;
        case MAIN_JSONL: out_mode_set(OUT_JSONL); break;
        case MAIN_HELP: help_print(optind < argc ? argv[optind] : NULL); return -1;
        case MAIN_VERSION: help_version(); return -1;
        case MAIN_WORDS: help_words(optarg); return -1;
        default:
            return fail(TOOL_USAGE, "%s: %s: see 'twz-obj --help'", argv[optind - 1],
                        c == ':' ? "needs an argument" : "no such option");
        }
    }
    *next = optind;
    return TOOL_OK;
}

/* Give a standard stream that the caller closed a descriptor that can neither be read nor written:
 * the pool must never be opened under one of these numbers. */
static void keep_stream_numbers(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_PATH);
    }
}

int main(int argc, char **argv)
{
    static char buffer[1 << 16];
    const char *path;
    struct tool tool;
    int next = 0;
    int err;

    keep_stream_numbers();
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    path = getenv("TWZ_POOL");
    tool = (struct tool){ .pool_path = path && *path ? path : NULL };
    err = parse_global_options(&tool, argc, argv, &next);
    if (err < 0)
        return fflush(stdout) == 0 ? TOOL_OK : fail_host("standard output");
    if (err != TOOL_OK)
        return err;
    if (next >= argc) {
        help_print(NULL);
        fflush(stdout);
        return TOOL_USAGE;
    }
    host_fault_catch();
    err = command_run(&tool, argc - next, argv + next);
    return fail_first(err, out_close());
}
