/* SPDX-License-Identifier: MIT */
/*
 * Output of the conformance programs. Each program runs twice, on the host and in the system, in a
 * directory of its own, and prints the results of its calls. Both outputs must be equal. So a
 * program must not print a value that may differ: times, process numbers, addresses.
 */
#ifndef CONFORMANCE_SAY_H
#define CONFORMANCE_SAY_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static inline const char *error_name(int error)
{
#define NAME(e) \
    {           \
        e, #e   \
    }
    static const struct {
        int number;
        const char *name;
    } errors[] = {
        NAME(EPERM),   NAME(ENOENT),     NAME(EINTR),        NAME(EIO),     NAME(EBADF),
        NAME(ECHILD),  NAME(EAGAIN),     NAME(ENOMEM),       NAME(EACCES),  NAME(EFAULT),
        NAME(EBUSY),   NAME(EEXIST),     NAME(ENOTDIR),      NAME(EISDIR),  NAME(EINVAL),
        NAME(EMFILE),  NAME(ENOTTY),     NAME(EFBIG),        NAME(ENOSPC),  NAME(ESPIPE),
        NAME(EPIPE),   NAME(ERANGE),     NAME(ENAMETOOLONG), NAME(ENOSYS),  NAME(ENOTEMPTY),
        NAME(ELOOP),   NAME(EOVERFLOW),  NAME(ETIMEDOUT),    NAME(ENXIO),   NAME(ESRCH),
        NAME(ENOEXEC), NAME(EOPNOTSUPP), NAME(EDEADLK),      NAME(ETXTBSY),
    };
#undef NAME
    size_t i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (errors[i].number == error)
            return errors[i].name;
    return "another error";
}

/* Prints "what: result", or "what: EXYZ" if the result is -1. */
static inline void say(const char *what, long result)
{
    if (result == -1)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %ld\n", what, result);
}

/* Makes the call; prints its text and its result. */
#define SAY(call) say(#call, (long)(call))

/* Prints the condition's text and whether it holds. */
#define HOLDS(condition) printf("%s: %s\n", #condition, (condition) ? "yes" : "no")

#endif
