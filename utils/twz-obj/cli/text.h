/* SPDX-License-Identifier: MIT */
/* Sizes, permissions and batch lines as the user writes them. Pure functions. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twz/types.h>

/* Parse "4096", "0x1000", "64K", "1G" (powers of 1024). False: not a size, or too large. */
bool text_size(const char *text, uint64_t *value);

/* Parse a time in seconds since 1970: "1700000000", or "+90s", "+5m", "+1h", "+30d" from `now` on.
 * False: not a time, or too late. */
bool text_time(const char *text, uint64_t now, uint64_t *value);

/* Parse the 32 digits of an ID, also with a colon after the 16th. False: not all of an ID. */
bool text_objid(const char *text, objid_t *id);

/* Parse letters of "rwxud" to TWZ_READ ...; "" gives none. False: another letter. */
bool text_perms(const char *text, uint32_t *perms);

/*
 * Split a line into words in place, as a shell does: blanks separate words, '...' and "..." and \
 * quote, # begins a comment. Returns the number of words; -1: a quote is not closed, -2: more than
 * max words.
 */
int text_words(char *line, char **word, int max);

#endif
