/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

static const char global_help[] =
    "Options of all commands:\n"
    "  --pool FILE   the pool (default: the variable TWZ_POOL)\n"
    "  --json        print {\"format\":1,\"objects\":[...]}\n"
    "  --jsonl       print one JSON object a line\n"
    "  --help        explain all commands, or one\n"
    "  --version     print the version\n"
    "\n"
    "OBJ is a path (/data/list), a glob ('/data/*'), or the first digits (4 or more) of an ID.\n"
    "Exit status: 0 done, 1 no, 2 wrong use, 3 missing or ambiguous, 4 damaged or of another\n"
    "version, 5 busy, 6 full, 7 denied.\n";

static void help_all(void)
{
    puts("usage: twz-obj [--pool FILE] COMMAND [option...] [operand...]\n"
         "Shows and changes the objects in a twz pool file, from the host.");
    for (int i = 0; i < command_def_count; i++) {
        const struct command_def *def = &command_defs[i];
        char usage[64];

        if (def->kind == DEF_GROUP)
            printf("\n%s\n", def->name);
        if (def->kind != DEF_COMMAND)
            continue;
        snprintf(usage, sizeof(usage), "%s %s", def->name, def->argument);
        printf("  %-24s %s\n", usage, def->help);
    }
    printf("\n%s", global_help);
}

/* The usage, the summary and the options of one command. */
static void help_one(const struct command_def *command)
{
    const struct command_def *end = command_defs + command_def_count;
    const struct command_def *option = command + 1;
    bool any = option < end && option->kind == DEF_OPTION;

    printf("usage: twz-obj %s%s%s%s\n%s.\n", command->name, any ? " [option...]" : "",
           command->argument[0] ? " " : "", command->argument, command->help);
    if (any)
        putchar('\n');
    for (; option < end && option->kind == DEF_OPTION; option++) {
        char form[48];

        snprintf(form, sizeof(form), "--%s%s%s", option->name, option->argument[0] ? " " : "",
                 option->argument);
        if (option->letter)
            printf("  -%c, %-16s %s\n", option->letter, form, option->help);
        else
            printf("      %-16s %s\n", form, option->help);
    }
    printf("\n%s", global_help);
}

/* The commands with this noun. False: there is none. */
static bool help_noun(const char *noun)
{
    bool any = false;

    for (int i = 0; i < command_def_count; i++) {
        const struct command_def *def = &command_defs[i];

        if (!command_has_noun(def, noun))
            continue;
        printf("%s twz-obj %s %s\n       %s.\n", any ? "      " : "usage:", def->name,
               def->argument, def->help);
        any = true;
    }
    if (any)
        printf("\n%s", global_help);
    return any;
}

void help_print(const char *name)
{
    const struct command_def *command = name ? command_find(name) : NULL;

    if (command)
        help_one(command);
    else if (!name || !help_noun(name))
        help_all();
}

void help_version(void)
{
    puts("twz-obj " TWZ_OBJ_VERSION);
}

void help_words(const char *name)
{
    const struct command_def *command = name ? command_find(name) : NULL;
    const struct command_def *end = command_defs + command_def_count;

    if (!command) {
        for (const struct command_def *def = command_defs; def < end; def++) {
            if (name ? command_has_noun(def, name) : def->kind == DEF_COMMAND)
                printf("%s %s\n", name ? strchr(def->name, ' ') + 1 : def->name, def->argument);
        }
        return;
    }
    for (const struct command_def *def = command + 1; def < end && def->kind == DEF_OPTION; def++)
        printf("--%s %s\n", def->name, def->argument);
    puts("--pool FILE\n--json \n--jsonl \n--help ");
}
