/* SPDX-License-Identifier: MIT */
/*
 * prompt: runs programs by name; the system has no other shell yet. A line is a list of commands
 * separated by ';'. A command is a list of words ('…' and "…" keep blanks), with < FILE, > FILE and
 * >> FILE anywhere.
 *
 * prompt must not read a byte behind the line before it has executed the line: the rest is the
 * input of the programs that the line runs. So stdin has no buffer.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

#define WORDS 256

extern char **environ;

struct command {
    char *argv[WORDS + 1];
    int argc;
    char *in, *out;
    bool append;
};

static int last_status;                      /* status of the last command */
static volatile sig_atomic_t child;          /* the program that runs, 0: none */
static volatile sig_atomic_t pending_signal; /* a signal that came while it was being started */

/* Ctrl-C goes to the program that runs, if any. */
static void forward_interrupt(int signo)
{
    if (child)
        kill(child, signo);
    else
        pending_signal = signo;
}

static void print_help(void)
{
    puts("Programs lie in /bin and /host; put yours there with twz-obj, or name them by path.\n"
         "  NAME ARG...     run a program   < FILE  > FILE  >> FILE   its input and output\n"
         "  A ; B           one after the other      'a b'  \"a b\"    one word\n"
         "  cd DIR, pwd     where you are\n"
         "  exit [STATUS]   leave and switch off (so does the end of input, Ctrl-D)");
}

/* --- parsing ---------------------------------------------------------------------------------- */

static bool is_operator(char c)
{
    return c == ';' || c == '<' || c == '>';
}

/* Read the next token of *line. A word is stored at *store without its quotes, and *store moves
 * behind it. Returns the kind: one of ";<>", 'a' (>>), 'w' (a word), 0 (the end), '?' (an open
 * quote). */
static char next_token(const char **line, char **store)
{
    const char *from = *line + strspn(*line, " \t\n");
    char quote = 0;
    char kind = *from;

    if (is_operator(kind)) {
        from++;
        if (kind == '>' && *from == '>') {
            from++;
            kind = 'a';
        }
        *line = from;
        return kind;
    }
    if (!kind)
        return 0;
    for (; *from && (quote || !(strchr(" \t\n", *from) || is_operator(*from))); from++) {
        if (quote ? *from == quote : *from == '\'' || *from == '"')
            quote = quote ? 0 : *from;
        else
            *(*store)++ = *from;
    }
    *(*store)++ = 0;
    *line = from;
    return quote ? '?' : 'w';
}

/* --- running ---------------------------------------------------------------------------------- */

/* Can the file be opened? If not, print a message. */
static bool check_open(const char *path, int flags)
{
    int fd = path ? open(path, flags, 0666) : 0;

    if (fd < 0)
        report_errno("prompt", path);
    else if (path)
        close(fd);
    return fd >= 0;
}

static int out_flags(const struct command *c)
{
    return O_WRONLY | O_CREAT | (c->append ? O_APPEND : O_TRUNC);
}

/* Can the files of the redirections be opened? posix_spawn does not report which of them failed. */
static bool check_redirections(const struct command *c)
{
    return check_open(c->in, O_RDONLY) && check_open(c->out, out_flags(c));
}

/* Run a program and wait for its end. */
static void run_program(struct command *c)
{
    posix_spawn_file_actions_t actions;
    int error, what;
    pid_t pid;

    if (!check_redirections(c)) {
        last_status = 1;
        return;
    }

    posix_spawn_file_actions_init(&actions);
    if (c->in)
        posix_spawn_file_actions_addopen(&actions, 0, c->in, O_RDONLY, 0);
    if (c->out)
        posix_spawn_file_actions_addopen(&actions, 1, c->out, out_flags(c), 0666);
    pending_signal = 0;
    error = posix_spawnp(&pid, c->argv[0], &actions, NULL, c->argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        fprintf(stderr, "%s: %s\n", c->argv[0], error == ENOENT ? "not found" : strerror(error));
        last_status = 127;
        return;
    }
    child = pid;
    if (pending_signal)
        kill(pid, pending_signal);
    while (waitpid(pid, &what, 0) < 0 && errno == EINTR)
        ;
    child = 0;
    last_status = WIFSIGNALED(what) ? 128 + WTERMSIG(what) : WEXITSTATUS(what);
    if (last_status)
        fprintf(stderr, "%s: status %d\n", c->argv[0], last_status);
}

