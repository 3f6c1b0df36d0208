/* SPDX-License-Identifier: MIT */
/* echo [-n] [WORD...]: print the words, separated by blanks; without -n also a newline. */
#include "tool.h"

int main(int argc, char **argv)
{
    int first = argc > 1 && !strcmp(argv[1], "-n") ? 2 : 1;

    for (int i = first; i < argc; i++)
        printf("%s%s", i > first ? " " : "", argv[i]);
    if (first == 1)
        putchar('\n');
    return fflush(stdout) ? 1 : 0;
}
