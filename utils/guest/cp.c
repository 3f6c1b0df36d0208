/* SPDX-License-Identifier: MIT */
/* cp FROM TO, cp FROM... DIR: copy files' bytes. A file is not copied onto itself. */
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "tool.h"

#define BUFFER_BYTES (256u << 10)

static char buf[BUFFER_BYTES];

/* 0, or -1 with errno. */
static int copy_content(int in, int out)
{
    ssize_t n;

    while ((n = read(in, buf, sizeof(buf))) > 0)
        for (ssize_t done = 0, m; done < n; done += m)
            if ((m = write(out, buf + done, (size_t)(n - done))) < 0)
                return -1;
    return n < 0 ? -1 : 0;
}

/* Copy one file, with its mode. */
static void copy_file(const char *from, const char *to)
{
    struct stat st, there;
    int in = open(from, O_RDONLY), out;

    if (in < 0 || fstat(in, &st) < 0) {
        report_errno("cp", from);
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        report_errno("cp", from);
        close(in);
        return;
    }
    if (stat(to, &there) == 0 && report_same_file("cp", from, &st, to, &there)) {
        close(in);
        return;
    }
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC, st.st_mode & 0777);
    if (out < 0 || copy_content(in, out) < 0)
        report_errno("cp", to);
    if (out >= 0 && close(out) < 0)
        report_errno("cp", to);
    close(in);
}

int main(int argc, char **argv)
{
    struct stat st;
    bool into;

    if (argc < 3)
        return report_usage("cp FROM TO | cp FROM... DIR");
    into = stat(argv[argc - 1], &st) == 0 && S_ISDIR(st.st_mode);
    if (argc > 3 && !into) {
        errno = ENOTDIR;
        report_errno("cp", argv[argc - 1]);
        return 2;
    }
    for (int i = 1; i < argc - 1; i++) {
        char to[PATH_MAX];

        if (into && path_in(to, sizeof(to), argv[argc - 1], argv[i]) == 0)
            copy_file(argv[i], to);
        else
            copy_file(argv[i], argv[argc - 1]);
    }
    return status;
}
