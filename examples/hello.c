/* SPDX-License-Identifier: MIT */
/* The smallest program: it runs in objects and does not know. */
#include <stdio.h>

int main(void)
{
    printf("Hello from twz\n");
    return 0;
}
