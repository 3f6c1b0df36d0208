/* SPDX-License-Identifier: MIT */
/*
 * Counts its own runs, in a file: plain POSIX C, as for Linux. It writes the new number to another
 * file and renames that over the old one, which is one step even under a power failure. It prints
 * the number afterwards, so each printed number is durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "/data/counter"
#define NEW  "/data/counter.new"

static void fail(const char *what)
{
    fprintf(stderr, "counter: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long last_number(void)
{
    long number = 0;
    FILE *f = fopen(NAME, "r");

    if (!f && errno != ENOENT)
        fail(NAME);
    if (!f)
        return 0;
    if (fscanf(f, "%ld", &number) != 1) {
        errno = EINVAL;
        fail(NAME);
    }
    fclose(f);
    return number;
}

static void keep_number(long number)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", number);
    int fd = open(NEW, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0 || write(fd, text, (size_t)len) != len || fsync(fd) < 0 || close(fd) < 0)
        fail(NEW);
    if (rename(NEW, NAME) < 0)
        fail(NAME);
}

int main(void)
{
    long number;

    if (mkdir("/data", 0755) < 0 && errno != EEXIST)
        fail("/data");
    number = last_number() + 1;
    keep_number(number);
    printf("%ld\n", number);
    return 0;
}
