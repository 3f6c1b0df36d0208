/* SPDX-License-Identifier: MIT */
#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <twz/error.h>

static const char *prefix = "";
static const char *damaged_todo = "run 'twz-obj check' to list the damage";

void fail_prefix(const char *text)
{
    prefix = text ? text : "";
}

void fail_damaged_todo_set(const char *text)
{
    damaged_todo = text;
}

const char *fail_damaged_todo(void)
{
    return damaged_todo;
}

static void print_failure(const char *format, va_list ap) FAIL_PRINTF(1, 0);
static void print_failure(const char *format, va_list ap)
{
    char text[2048];

    vsnprintf(text, sizeof(text), format, ap);
    /* Names of objects and files may hold any bytes; they must not control the terminal. */
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    }
    fflush(stdout);
    fprintf(stderr, "twz-obj: %s%s\n", prefix, text);
}

int fail(enum tool_exit code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    print_failure(format, ap);
    va_end(ap);
    return (int)code;
}

void fail_warn(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    print_failure(format, ap);
    va_end(ap);
}

const char *fail_text(int64_t error)
{
    switch (-error) {
#define TWZ_ERROR(name, number, text) \
    case number:                      \
        return text;
#include <twz/error.def>
#undef TWZ_ERROR
    default: return "unknown error";
    }
}

enum tool_exit fail_code(int64_t error)
{
    switch (-error) {
    case 0: return TOOL_OK;
    case TWZ_ENOOBJ:
    case TWZ_ENONAME:
    case TWZ_EDELETED: return TOOL_MISSING;
    case TWZ_EDAMAGED:
    case TWZ_EVERSION:
    case TWZ_ENOTPOOL:
    case TWZ_ESHORT:
    case TWZ_EMEMBER:
    case TWZ_EPOISON: return TOOL_DAMAGED;
    case TWZ_EBUSY: return TOOL_BUSY;
    case TWZ_ENOSPC:
    case TWZ_ENOMEM:
    case TWZ_EFULL: return TOOL_FULL;
    case TWZ_EDENIED: return TOOL_DENIED;
    case TWZ_EINVAL:
    case TWZ_ERANGE:
    case TWZ_ENAMELEN: return TOOL_USAGE;
    default: return TOOL_NO;
    }
}

enum tool_exit fail_code_host(int host_errno)
{
    switch (host_errno) {
    case ENOENT: return TOOL_MISSING;
    case EACCES:
    case EPERM:
    case EROFS: return TOOL_DENIED;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM: return TOOL_FULL;
    default: return TOOL_NO;
    }
}

/* The remedy for an error; NULL: there is none to name. */
static const char *remedy_for(int64_t error)
{
    switch (-error) {
    case TWZ_ENOSPC:
    case TWZ_EFULL: return "delete objects (lost, del) or make a larger pool";
    case TWZ_EDAMAGED:
    case TWZ_EPOISON: return damaged_todo;
    default: return NULL;
    }
}

int fail_twz(const char *subject, int64_t error)
{
    const char *todo = remedy_for(error);
    const char *full = error == -TWZ_ENOSPC ? "the pool is full: " : "";

    return fail(fail_code(error), "%s: %s%s%s%s", subject, full, fail_text(error), todo ? ": " : "",
                todo ? todo : "");
}

int fail_host(const char *subject)
{
    int code = errno;

    return fail(fail_code_host(code), "%s: %s", subject, strerror(code));
}

int fail_first(int earlier, int later)
{
    return earlier != TOOL_OK ? earlier : later;
}
