/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "out.h"
#include "pool.h"

const char *args_option(const struct args *args, const char *name)
{
    int count = command_option_count(args->command);

    for (int i = 0; i < count; i++) {
        if (strcmp(args->command[1 + i].name, name) == 0)
            return args->value[i];
    }
    return NULL;
}

bool args_flag(const struct args *args, const char *name)
{
    return args_option(args, name) != NULL;
}

const char *command_pool_path(const struct tool *tool)
{
    if (!tool->pool_path)
        fail(TOOL_USAGE, "no pool: give --pool FILE or set TWZ_POOL (mkpool makes a pool)");
    return tool->pool_path;
}

/* getopt's values of the options that every command has. The command's own options are numbered
 * from OWN_OPTION on. */
enum { GLOBAL_POOL = 256, GLOBAL_JSON, GLOBAL_JSONL, GLOBAL_HELP, OWN_OPTION };

struct option_set {
    struct option list[ARGS_OPTIONS + 5];
    char letters[2 * ARGS_OPTIONS + 2];
};

/* getopt's tables of a command: its own options, then the global ones. */
static void make_option_set(struct option_set *set, const struct command_def *command)
{
    static const struct option global[] = {
        { "pool", required_argument, NULL, GLOBAL_POOL },
        { "json", no_argument, NULL, GLOBAL_JSON },
        { "jsonl", no_argument, NULL, GLOBAL_JSONL },
        { "help", no_argument, NULL, GLOBAL_HELP },
    };
    int n = command_option_count(command);
    char *letter = set->letters;

    *letter++ = ':';
    for (int i = 0; i < n; i++) {
        const struct command_def *def = &command[1 + i];
        int argument = def->argument[0] ? required_argument : no_argument;

        set->list[i] = (struct option){ def->name, argument, NULL, OWN_OPTION + i };
        if (def->letter) {
            *letter++ = (char)def->letter;
            if (argument == required_argument)
                *letter++ = ':';
        }
    }
    *letter = '\0';
    memcpy(&set->list[n], global, sizeof(global));
    set->list[n + 4] = (struct option){ 0 };
}

/* The index of the command's option that getopt returned as `c`; -1: not one of its own. */
static int find_own_option(const struct command_def *command, int c)
{
    if (c >= OWN_OPTION)
        return c - OWN_OPTION;
    for (int i = 0; i < command_option_count(command); i++) {
        if (command[1 + i].letter == c)
            return i;
    }
    return -1;
}

static int fail_bad_option(const struct command_def *command, int c, char **argv)
{
    const char *what = c == ':' ? "needs an argument" : "no such option";
    const char *name = argv[optind - 1];
    char letter[3] = { '-', (char)optopt, '\0' };

    if (optopt > 0 && optopt < 256)
        name = letter;
    return fail(TOOL_USAGE, "%s: %s: %s: see 'twz-obj %s --help'", command->name, name, what,
                command->name);
}

/* 0 to go on, an exit code after a message, or -1 when help was printed. */
static int parse_args(struct tool *tool, const struct command_def *command, int argc, char **argv,
                      struct args *args)
{
    struct option_set set;
    int c;

    make_option_set(&set, command);
    *args = (struct args){ .command = command };
    optind = 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, set.letters, set.list, NULL)) != -1) {
        int own;

        switch (c) {
        case ':':
        case '?': return fail_bad_option(command, c, argv);
        case GLOBAL_HELP: help_print(command->name); return -1;
        case GLOBAL_POOL:
        case GLOBAL_JSON:
        case GLOBAL_JSONL:
            if (tool->batch)
                return fail(TOOL_USAGE, "%s: give --pool, --json and --jsonl before 'batch'",
                            command->name);
            if (c == GLOBAL_POOL)
                tool->pool_path = optarg;
            else
                out_mode_set(c == GLOBAL_JSON ? OUT_JSON : OUT_JSONL);
            break;
        default: own = find_own_option(command, c); args->value[own] = optarg ? optarg : "";
        }
    }
    args->argc = argc - optind;
    args->argv = argv + optind;
    if (args->argc < command->min || (command->max >= 0 && args->argc > command->max))
        return fail(TOOL_USAGE, "usage: twz-obj %s [options] %s", command->name, command->argument);
    return 0;
}

/* The highest access of the command and its given options. */
static enum command_access access_needed(const struct args *args)
{
    enum command_access access = args->command->access;

    for (int i = 0; i < command_option_count(args->command); i++) {
        if (args->value[i] && args->command[1 + i].access > access)
            access = args->command[1 + i].access;
    }
    return access;
}

/* Open the pool, run the command on it, close the pool. */
static int run_on_pool(struct tool *tool, const struct args *args, enum command_access access)
{
    const char *path = command_pool_path(tool);
    static const enum pool_mode mode[] = {
        [ACCESS_READ] = POOL_READ,
        [ACCESS_WRITE] = POOL_WRITE,
        [ACCESS_BULK] = POOL_BULK,
    };
    int err;

    if (!path)
        return TOOL_USAGE;
    err = pool_open(&tool->pool, path, mode[access]);
    if (err)
        return err;
    err = args->command->run(tool, args);
    err = fail_first(err, pool_close(tool->pool));
    tool->pool = NULL;
    return err;
}

/* The words are no command. TOOL_OK after help for a noun, else an exit code after a message. */
static int fail_no_command(int argc, char **argv)
{
    bool noun = false;

    for (int i = 0; i < command_def_count; i++)
        noun = noun || command_has_noun(&command_defs[i], argv[0]);
    if (noun && argc > 1 && strcmp(argv[1], "--help") == 0) {
        help_print(argv[0]);
        return TOOL_OK;
    }
    if (noun)
        return fail(TOOL_USAGE, "%s %s: no such command: see 'twz-obj %s --help'", argv[0],
                    argc > 1 ? argv[1] : "(nothing)", argv[0]);
    return fail(TOOL_USAGE, "%s: no such command: see 'twz-obj --help'", argv[0]);
}

int command_run(struct tool *tool, int argc, char **argv)
{
    int words;
    const struct command_def *command = command_match(argc, argv, &words);
    struct args args;
    int err;
    enum command_access access;
    bool own;

    if (!command)
        return fail_no_command(argc, argv);
    err = parse_args(tool, command, argc - words + 1, argv + words - 1, &args);
    if (err)
        return err < 0 ? TOOL_OK : err;
    access = access_needed(&args);
    own = access <= ACCESS_OWN;
    if (tool->batch && (own || command->run == cmd_batch))
        return fail(TOOL_USAGE, "%s: cannot be part of a batch: run it on its own", command->name);
    if (tool->batch || own)
        return command->run(tool, &args);
    return run_on_pool(tool, &args, access);
}
