/* SPDX-License-Identifier: MIT */
/* cat [FILE...]: copy files, or standard input ("-"), to standard output. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

#define BUFFER_BYTES (256u << 10)

static char buf[BUFFER_BYTES];

static int write_buffer(size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(1, buf + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

/* A file that is also the output would grow for ever. */
static bool is_own_output(int fd, const char *name)
{
    struct stat in, out;

    return fstat(fd, &in) == 0 && fstat(1, &out) == 0 && S_ISREG(out.st_mode) &&
           report_same_file("cat", name, &in, "standard output", &out);
}

/* Copy one file to standard output. */
static void print_file(int fd, const char *name)
{
    ssize_t n;

    if (is_own_output(fd, name))
        return;

    while ((n = read(fd, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            report_errno("cat", name);
            return;
        }
        if (write_buffer((size_t)n) < 0) {
            report_errno("cat", "standard output");
            exit(status);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc == 1)
        print_file(0, "standard input");
    for (int i = 1; i < argc; i++) {
        int fd = strcmp(argv[i], "-") ? open(argv[i], O_RDONLY) : 0;

        if (fd < 0) {
            report_errno("cat", argv[i]);
            continue;
        }
        print_file(fd, argv[i]);
        if (fd > 0)
            close(fd);
    }
    return status;
}
