/* SPDX-License-Identifier: MIT */
/* Promises that only show under interruption, competition or replacement: SA_RESTART, writes of
 * PIPE_BUF bytes, dup2 over an open descriptor. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "say.h"

#define SIGNALS 20
#define RECORDS 60
#define WRITERS 3

static volatile sig_atomic_t handled;
static volatile int returned;
static pthread_t reader;
static int ends[2];

static void count(int signo)
{
    (void)signo;
    handled++;
}

/* Sends signals one by one, each after the handler of the one before, so that all but the first can
 * only meet the blocked call; then what the call waits for. */
static void *interrupt(void *arg)
{
    for (int i = 0; i < SIGNALS && !returned; i++) {
        int before = handled;

        pthread_kill(reader, SIGUSR1);
        while (handled == before && !returned)
            sched_yield();
    }
    write(ends[1], "x", 1);
    return arg;
}

static void restarting(int flags)
{
    struct sigaction act = { .sa_handler = count, .sa_flags = flags };
    pthread_t sender;
    char byte;
    int result, error;

    pipe(ends);
    sigaction(SIGUSR1, &act, NULL);
    handled = returned = 0;
    reader = pthread_self();
    pthread_create(&sender, NULL, interrupt, NULL);
    result = (int)read(ends[0], &byte, 1);
    error = errno;
    returned = 1;
    pthread_join(sender, NULL);
    errno = error;
    say(flags ? "read with SA_RESTART" : "read without SA_RESTART", result);
    if (flags)
        HOLDS(handled == SIGNALS);
    close(ends[0]);
    close(ends[1]);
}

static void *write_records(void *arg)
{
    static const int lengths[] = { 1, 100, 511, 2048, 4000, PIPE_BUF };
    char letter = (char)('a' + (long)arg), record[PIPE_BUF];

    for (int i = 0; i < RECORDS; i++) {
        int len = lengths[i % 6];

        memset(record, letter, sizeof(record));
        record[len - 1] = '\n'; /* the end of the record */
        if (write(ends[1], record, (size_t)len) != len)
            printf("a record was written in part\n");
    }
    return NULL;
}

/* Records of several writers: none may have another one's bytes inside. */
static void competing(void)
{
    pthread_t writers[WRITERS];
    long mixed = 0, records = 0, len;
    char part[700], inside = 0;

    pipe(ends);
    for (long i = 0; i < WRITERS; i++)
        pthread_create(&writers[i], NULL, write_records, (void *)i);
    while (records < WRITERS * RECORDS && (len = read(ends[0], part, sizeof(part))) > 0) {
        for (long i = 0; i < len; i++) {
            if (part[i] == '\n') {
                records++;
                inside = 0;
                continue;
            }
            mixed += inside && inside != part[i];
            inside = part[i];
        }
    }
    for (long i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    SAY(mixed);
    SAY(records);
    close(ends[0]);
    close(ends[1]);
}

/* A full pipe takes a write of PIPE_BUF bytes whole or not at all. */
static void full_pipe(void)
{
    static char page[PIPE_BUF], more[2 * PIPE_BUF];

    pipe(ends);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], page, sizeof(page)) == sizeof(page))
        continue;
    SAY(write(ends[1], page, sizeof(page)));
    SAY(read(ends[0], page, sizeof(page) / 2));
    SAY(write(ends[1], page, sizeof(page)));
    SAY(read(ends[0], page, sizeof(page) / 2));
    SAY(write(ends[1], more, sizeof(more)));
    SAY(write(ends[1], page, sizeof(page)));
    close(ends[0]);
    close(ends[1]);
}

static void replaced(void)
{
    int fd = open("edges-file", O_RDWR | O_CREAT, 0644);
    int held;
    char byte = 0;

    pipe(ends);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    HOLDS(dup2(fd, ends[1]) == ends[1]);
    SAY(read(ends[0], &byte, 1)); /* the last writing end is closed */
    SAY(fcntl(ends[1], F_GETFD));
    SAY(write(ends[1], "abc", 3));
    SAY(lseek(fd, 0, SEEK_CUR));
    close(ends[0]);
    close(ends[1]);

    pipe(ends);
    held = dup(ends[1]);
    HOLDS(dup2(fd, ends[1]) == ends[1]);
    SAY(write(held, "y", 1));
    SAY(read(ends[0], &byte, 1));
    HOLDS(dup2(held, held) == held);
    SAY(dup2(1000, held));
    SAY(write(held, "z", 1)); /* it is still open */
    SAY(dup2(fd, -1));
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    SAY(write(held, "y", 1));
    close(held);
    close(fd);
    unlink("edges-file");
}

int main(void)
{
    restarting(SA_RESTART);
    restarting(0);
    competing();
    full_pipe();
    replaced();
    return 0;
}
