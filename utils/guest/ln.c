/* SPDX-License-Identifier: MIT */
/* ln [-s] TARGET NAME: give a file one more name; with -s make a symbolic link. */
#include <unistd.h>

#include "tool.h"

int main(int argc, char **argv)
{
    bool symbolic = argc > 1 && !strcmp(argv[1], "-s");
    const char *target, *name;

    if (argc != 3 + symbolic)
        return report_usage("ln [-s] TARGET NAME");
    target = argv[1 + symbolic];
    name = argv[2 + symbolic];
    if ((symbolic ? symlink(target, name) : link(target, name)) < 0)
        report_errno("ln", name);
    return status;
}
