/* SPDX-License-Identifier: MIT */
/* mv FROM TO, mv FROM... DIR: rename. Two names of one file stay as they are. */
#include <limits.h>

#include "tool.h"

static void move_file(const char *from, const char *to)
{
    struct stat a, b;

    /* The inode numbers of symbolic links are not unique. */
    if (lstat(from, &a) == 0 && lstat(to, &b) == 0 && !S_ISLNK(a.st_mode) &&
        report_same_file("mv", from, &a, to, &b))
        return;
    if (rename(from, to) < 0)
        report_errno("mv", from);
}

int main(int argc, char **argv)
{
    struct stat st;
    bool into;

    if (argc < 3)
        return report_usage("mv FROM TO | mv FROM... DIR");
    into = stat(argv[argc - 1], &st) == 0 && S_ISDIR(st.st_mode);
    if (argc > 3 && !into) {
        errno = ENOTDIR;
        report_errno("mv", argv[argc - 1]);
        return 2;
    }
    for (int i = 1; i < argc - 1; i++) {
        char to[PATH_MAX];
        const char *target = argv[argc - 1];

        if (into && path_in(to, sizeof(to), target, argv[i]) == 0)
            target = to;
        move_file(argv[i], target);
    }
    return status;
}
