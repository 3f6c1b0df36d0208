/* SPDX-License-Identifier: MIT */
/* Sizes, permissions and batch lines as the user writes them. Pure functions. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parse "4096", "0x1000", "64K", "1G" (powers of 1024). False: not a size, or too large. */
bool text_size(const char *text, uint64_t *value);

/* Parse letters of "rwxud" to TWZ_READ ...; "" gives none. False: another letter. */
bool text_perms(const char *text, uint32_t *perms);

/*
 * Split a line into words in place, as a shell does: blanks separate words, '...' and "..." and \
 * quote, # begins a comment. Returns the number of words; -1: a quote is not closed, -2: more than
 * max words.
 */
int text_words(char *line, char **word, int max);

#endif
