/* SPDX-License-Identifier: MIT */
/* status exit N | return N | abort | raise N | say TEXT N: ends in the named way. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    int n = argc > 2 ? atoi(argv[argc - 1]) : 0;

    if (!strcmp(how, "exit"))
        exit(n);
    if (!strcmp(how, "return"))
        return n;
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "raise"))
        return raise(n);
    if (!strcmp(how, "say")) {
        printf("%s", argv[2]);
        return n;
    }
    fprintf(stderr, "status: unknown way to end\n");
    return 99;
}
