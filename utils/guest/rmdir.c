/* SPDX-License-Identifier: MIT */
/* rmdir DIR...: remove empty directories. */
#include <unistd.h>

#include "tool.h"

int main(int argc, char **argv)
{
    if (argc == 1)
        return usage("rmdir DIR...");
    for (int i = 1; i < argc; i++)
        if (rmdir(argv[i]) < 0)
            complain("rmdir", argv[i]);
    return status;
}
