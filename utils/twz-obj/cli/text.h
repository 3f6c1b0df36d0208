/* SPDX-License-Identifier: MIT */
/* Numbers and letters as the user writes them. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "4096", "0x1000", "64K", "1G" (powers of 1024). False where it is none or too large. */
bool text_size(const char *text, uint64_t *value);

/* "rwxud" letters to TWZ_READ ...; "" is none. */
bool text_perms(const char *text, uint32_t *perms);

/*
 * Split a line into words in place, as a shell does: blanks part, '...' and "..." and \ quote, #
 * begins a comment. Returns their number; -1: a quote is not closed, -2: more than max.
 */
int text_words(char *line, char **word, int max);

#endif
