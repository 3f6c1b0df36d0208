/* SPDX-License-Identifier: MIT */
/* mkdir [-p] DIR...: make directories; -p also makes parents and accepts existing directories. */
#include <sys/stat.h>

#include "tool.h"

static int make_with_parents(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return -1;
        *p = '/';
    }
    return mkdir(path, 0777) < 0 && errno != EEXIST ? -1 : 0;
}

int main(int argc, char **argv)
{
    bool parents = argc > 1 && !strcmp(argv[1], "-p");

    if (argc == 1 + parents)
        return report_usage("mkdir [-p] DIR...");
    for (int i = 1 + parents; i < argc; i++)
        if ((parents ? make_with_parents(argv[i]) : mkdir(argv[i], 0777)) < 0)
            report_errno("mkdir", argv[i]);
    return status;
}
