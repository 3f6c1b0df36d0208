/* SPDX-License-Identifier: MIT */
/* Each message is one write, so that the program's own output cannot part it. */
#define _GNU_SOURCE
#include "report.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TAIL_BYTES 4096
#define TAIL_LINES 15

void report_message(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    dprintf(STDERR_FILENO, "twz: run: %s\n", text);
}

void report_log_tail(const char *log_path)
{
    int fd = open(log_path, O_RDONLY | O_CLOEXEC);
    off_t size;
    off_t from;
    char text[TAIL_BYTES + 1];
    ssize_t n;
    char *start;
    char *save;

    if (fd < 0)
        return;
    size = lseek(fd, 0, SEEK_END);
    from = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
    n = pread(fd, text, TAIL_BYTES, from);
    close(fd);
    if (n <= 0)
        return;
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n] = '\0';

    start = text + n;
    for (int lines = 0; start > text; start--) {
        if (start[-1] == '\n' && ++lines == TAIL_LINES)
            break;
    }
    for (char *line = strtok_r(start, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
        dprintf(STDERR_FILENO, "    | %s\n", line);
}
