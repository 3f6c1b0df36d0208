/* SPDX-License-Identifier: MIT */
/* Help, version and the words for completion, all made from the table of commands. */
#ifndef HELP_H
#define HELP_H

/* The help of one command; NULL: the overview. */
void help_print(const char *command);
void help_version(void);

/* For completion, one a line: the options of one command; NULL: the commands. */
void help_words(const char *command);

#endif
