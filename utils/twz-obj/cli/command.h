/* SPDX-License-Identifier: MIT */
/* One command line: its arguments parsed, its pool opened, its command run. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "commands.h"
#include "fail.h"

struct pool;

/* The state of this process; commands pass it on. */
struct tool {
    struct pool *pool;     /* open, or NULL */
    const char *pool_path; /* --pool, else TWZ_POOL, else NULL */
    bool batch;            /* inside batch */
};

#define ARGS_OPTIONS 12
struct args {
    const struct command_def *command;
    const char *value[ARGS_OPTIONS]; /* of the i-th option: argument, "", or NULL: not given */
    int argc;                        /* operands */
    char **argv;
};

/* The argument of an option, by its long name: "" if it takes none, NULL if it was not given. */
const char *args_option(const struct args *args, const char *name);

/* Was the option given? */
bool args_flag(const struct args *args, const char *name);

/* Parse a command line that begins with the command's name, open the pool as the command's access
 * says, and run the command. Returns the exit code. */
int command_run(struct tool *tool, int argc, char **argv);

/* The pool's path, or NULL after an error message. */
const char *command_pool_path(const struct tool *tool);

#endif
