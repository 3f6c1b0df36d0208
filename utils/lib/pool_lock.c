/* SPDX-License-Identifier: MIT */
/*
 * /proc/locks gives the holder's process by the file's inode number, /proc/PID/cmdline its command.
 * On layered file systems the device number in /proc/locks may differ from the one of stat(2), so
 * it is not compared. Both files only make the message longer; either may be unreadable.
 */
#define _GNU_SOURCE
#include "pool_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The process that holds a flock(2) on inode `ino`, 0 when unknown. */
static long lock_holder(unsigned long ino)
{
    FILE *f = fopen("/proc/locks", "re");
    char line[256];
    long holder = 0;

    if (!f)
        return 0;
    while (!holder && fgets(line, sizeof(line), f)) {
        long pid;
        unsigned long locked;

        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %*x:%*x:%lu", &pid, &locked) == 2 && locked == ino)
            holder = pid;
    }
    fclose(f);
    return holder > 0 ? holder : 0;
}

/* The command line of a process, cut to `size`; control characters become spaces. */
static void command_of(long pid, char *text, size_t size)
{
    char path[64];
    int fd;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
    text[0] = '\0';
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0)
        return;
    while (n > 0 && text[n - 1] == '\0')
        n--;
    for (ssize_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = ' ';
    }
    text[n] = '\0';
}

int pool_lock_acquire(int fd, bool shared, char *holder, size_t size)
{
    struct stat st;
    long pid;
    char command[100];

    if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
        return 0;
    holder[0] = '\0';
    if (errno != EWOULDBLOCK)
        return POOL_LOCK_ERRNO;

    pid = fstat(fd, &st) == 0 ? lock_holder((unsigned long)st.st_ino) : 0;
    if (!pid) {
        snprintf(holder, size, "another process");
        return POOL_LOCK_BUSY;
    }
    command_of(pid, command, sizeof(command));
    if (command[0])
        snprintf(holder, size, "process %ld (%s)", pid, command);
    else
        snprintf(holder, size, "process %ld", pid);
    return POOL_LOCK_BUSY;
}
