/* SPDX-License-Identifier: MIT */
/*
 * The command's terminal. It stays line-buffered with echo, as the host has it; at the prompt,
 * Ctrl-A also ends a line, so that Ctrl-A X can leave a guest that still reads.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TWZ_HOST_TTY_* bits of the standard streams. */
uint32_t terminal_bits(void);

/* Size of the terminal; 0 × 0 when there is none. */
void terminal_size(uint16_t *rows, uint16_t *cols);

/* Let Ctrl-A end a line, until terminal_restore(). False, and nothing, without a terminal. */
bool terminal_prepare(void);
void terminal_restore(void);

/* Whether `data`, just read from the prepared terminal, is Ctrl-A with X after it. */
bool terminal_is_leave(const unsigned char *data, size_t size);

#endif
