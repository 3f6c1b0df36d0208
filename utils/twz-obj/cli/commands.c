/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stddef.h>
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

int command_option_count(const struct command_def *command)
{
    int count = 0;
    const struct command_def *end = command_defs + command_def_count;

    while (command + 1 + count < end && command[1 + count].kind == DEF_OPTION)
        count++;
    return count;
}
