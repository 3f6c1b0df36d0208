/* SPDX-License-Identifier: MIT */
/* rmdir DIR...: remove empty directories. */
#include <unistd.h>

#include "tool.h"

int main(int argc, char **argv)
{
    if (argc == 1)
        return report_usage("rmdir DIR...");
    for (int i = 1; i < argc; i++)
        if (rmdir(argv[i]) < 0)
            report_errno("rmdir", argv[i]);
    return status;
}
