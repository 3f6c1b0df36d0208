/* SPDX-License-Identifier: MIT */
/*
 * Errors: one line on standard error, "twz-obj: PLACE: what: what to do", and the exit code that
 * goes with it. Every function here prints (unless it says otherwise) and returns the exit code, so
 * that a caller writes `return fail(...)`.
 */
#ifndef FAIL_H
#define FAIL_H

#include <stdint.h>

enum tool_exit {
    TOOL_OK = 0,
    TOOL_NO = 1, /* a negative answer: differs, exists already, refused */
    TOOL_USAGE = 2,
    TOOL_MISSING = 3, /* or ambiguous */
    TOOL_DAMAGED = 4, /* or of another version */
    TOOL_BUSY = 5,
    TOOL_FULL = 6,
    TOOL_DENIED = 7,
};

#define FAIL_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Text put before every message from now on ("line 12: "); NULL ends that. Kept by reference. */
void fail_prefix(const char *text);

int fail(enum tool_exit code, const char *format, ...) FAIL_PRINTF(2, 3);

/* A note that changes no exit code. */
void fail_warn(const char *format, ...) FAIL_PRINTF(1, 2);

/* A store's or libtwz's error (-TWZ_E...) about `subject`, with a remedy where one is known. */
int fail_twz(const char *subject, int64_t error);

/* A host error (errno as it stands) about `subject`. */
int fail_host(const char *subject);

/* The exit code alone; prints nothing. */
enum tool_exit fail_code(int64_t error);
enum tool_exit fail_code_host(int host_errno);

/* What to do about damage: twz-obj check, unless check itself said something else. The text is kept
 * by reference. */
void fail_damaged_todo_set(const char *text);
const char *fail_damaged_todo(void);

/* The text of -TWZ_E...; constant. */
const char *fail_text(int64_t error);

/* Of two exit codes of steps in a row: the first that was not TOOL_OK. */
int fail_first(int earlier, int later);

#endif
