/* SPDX-License-Identifier: MIT */
/*
 * twz-run's terminal. The terminal stays line-buffered with echo. At the prompt Ctrl-A also ends a
 * line, so that Ctrl-A X can leave a guest that still reads.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TWZ_HOST_TTY_* bits of the standard streams. */
uint32_t terminal_bits(void);

/* The size of the terminal; 0 × 0: there is none. */
void terminal_size(uint16_t *rows, uint16_t *cols);

/* Let Ctrl-A end a line until terminal_restore(). False: there is no terminal. */
bool terminal_prepare(void);
void terminal_restore(void);

/* Does `data`, just read from the prepared terminal, end in Ctrl-A, and is the next key X? */
bool terminal_is_leave(const unsigned char *data, size_t size);

#endif
