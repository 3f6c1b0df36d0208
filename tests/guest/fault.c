/* SPDX-License-Identifier: MIT */
/*
 * fault KIND: prints the address of an invalid access in hexadecimal, then makes the access. If the
 * program continues after it, it prints a second line.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int in_text(void)
{
    return 7;
}

static unsigned char in_data[16] = { 0xc3 };

static void store_at(uintptr_t at)
{
    printf("%llx\n", (unsigned long long)at);
    fflush(stdout);
    *(volatile int *)at = 1;
}

static void jump_to(uintptr_t to)
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

static void *store_at_null(void *unused)
{
    (void)unused;
    store_at(0);
    return NULL;
}

/* The thread ends the process, so the join does not return. */
static void store_in_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, store_at_null, NULL) == 0)
        pthread_join(thread, NULL);
}

static int recurse(volatile char *above)
{
    volatile char here[4096];

    here[0] = above[0];
    if (!here[0])
        return 0;
    return recurse(here) + here[0];
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    volatile char top[1] = { 1 };

    if (!strcmp(kind, "null"))
        store_at(0);
    else if (!strcmp(kind, "near-null"))
        store_at(0x18);
    else if (!strcmp(kind, "text"))
        store_at((uintptr_t)in_text & ~(uintptr_t)3);
    else if (!strcmp(kind, "nowhere"))
        store_at((uintptr_t)100000 << 30);
    else if (!strcmp(kind, "kernel"))
        store_at((uintptr_t)0xffff800000001000);
    else if (!strcmp(kind, "data"))
        jump_to((uintptr_t)in_data);
    else if (!strcmp(kind, "divide"))
        divide(0);
    else if (!strcmp(kind, "illegal"))
        __asm__ volatile("ud2");
    else if (!strcmp(kind, "thread"))
        store_in_thread();
    else if (!strcmp(kind, "stack"))
        return recurse(top);
    printf("continued\n");
    return 0;
}
