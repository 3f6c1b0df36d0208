/* SPDX-License-Identifier: MIT */
/* Messages and exit status of the small tools; each tool is one file and one program. */
#ifndef GUEST_TOOL_H
#define GUEST_TOOL_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int status; /* exit status: 1 after the first error */

/* Print "tool: what: reason" and set the status. */
static inline void report_errno(const char *tool, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", tool, what, strerror(errno));
    status = 1;
}

/* Print the usage; returns the exit status of wrong use. */
static inline int report_usage(const char *text)
{
    fprintf(stderr, "Usage: %s\n", text);
    return 2;
}

/* Are both the same file? If so, print a message and set the status. */
static inline bool report_same_file(const char *tool, const char *from, const struct stat *a,
                                    const char *to, const struct stat *b)
{
    if (a->st_dev != b->st_dev || a->st_ino != b->st_ino)
        return false;
    fprintf(stderr, "%s: %s and %s are the same file\n", tool, from, to);
    status = 1;
    return true;
}

/* The last name of a path. */
static inline const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

/* Set buf to dir, "/" and the last name of `from`. 0, or -1 with ENAMETOOLONG. */
static inline int path_in(char *buf, size_t size, const char *dir, const char *from)
{
    if ((size_t)snprintf(buf, size, "%s/%s", dir, last_part(from)) < size)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

#endif
