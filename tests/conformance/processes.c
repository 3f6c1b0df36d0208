/* SPDX-License-Identifier: MIT */
/* Children by posix_spawn, pipes between them, how they end. The program is its own child. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

extern char **environ;

static const char *self;

/* --- the child -------------------------------------------------------------------------------- */

static pthread_t first;

static void exit_on(int signo)
{
    _exit(signo + 20);
}

static void *outlive(void *arg)
{
    pthread_join(first, NULL);
    if (write(1, "first thread gone", 17) == 17)
        for (;;)
            pause();
    return arg;
}

/* The first thread ends; another continues and waits for signals. */
static void without_first(const char *handler)
{
    pthread_t t;

    if (*handler)
        signal(SIGTERM, exit_on);
    first = pthread_self();
    pthread_create(&t, NULL, outlive, NULL);
    pthread_exit(NULL);
}

static int child(int argc, char **argv)
{
    char buf[100];
    ssize_t n;

    if (!strcmp(argv[2], "exit"))
        return atoi(argv[3]);
    if (!strcmp(argv[2], "abort"))
        abort();
    if (!strcmp(argv[2], "kill"))
        raise(atoi(argv[3]));
    if (!strcmp(argv[2], "upper")) {
        while ((n = read(0, buf, sizeof(buf))) > 0) {
            for (ssize_t i = 0; i < n; i++)
                buf[i] = buf[i] >= 'a' && buf[i] <= 'z' ? (char)(buf[i] - 32) : buf[i];
            if (write(1, buf, (size_t)n) != n)
                return 9;
        }
        return 0;
    }
    if (!strcmp(argv[2], "offset"))
        return write(3, "child", 5) == 5 ? (int)lseek(3, 0, SEEK_CUR) : 99;
    if (!strcmp(argv[2], "append")) {
        int fd = open("log", O_WRONLY | O_APPEND);

        memset(buf, argv[3][0], 50);
        buf[49] = '\n';
        for (int i = 0; i < 200; i++)
            if (write(fd, buf, 50) != 50)
                return 9;
        return 0;
    }
    if (!strcmp(argv[2], "full"))
        return write(3, "x", 1) == 1 ? 0 : errno;
    if (!strcmp(argv[2], "closed"))
        return fcntl(3, F_GETFD) == -1 && fcntl(4, F_GETFD) == 0 ? 0 : 1;
    if (!strcmp(argv[2], "without first"))
        without_first(argv[3]);
    if (!strcmp(argv[2], "args"))
        for (int i = 3; i < argc; i++)
            printf("[%s]", argv[i]);
    printf(" %s %s\n", getenv("BATTERY"), getcwd(buf, sizeof(buf)) ? strrchr(buf, '/') : "?");
    return 0;
}

static pid_t start(const posix_spawn_file_actions_t *actions, char *const words[])
{
    char *argv[10] = { (char *)self, "child" };
    pid_t pid = -1;
    int i, error;

    for (i = 0; words[i]; i++)
        argv[i + 2] = words[i];
    fflush(stdout);
    error = posix_spawn(&pid, self, actions, NULL, argv, environ);
    if (error)
        printf("posix_spawn: %s\n", error_name(error));
    return pid;
}

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

static void finish(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        printf("waitpid: %s\n", error_name(errno));
    else if (WIFEXITED(status))
        printf("exited %d\n", WEXITSTATUS(status));
    else
        printf("signal %d\n", WTERMSIG(status));
}

