/* SPDX-License-Identifier: MIT */
/*
 * Errors: one line on standard error, "twz-obj: WHERE: WHAT: REMEDY", and the exit code that goes
 * with it. Every function here prints the line and returns the exit code, unless it says otherwise.
 * So a caller writes `return fail(...)`.
 */
#ifndef FAIL_H
#define FAIL_H

#include <stdint.h>

enum tool_exit {
    TOOL_OK = 0,
    TOOL_NO =
        1, /* a negative answer: objects differ, a name exists already, a request is refused */
    TOOL_USAGE = 2,
    TOOL_MISSING = 3, /* or ambiguous */
    TOOL_DAMAGED = 4, /* or of another version */
    TOOL_BUSY = 5,
    TOOL_FULL = 6,
    TOOL_DENIED = 7,
};

#define FAIL_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Put a text before every message ("line 12: "); NULL: none. The text must stay valid. */
void fail_prefix(const char *text);

int fail(enum tool_exit code, const char *format, ...) FAIL_PRINTF(2, 3);

/* A warning that changes no exit code. */
void fail_warn(const char *format, ...) FAIL_PRINTF(1, 2);

/* An error of the store or of libtwz (-TWZ_E*) about `subject`, with a remedy if there is one. */
int fail_twz(const char *subject, int64_t error);

/* The host error in errno, about `subject`. */
int fail_host(const char *subject);

/* The exit code alone; these print nothing. */
enum tool_exit fail_code(int64_t error);
enum tool_exit fail_code_host(int host_errno);

/* The remedy for damage: to run twz-obj check. check itself sets another one; the text must stay
 * valid. */
void fail_damaged_todo_set(const char *text);
const char *fail_damaged_todo(void);

/* The constant text of -TWZ_E*. */
const char *fail_text(int64_t error);

/* The exit code of two consecutive steps: the first that is not TOOL_OK. */
int fail_first(int earlier, int later);

#endif
