/* SPDX-License-Identifier: MIT */
/*
 * What a command is: a function cmd_NAME(tool, args) that does the work and returns an exit code.
 * It prints results through out.h and errors through fail.h, and never ends the process, so that
 * batch can run it many times on one open pool.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"

struct pool;

/* One for each process; commands pass it on. */
struct tool {
    struct pool *pool;     /* open, or NULL */
    const char *pool_path; /* --pool, else TWZ_POOL, else NULL */
    bool batch;            /* inside batch */
};

enum command_access { ACCESS_NONE, ACCESS_OWN, ACCESS_LOOK, ACCESS_CHANGE, ACCESS_BULK };
enum row_kind { ROW_GROUP, ROW_COMMAND, ROW_OPTION };

struct args;

/* One line of commands.def. A command's options are the rows behind it. */
struct row {
    enum row_kind kind;
    const char *name;     /* of group, command or option */
    const char *argument; /* operands of a command, argument of an option */
    const char *help;
    int letter;                 /* option: its letter or 0 */
    int min, max;               /* command: operands */
    enum command_access access; /* the pool is opened so; an option can only ask for more */
    int (*run)(struct tool *tool, const struct args *args);
};

extern const struct row command_rows[];
extern const int command_row_count;

/* The row of a command, or NULL. */
const struct row *command_find(const char *name);

#define ARGS_OPTIONS 8
struct args {
    const struct row *command;
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

/* help.c: the texts made from the table. `command` NULL: the overview. */
void help_print(const char *command);
void help_version(void);
/* For completion: command names, or the options of one; one a line. */
void help_words(const char *command);

#define GROUP(title)
#define COMMAND(name, access, min, max, arguments, summary) \
    int cmd_##name(struct tool *tool, const struct args *args);
#define OPTION(access, letter, name, argument, help)
#include "commands.def"
#undef GROUP
#undef COMMAND
#undef OPTION

#endif
