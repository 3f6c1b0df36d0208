/* SPDX-License-Identifier: MIT */
/*
 * The table of commands: commands.def as data.
 *
 * Each command is a function cmd_NAME(tool, args) that does the work and returns an exit code. A
 * command must print its results through out.h and its errors through fail.h. It must not end the
 * process: batch runs many commands on one open pool.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>

struct tool;
struct args;

enum command_access { ACCESS_NONE, ACCESS_OWN, ACCESS_READ, ACCESS_WRITE, ACCESS_BULK };
enum command_kind { DEF_GROUP, DEF_COMMAND, DEF_OPTION };

/* One line of commands.def. A command's options directly follow it. */
struct command_def {
    enum command_kind kind;
    const char *name;     /* of the group, command or option */
    const char *argument; /* operands of a command, argument of an option */
    const char *help;
    int letter;                 /* option: its letter or 0 */
    int min, max;               /* command: number of operands; max -1: any */
    enum command_access access; /* how the pool is opened; an option can only ask for more */
    int (*run)(struct tool *tool, const struct args *args);
};

extern const struct command_def command_defs[];
extern const int command_def_count;

/* The line of a command ("ls", "key new"), or NULL. */
const struct command_def *command_find(const char *name);

/* The same for the first words of a command line. *words: their number, 1 or 2. */
const struct command_def *command_match(int argc, char **argv, int *words);

/* Is the line of a command with this noun ("key")? NULL: of one without a noun. */
bool command_has_noun(const struct command_def *def, const char *noun);

/* The number of options of a command. */
int command_option_count(const struct command_def *command);

#define GROUP(title)
#define COMMAND(name, access, min, max, arguments, summary) \
    int cmd_##name(struct tool *tool, const struct args *args);
#define ACTION(noun, verb, access, min, max, arguments, summary) \
    int cmd_##noun##_##verb(struct tool *tool, const struct args *args);
#define OPTION(access, letter, name, argument, help)
#include "commands.def"
#undef GROUP
#undef COMMAND
#undef ACTION
#undef OPTION

#endif
