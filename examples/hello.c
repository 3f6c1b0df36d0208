/* SPDX-License-Identifier: MIT */
/* The smallest program: plain C, although its memory is objects. */
#include <stdio.h>

int main(void)
{
    printf("Hello from twz\n");
    return 0;
}
