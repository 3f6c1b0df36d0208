/* SPDX-License-Identifier: MIT */
/* mv FROM TO, mv FROM... DIR: rename. */
#include <limits.h>
#include <sys/stat.h>

#include "tool.h"

int main(int argc, char **argv)
{
    struct stat st;
    int into;

    if (argc < 3) {
        fprintf(stderr, "Usage: mv FROM TO | mv FROM... DIR\n");
        return 2;
    }
    into = stat(argv[argc - 1], &st) == 0 && S_ISDIR(st.st_mode);
    if (argc > 3 && !into) {
        errno = ENOTDIR;
        complain("mv", argv[argc - 1]);
        return 2;
    }
    for (int i = 1; i < argc - 1; i++) {
        char to[PATH_MAX];
        const char *target = argv[argc - 1];

        if (into && path_in(to, sizeof(to), target, argv[i]) == 0)
            target = to;
        if (rename(argv[i], target) < 0)
            complain("mv", argv[i]);
    }
    return status;
}
