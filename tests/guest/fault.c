/* SPDX-License-Identifier: MIT */
/*
 * fault KIND: does one thing that no program may do, after saying where on standard output: a line
 * with the address in hexadecimal. Whatever comes after the fault would be a second line.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int in_text(void)
{
    return 7;
}

static unsigned char in_data[16] = { 0xc3 };

static void store(uintptr_t at)
{
    printf("%llx\n", (unsigned long long)at);
    fflush(stdout);
    *(volatile int *)at = 1;
}

static void jump(uintptr_t to)
{
    void (*go)(void);

    printf("%llx\n", (unsigned long long)to);
    fflush(stdout);
    memcpy(&go, &to, sizeof(go));
    go();
}

static void divide(volatile int by)
{
    printf("%llx\n", (unsigned long long)(uintptr_t)divide);
    fflush(stdout);
    in_data[1] = (unsigned char)(100 / by);
}

static int deep(volatile char *above)
{
    volatile char here[4096];

    here[0] = above[0];
    if (!here[0])
        return 0;
    return deep(here) + here[0];
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    volatile char top[1] = { 1 };

    if (!strcmp(kind, "null"))
        store(0);
    else if (!strcmp(kind, "near-null"))
        store(0x18);
    else if (!strcmp(kind, "text"))
        store((uintptr_t)in_text & ~(uintptr_t)3);
    else if (!strcmp(kind, "nowhere"))
        store((uintptr_t)100000 << 30);
    else if (!strcmp(kind, "kernel"))
        store((uintptr_t)0xffff800000001000);
    else if (!strcmp(kind, "data"))
        jump((uintptr_t)in_data);
    else if (!strcmp(kind, "divide"))
        divide(0);
    else if (!strcmp(kind, "illegal"))
        __asm__ volatile("ud2");
    else if (!strcmp(kind, "stack"))
        return deep(top);
    printf("went on\n");
    return 0;
}
