/* SPDX-License-Identifier: MIT */
/* tee [-a] [FILE...]: standard input to standard output and to each file; -a adds at the end. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

#define PIECE (256u << 10)

static char buf[PIECE];

struct output {
    const char *name;
    int fd; /* -1: given up */
};

static void put(struct output *out, size_t len)
{
    for (size_t done = 0; out->fd >= 0 && done < len;) {
        ssize_t n = write(out->fd, buf + done, len - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            complain("tee", out->name);
            out->fd = -1;
        }
    }
}

static void copy(struct output *out, int count)
{
    ssize_t n;

    while ((n = read(0, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            complain("tee", "standard input");
            return;
        }
        for (int i = 0; i < count; i++)
            put(&out[i], (size_t)n);
    }
}

int main(int argc, char **argv)
{
    int add = argc > 1 && !strcmp(argv[1], "-a");
    int flags = O_WRONLY | O_CREAT | (add ? O_APPEND : O_TRUNC);
    struct output *out = calloc((size_t)argc, sizeof(*out));
    int count = 1;

    if (!out) {
        complain("tee", "start");
        return status;
    }
    out[0] = (struct output){ "standard output", 1 };
    for (int i = 1 + add; i < argc; i++) {
        out[count] = (struct output){ argv[i], open(argv[i], flags, 0666) };
        if (out[count].fd < 0)
            complain("tee", argv[i]);
        count++;
    }
    copy(out, count);
    return status;
}