static void change_directory(const struct command *c)
{
    const char *to = c->argc > 1 ? c->argv[1] : "/";

    last_status = chdir(to) < 0;
    if (last_status)
        report_errno("cd", to);
}

static void exit_prompt(const struct command *c)
{
    char *end = NULL;
    long code = c->argc > 1 ? strtol(c->argv[1], &end, 10) : last_status;

    if (end && (*end || end == c->argv[1])) {
        fprintf(stderr, "exit: %s: not a number\n", c->argv[1]);
        code = 2;
    }
    exit((int)code);
}

/* Execute a command of prompt's own, or run a program. */
static void execute_command(struct command *c)
{
    char path[PATH_MAX];

    c->argv[c->argc] = NULL;
    if (c->argc == 0) {
        if (c->in || c->out)
            last_status = !check_redirections(c);
        return;
    }
    if (!strcmp(c->argv[0], "exit"))
        exit_prompt(c);
    last_status = 0;
    if (!strcmp(c->argv[0], "help"))
        print_help();
    else if (!strcmp(c->argv[0], "cd"))
        change_directory(c);
    else if (!strcmp(c->argv[0], "pwd") && !c->out && getcwd(path, sizeof(path)))
        puts(path);
    else
        run_program(c);
}

/* Add a word: an argument, or the file of a redirection. */
static void add_word(struct command *c, char *word, char wait_for)
{
    if (wait_for == '<') {
        c->in = word;
    } else if (wait_for) {
        c->out = word;
        c->append = wait_for == 'a';
    } else {
        c->argv[c->argc++] = word;
    }
}

/* Read the next line; a read that a signal interrupted goes on. False: the end of the input. */
static bool read_line(char **line, size_t *size)
{
    while (getline(line, size, stdin) < 0) {
        if (!ferror(stdin) || errno != EINTR)
            return false;
        clearerr(stdin);
    }
    return true;
}

/* Is the command malformed: an open quote, a redirection without a file, or too many words? If so,
 * print a message. */
static bool report_malformed(const struct command *c, char kind, char wait_for)
{
    if (kind == '?')
        fputs("prompt: a quote is not closed\n", stderr);
    else if (wait_for && kind != 'w')
        fprintf(stderr, "prompt: a file name is missing after %s\n",
                wait_for == 'a' ? ">>" : (char[]){ wait_for, 0 });
    else if (kind == 'w' && !wait_for && c->argc == WORDS)
        fprintf(stderr, "prompt: more than %d words\n", WORDS);
    else
        return false;
    last_status = 2;
    return true;
}

/* Execute one line: each command runs as soon as it is complete. `store` must have space for all
 * words of the line. */
static void execute_line(const char *line, char *store)
{
    struct command c = { .argc = 0 };
    char kind, wait_for = 0;

    do {
        char *word = store;

        kind = next_token(&line, &store);
        if (report_malformed(&c, kind, wait_for))
            return;
        if (kind == 'w') {
            add_word(&c, word, wait_for);
            wait_for = 0;
        } else if (kind == ';' || kind == 0) {
            execute_command(&c);
            c = (struct command){ .argc = 0 };
        } else {
            wait_for = kind;
        }
    } while (kind);
}

int main(void)
{
    bool interactive = isatty(0);
    size_t size = 0;
    char *line = NULL, *store;

    setvbuf(stdin, NULL, _IONBF, 0);
    sigaction(SIGINT,
              &(struct sigaction){ .sa_handler = forward_interrupt, .sa_flags = SA_RESTART }, NULL);
    setenv("PATH", "/bin:/host", 0);
    if (interactive)
        puts("twz: type a program's name, help, or exit to leave (Ctrl-D does too).");
    for (;;) {
        if (interactive) {
            fputs("twz> ", stdout);
            fflush(stdout);
        }
        if (!read_line(&line, &size))
            break;
        store = malloc(2 * strlen(line) + 2);
        if (!store)
            break;
        execute_line(line, store);
        free(store);
        fflush(stdout);
    }
    if (interactive)
        putchar('\n');
    return last_status;
}
