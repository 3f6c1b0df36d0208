/* SPDX-License-Identifier: MIT */
/* One command line: its arguments parsed, its pool opened, its command run. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "commands.h"
#include "fail.h"

struct pool;

/* One for each process; commands pass it on. */
struct tool {
    struct pool *pool;     /* open, or NULL */
    const char *pool_path; /* --pool, else TWZ_POOL, else NULL */
    bool batch;            /* inside batch */
};

#define ARGS_OPTIONS 8
struct args {
    const struct command_def *command;
    const char *value[ARGS_OPTIONS]; /* i-th option of the command: its argument, "" or NULL */
    int argc;                        /* operands */
    char **argv;
};

/* An option by its long name: NULL when it was not given, "" when it takes no argument. */
const char *args_option(const struct args *args, const char *name);
bool args_flag(const struct args *args, const char *name);

/* Parse argv[0] = command name ... and run it, opening the pool as its access says. */
int command_run(struct tool *tool, int argc, char **argv);

/* The pool's path, or NULL after an error message. */
const char *command_pool_path(const struct tool *tool);

#endif
