/* SPDX-License-Identifier: MIT */
/* pwd: print the current directory. */
#include <limits.h>
#include <unistd.h>

#include "tool.h"

int main(void)
{
    char path[PATH_MAX];

    if (getcwd(path, sizeof(path)))
        puts(path);
    else
        report_errno("pwd", "current directory");
    return status;
}
