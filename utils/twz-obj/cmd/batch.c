/* SPDX-License-Identifier: MIT */
/* batch: runs command lines from a file or standard input on one open pool. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "pool.h"
#include "text.h"

#define WORDS_MAX 256

static int run_line(struct tool *tool, char *line)
{
    char *word[WORDS_MAX + 1];
    int count = text_words(line, word, WORDS_MAX);

    if (count == -1)
        return fail(TOOL_USAGE, "a quote is not closed");
    if (count == -2)
        return fail(TOOL_USAGE, "more than %d words: part the line", WORDS_MAX);
    if (count == 0)
        return TOOL_OK;
    word[count] = NULL;
    return command_run(tool, count, word);
}

static int run_lines(struct tool *tool, FILE *in, const char *name, bool keep_going)
{
    char prefix[320] = "";
    char *line = NULL;
    size_t room = 0;
    int err = TOOL_OK;

    fail_prefix(prefix);
    for (unsigned long number = 1; getline(&line, &room, in) >= 0; number++) {
        snprintf(prefix, sizeof(prefix), "%.250s, line %lu: ", name, number);
        err = fail_first(err, run_line(tool, line));
        if (err != TOOL_OK && !keep_going)
            break;
    }
    fail_prefix(NULL);
    free(line);
    return err;
}

int cmd_batch(struct tool *tool, const struct args *args)
{
    bool named = args->argc > 0 && strcmp(args->argv[0], "-") != 0;
    const char *name = named ? args->argv[0] : "standard input";
    FILE *in = named ? fopen(name, "re") : stdin;
    int err;

    if (!in)
        return fail_host(name);
    if (args_flag(args, "sync"))
        pool_file_sync_each(tool->pool);
    tool->batch = true;
    err = run_lines(tool, in, name, args_flag(args, "keep-going"));
    tool->batch = false;
    if (ferror(in))
        err = fail_first(err, fail_host(name));
    if (named)
        fclose(in);
    return err;
}
