/* SPDX-License-Identifier: MIT */
/* A command line of words "key" or "key=value" between spaces; pure. */
#ifndef LIB_CMDLINE_H
#define LIB_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

/* The value of `key`, or NULL; its length in *len. A word without "=" has length 0. */
const char *cmdline_find(const char *line, const char *key, size_t *len);

/* True: `word` is one of the words that the commas of a value separate. */
bool cmdline_has_word(const char *value, size_t len, const char *word);

#endif