/* Spawns an executable file that is not a program. */
static void spawn_refused(const char *text)
{
    int fd = open("refused", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    pid_t pid;

    HOLDS(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    printf("refused: %s\n",
           error_name(posix_spawn(&pid, "./refused", NULL, NULL, WORDS("x"), environ)));
    unlink("refused");
}

static void endings(void)
{
    siginfo_t info = { 0 };
    int status;
    pid_t pid;

    finish(start(NULL, WORDS("exit", "0")));
    finish(start(NULL, WORDS("exit", "42")));
    finish(start(NULL, WORDS("abort")));
    finish(start(NULL, WORDS("kill", "9")));
    finish(start(NULL, WORDS("kill", "15")));
    SAY(waitpid(-1, &status, 0));
    SAY(waitpid(12345678, &status, 0));
    pid = start(NULL, WORDS("exit", "3"));
    SAY(waitid(P_PID, (id_t)pid, &info, WEXITED));
    HOLDS(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 3);
    SAY(posix_spawn(&pid, "/none/such", NULL, NULL, WORDS("x"), environ));
    SAY(posix_spawnp(&pid, "no-such-program", NULL, NULL, WORDS("x"), environ));
    spawn_refused("");
    spawn_refused("no program\n");
    spawn_refused("\177ELF and not much more");
}

/* A running program cannot be written. An open that is refused must keep nothing: more of them than
 * a process has open files. */
static void busy_program(void)
{
    int refused = 0;

    SAY(open(self, O_WRONLY));
    SAY(open(self, O_RDWR));
    SAY(truncate(self, 0));
    SAY(access(self, R_OK));
    for (int i = 0; i < 1100; i++)
        refused += open(self, O_WRONLY) == -1 && errno == ETXTBSY;
    SAY(refused);
}

/* A signal for a process whose first thread has ended. */
static void signalled(char *handler)
{
    posix_spawn_file_actions_t actions;
    char buf[20] = { 0 };
    int out[2];
    pid_t pid;

    SAY(pipe(out));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    pid = start(&actions, WORDS("without first", handler));
    posix_spawn_file_actions_destroy(&actions);
    SAY(read(out[0], buf, sizeof(buf)));
    printf("%s\n", buf);
    SAY(kill(pid, SIGTERM));
    finish(pid);
    close(out[0]);
    close(out[1]);
}

static void arguments(void)
{
    setenv("BATTERY", "value with blanks", 1);
    finish(start(NULL, WORDS("args", "one", "", "two words", "\"quoted\"")));
}

static void piped(void)
{
    posix_spawn_file_actions_t actions;
    int in[2], out[2];
    char buf[100] = { 0 };
    size_t got = 0;
    ssize_t n;
    pid_t pid;

    SAY(pipe(in));
    SAY(pipe(out));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    pid = start(&actions, WORDS("upper"));
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    SAY(write(in[1], "some words", 10));
    close(in[1]);
    while ((n = read(out[0], buf + got, sizeof(buf) - got)) > 0)
        got += (size_t)n;
    printf("%s %ld\n", buf, (long)n);
    close(out[0]);
    finish(pid);
}

static void inherited(void)
{
    posix_spawn_file_actions_t actions;
    char buf[20] = { 0 };
    int full, fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0644);

    SAY(write(fd, "parent", 6));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 3);
    finish(start(&actions, WORDS("offset")));
    posix_spawn_file_actions_destroy(&actions);
    SAY(lseek(fd, 0, SEEK_CUR));
    SAY(write(fd, "again", 5));
    SAY(pread(fd, buf, 20, 0));
    printf("%s\n", buf);
    dup2(fd, 3);
    fcntl(3, F_SETFD, FD_CLOEXEC);
    full = open("/dev/full", O_RDWR);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, full, 3);
    finish(start(&actions, WORDS("full")));
    posix_spawn_file_actions_destroy(&actions);
    close(full);
    dup2(fd, 4);
    finish(start(NULL, WORDS("closed")));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "output", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    finish(start(&actions, WORDS("args", "to a file")));
    posix_spawn_file_actions_destroy(&actions);
    close(fd);
    fd = open("output", O_RDONLY);
    SAY(read(fd, buf, 11));
    printf("%.11s\n", buf);
    close(fd);
}

/* --- a file inherited while threads use it ---------------------------------------------------- */

#define READERS   4
#define LIMIT_SEC 20 /* seconds that no reader needs */

static int busy_file, stop;
static long reads[READERS];

static void *read_on(void *count)
{
    char buf[64];

    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        if (read(busy_file, buf, sizeof(buf)) <= 0)
            lseek(busy_file, 0, SEEK_SET);
        __atomic_fetch_add((long *)count, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* Waits until every reader has read twice more. False: one has stopped. */
static bool all_read_on(void)
{
    struct timespec start, now;
    long before[READERS];

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < READERS; i++)
        before[i] = __atomic_load_n(&reads[i], __ATOMIC_SEQ_CST);
    for (int i = 0; i < READERS; i++) {
        while (__atomic_load_n(&reads[i], __ATOMIC_SEQ_CST) < before[i] + 2) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            if (now.tv_sec > start.tv_sec + LIMIT_SEC)
                return false;
            usleep(100);
        }
    }
    return true;
}

