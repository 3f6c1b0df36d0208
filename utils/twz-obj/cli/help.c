/* SPDX-License-Identifier: MIT */
/* Help, version and the words for completion, all from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "command.h"

static const char global_help[] =
    "Everywhere:\n"
    "  --pool FILE   the pool (else the variable TWZ_POOL)\n"
    "  --json        {\"format\":1,\"objects\":[...]}    --jsonl   one object a line\n"
    "  --help        of a command or of all            --version\n"
    "\n"
    "OBJ is a path (/data/list), a glob ('/data/*'), or the first digits (4 or more) of an ID.\n"
    "Exit codes: 0 done, 1 no, 2 usage, 3 missing or ambiguous, 4 damaged or of another version,\n"
    "5 busy, 6 full, 7 denied.\n";

static void help_all(void)
{
    puts("usage: twz-obj [--pool FILE] COMMAND [option...] [operand...]\n"
         "Works on the objects in a pool file while nothing else uses it.");
    for (int i = 0; i < command_row_count; i++) {
        const struct row *row = &command_rows[i];
        if (row->kind == ROW_GROUP)
            printf("\n%s\n", row->name);
        if (row->kind != ROW_COMMAND)
            continue;
        char usage[64];
        snprintf(usage, sizeof(usage), "%s %s", row->name, row->argument);
        printf("  %-24s %s\n", usage, row->help);
    }
    printf("\n%s", global_help);
}

static void help_one(const struct row *command)
{
    const struct row *end = command_rows + command_row_count;
    const struct row *option = command + 1;
    bool any = option < end && option->kind == ROW_OPTION;
    printf("usage: twz-obj %s%s%s%s\n%s.\n", command->name, any ? " [option...]" : "",
           command->argument[0] ? " " : "", command->argument, command->help);
    if (any)
        putchar('\n');
    for (; option < end && option->kind == ROW_OPTION; option++) {
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

void help_print(const char *name)
{
    const struct row *command = name ? command_find(name) : NULL;
    if (command)
        help_one(command);
    else
        help_all();
}

void help_version(void)
{
    puts("twz-obj " TWZ_OBJ_VERSION);
}

void help_words(const char *name)
{
    const struct row *command = name ? command_find(name) : NULL;
    const struct row *end = command_rows + command_row_count;
    if (name && !command)
        return;
    if (!name) {
        for (const struct row *row = command_rows; row < end; row++) {
            if (row->kind == ROW_COMMAND)
                printf("%s %s\n", row->name, row->argument);
        }
        return;
    }
    for (const struct row *row = command + 1; row < end && row->kind == ROW_OPTION; row++)
        printf("--%s %s\n", row->name, row->argument);
    puts("--pool FILE\n--json \n--jsonl \n--help ");
}
