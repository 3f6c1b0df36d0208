/* SPDX-License-Identifier: MIT */
/* Names and signals under many threads: a name that renames replace is never missing, a signal of
 * the process reaches a thread that takes it, and no burst of signals ends a thread. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

#define REPLACED 100

static volatile int stop;
static long tries[4], missing[4];

static void write_file(const char *name, const char *text)
{
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0640);

    if (fd < 0 || write(fd, text, strlen(text)) != (long)strlen(text) || close(fd))
        say("write_file", -1);
}

/* --- names that are replaced ------------------------------------------------------------------ */

static int try_open(void)
{
    char c = 0;
    int fd = open("target", O_RDONLY), bad;

    if (fd < 0)
        return 1;
    bad = read(fd, &c, 1) != 1 || (c != 'x' && c != 'y');
    close(fd);
    return bad;
}

static int try_stat(void)
{
    struct stat st;

    return stat("target", &st) != 0 || st.st_size != 1 || (st.st_mode & 07777) != 0640;
}

static int try_chmod(void)
{
    return chmod("target", 0640) != 0;
}

/* The link leads through a directory that is replaced, too. */
static int try_link(void)
{
    struct stat st;

    return stat("link/.", &st) != 0 || !S_ISDIR(st.st_mode);
}

static int (*const attempts[])(void) = { try_open, try_stat, try_chmod, try_link };

static void *keep_trying(void *arg)
{
    long which = (long)arg;

    while (!stop) {
        missing[which] += attempts[which]();
        tries[which]++;
    }
    return NULL;
}

static void replaced(void)
{
    pthread_t t[4];
    int failed = 0;

    write_file("target", "x");
    mkdir("dir", 0755);
    symlink("dir", "link");
    for (long i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, keep_trying, (void *)i);
    for (int i = 0; i < REPLACED; i++) {
        write_file("new", "y");
        failed += rename("new", "target") != 0;
        failed += mkdir("newdir", 0755) != 0;
        failed += rename("newdir", "dir") != 0;
        failed += symlink("dir", "newlink") != 0;
        failed += rename("newlink", "link") != 0;
    }
    stop = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    SAY(failed);
    for (int i = 0; i < 4; i++) {
        HOLDS(tries[i] > 0);
        SAY(missing[i]);
    }
}

/* --- signals of the process ------------------------------------------------------------------- */

static volatile sig_atomic_t handled;
static volatile pthread_t handler_thread;
static volatile int open_gate;

static void take(int signo)
{
    (void)signo;
    handler_thread = pthread_self();
    handled++;
}

static void mask_usr1(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(how, &set, NULL);
}

static void wait_handled(int count)
{
    while (handled < count)
        usleep(1000);
}

static void *taker(void *arg)
{
    mask_usr1(SIG_UNBLOCK);
    *(volatile int *)arg = 1;
    while (!stop)
        pause();
    return NULL;
}

static void *blocker(void *arg)
{
    while (!stop)
        usleep(1000);
    return arg;
}

/* Takes a signal only after the gate is open. */
static void *late_taker(void *arg)
{
    while (!open_gate)
        usleep(1000);
    mask_usr1(SIG_UNBLOCK);
    wait_handled(3);
    return arg;
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t t;

    if (pthread_create(&t, NULL, fn, arg))
        say("pthread_create", -1);
    return t;
}

static void of_the_process(void)
{
    struct sigaction sa = { .sa_handler = take };
    volatile int ready = 0;
    sigset_t pending;
    pthread_t b, t;

    stop = 0;
    sigaction(SIGUSR1, &sa, NULL);
    mask_usr1(SIG_BLOCK);
    b = start(blocker, NULL);
    t = start(taker, (void *)&ready);
    while (!ready)
        usleep(1000);
    SAY(kill(getpid(), SIGUSR1));
    wait_handled(1);
    HOLDS(pthread_equal(handler_thread, t));
    SAY(raise(SIGUSR1)); /* for this thread, which blocks it */
    SAY(sigpending(&pending));
    SAY(sigismember(&pending, SIGUSR1));
    SAY(handled);
    mask_usr1(SIG_UNBLOCK);
    SAY(handled);
    HOLDS(pthread_equal(handler_thread, pthread_self()));
    mask_usr1(SIG_BLOCK);
    stop = 1;
    pthread_kill(t, SIGUSR1);
    pthread_join(t, NULL);
    pthread_join(b, NULL);
    handled = 2;
    t = start(late_taker, NULL); /* all threads block it now */
    SAY(kill(getpid(), SIGUSR1));
    SAY(sigpending(&pending));
    SAY(sigismember(&pending, SIGUSR1));
    open_gate = 1;
    pthread_join(t, NULL);
    SAY(handled);
    HOLDS(pthread_equal(handler_thread, t));
    SAY(sigpending(&pending));
    SAY(sigismember(&pending, SIGUSR1));
    mask_usr1(SIG_UNBLOCK);
    SAY(handled);
}

/* --- bursts ----------------------------------------------------------------------------------- */

static volatile unsigned long turns;

static void *compute(void *arg)
{
    while (!stop)
        turns++;
    return arg;
}

/* Signals arrive while the handler of another one starts, runs or returns. */
static void bursts(void)
{
    static const int signals[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGALRM };
    struct sigaction sa = { .sa_handler = take };
    unsigned long before;
    pthread_t t;
    int wrong = 0;

    stop = 0;
    for (int i = 0; i < 4; i++)
        sigaction(signals[i], &sa, NULL);
    t = start(compute, NULL);
    handled = 0;
    for (int i = 0; i < 500; i++) {
        int err = pthread_kill(t, signals[i % 4]);

        wrong += err != 0 && err != EAGAIN;
        if (i % 16 == 15)
            sched_yield();
    }
    for (before = turns; turns == before;)
        usleep(1000);
    stop = 1;
    SAY(pthread_join(t, NULL));
    SAY(wrong);
    HOLDS(handled > 0);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || chdir(argv[1]))
        return 2;
    replaced();
    of_the_process();
    bursts();
    return 0;
}