/* Each round a child inherits a new open file, whose state moves into an object then. */
static void inherited_in_use(void)
{
    static char page[4096];
    pthread_t t[READERS];
    int going = 1;

    for (int round = 0; round < 8 && going; round++) {
        busy_file = open("busy", O_RDWR | O_CREAT, 0644);
        SAY(pwrite(busy_file, page, sizeof(page), 0));
        stop = 0;
        for (int i = 0; i < READERS; i++)
            pthread_create(&t[i], NULL, read_on, &reads[i]);
        going = all_read_on();
        finish(start(NULL, WORDS("exit", "0")));
        going = going && all_read_on();
        SAY(going);
        stop = 1;
        for (int i = 0; i < READERS && going; i++)
            pthread_join(t[i], NULL);
        close(busy_file);
    }
}

/* Four processes append to one file at once: no line may be torn or lost. */
static void appending(void)
{
    int lines[4] = { 0 }, torn = 0;
    char line[100];
    pid_t pid[4];
    FILE *f;

    close(open("log", O_WRONLY | O_CREAT | O_TRUNC, 0644));
    for (int i = 0; i < 4; i++)
        pid[i] = start(NULL, WORDS("append", (char[]){ (char)('a' + i), 0 }));
    for (int i = 0; i < 4; i++)
        finish(pid[i]);
    f = fopen("log", "r");
    while (fgets(line, sizeof(line), f)) {
        torn += strspn(line, (char[]){ line[0], 0 }) != 49 || line[49] != '\n';
        lines[(line[0] - 'a') & 3]++;
    }
    fclose(f);
    printf("%d %d %d %d lines, %d torn\n", lines[0], lines[1], lines[2], lines[3], torn);
}

/* A child that begins in another directory. */
static void spawn_in_a_directory(void)
{
    posix_spawn_file_actions_t actions;

    SAY(mkdir("below", 0755));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, "below");
    finish(start(&actions, WORDS("append", "z")));
    posix_spawn_file_actions_destroy(&actions);
    SAY(access("below/log", R_OK));
    SAY(rmdir("below"));
    SAY(unlink("below/log"));
    SAY(rmdir("below"));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, "below");
    (void)start(&actions, WORDS("append", "z"));
    posix_spawn_file_actions_destroy(&actions);
}

static void pipe_rules(void)
{
    struct pollfd p;
    struct timeval none = { 0, 0 };
    fd_set set;
    int fds[2];
    char c;

    signal(SIGPIPE, SIG_IGN);
    SAY(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
    SAY(read(fds[0], &c, 1));
    p = (struct pollfd){ fds[0], POLLIN, 0 };
    SAY(poll(&p, 1, 0));
    SAY(poll(&p, 1, 30));
    SAY(write(fds[1], "x", 1));
    SAY(poll(&p, 1, -1));
    SAY(p.revents);
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    SAY(select(fds[0] + 1, &set, NULL, NULL, &none));
    SAY(FD_ISSET(fds[0], &set) != 0);
    SAY(lseek(fds[0], 0, SEEK_CUR));
    SAY(read(fds[0], &c, 1));
    SAY(write(fds[0], "x", 1));
    SAY(close(fds[1]));
    SAY(read(fds[0], &c, 1));
    SAY(poll(&p, 1, 0));
    SAY(p.revents);
    SAY(close(fds[0]));
    SAY(pipe(fds));
    SAY(close(fds[0]));
    SAY(write(fds[1], "x", 1));
    SAY(close(fds[1]));
    p.fd = fds[1];
    SAY(poll(&p, 1, 0));
    SAY(p.revents);
}

int main(int argc, char **argv)
{
    self = argv[0];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2 && !strcmp(argv[1], "child"))
        return child(argc, argv);
    if (argc != 2 || chdir(argv[1]) < 0)
        return 2;
    HOLDS(getpid() > 0 && getppid() >= 0);
    endings();
    busy_program();
    signalled("");
    signalled("handler");
    arguments();
    piped();
    inherited();
    inherited_in_use();
    appending();
    spawn_in_a_directory();
    pipe_rules();
    return 0;
}
