/* SPDX-License-Identifier: MIT */
/* tee [-a] [FILE...]: copy standard input to standard output and to each file; -a appends. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

#define BUFFER_BYTES (256u << 10)

static char buf[BUFFER_BYTES];

struct output {
    const char *name;
    int fd; /* -1: given up after an error */
};

static void feed_output(struct output *out, size_t len)
{
    for (size_t done = 0; out->fd >= 0 && done < len;) {
        ssize_t n = write(out->fd, buf + done, len - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            report_errno("tee", out->name);
            out->fd = -1;
        }
    }
}

static void copy_input(struct output *out, int count)
{
    ssize_t n;

    while ((n = read(0, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            report_errno("tee", "standard input");
            return;
        }
        for (int i = 0; i < count; i++)
            feed_output(&out[i], (size_t)n);
    }
}

int main(int argc, char **argv)
{
    bool append = argc > 1 && !strcmp(argv[1], "-a");
    int flags = O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC);
    struct output *out = calloc((size_t)argc, sizeof(*out));
    int count = 1;

    if (!out) {
        report_errno("tee", "start");
        return status;
    }
    out[0] = (struct output){ "standard output", 1 };
    for (int i = 1 + append; i < argc; i++) {
        out[count] = (struct output){ argv[i], open(argv[i], flags, 0666) };
        if (out[count].fd < 0)
            report_errno("tee", argv[i]);
        count++;
    }
    copy_input(out, count);
    return status;
}
