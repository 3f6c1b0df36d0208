/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const struct command_def command_defs[] = {
#define GROUP(title) { .kind = DEF_GROUP, .name = title },
#define COMMAND(n, a, lo, hi, arguments, summary) \
    { .kind = DEF_COMMAND,                        \
      .name = #n,                                 \
      .argument = arguments,                      \
      .help = summary,                            \
      .min = lo,                                  \
      .max = hi,                                  \
      .access = ACCESS_##a,                       \
      .run = cmd_##n },
#define ACTION(noun, verb, a, lo, hi, arguments, summary) \
    { .kind = DEF_COMMAND,                                \
      .name = #noun " " #verb,                            \
      .argument = arguments,                              \
      .help = summary,                                    \
      .min = lo,                                          \
      .max = hi,                                          \
      .access = ACCESS_##a,                               \
      .run = cmd_##noun##_##verb },
#define OPTION(a, l, n, arg, h) \
    { .kind = DEF_OPTION,       \
      .name = n,                \
      .argument = arg,          \
      .help = h,                \
      .letter = l,              \
      .access = ACCESS_##a },
#include "commands.def"
#undef GROUP
#undef COMMAND
#undef ACTION
#undef OPTION
};
const int command_def_count = (int)(sizeof(command_defs) / sizeof(command_defs[0]));

const struct command_def *command_find(const char *name)
{
    for (int i = 0; i < command_def_count; i++) {
        if (command_defs[i].kind == DEF_COMMAND && strcmp(command_defs[i].name, name) == 0)
            return &command_defs[i];
    }
    return NULL;
}

const struct command_def *command_match(int argc, char **argv, int *words)
{
    const struct command_def *def = command_find(argv[0]);
    char name[32];

    *words = 1;
    if (def || argc < 2)
        return def;
    *words = 2;
    snprintf(name, sizeof(name), "%s %s", argv[0], argv[1]);
    return command_find(name);
}

bool command_has_noun(const struct command_def *def, const char *noun)
{
    const char *blank = def->kind == DEF_COMMAND ? strchr(def->name, ' ') : NULL;

    if (!noun)
        return def->kind == DEF_COMMAND && !blank;
    return blank && strlen(noun) == (size_t)(blank - def->name) &&
           strncmp(noun, def->name, strlen(noun)) == 0;
}

int command_option_count(const struct command_def *command)
{
    int count = 0;
    const struct command_def *end = command_defs + command_def_count;

    while (command + 1 + count < end && command[1 + count].kind == DEF_OPTION)
        count++;
    return count;
}
