/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "fail.h"
#include "host_file.h"

void passphrase_wipe(struct passphrase *passphrase)
{
    explicit_bzero(passphrase, sizeof(*passphrase));
}

/* Reads one line, byte by byte: what follows belongs to the caller. -1 with errno: an error, or a
 * signal; 0: a line; 1: it is too long. */
static int read_line(int fd, struct passphrase *passphrase)
{
    char byte;
    ssize_t n;

    passphrase->len = 0;
    while ((n = read(fd, &byte, 1)) == 1 && byte != '\n') {
        if (passphrase->len == KEYFILE_PASSPHRASE)
            return 1;
        passphrase->text[passphrase->len++] = byte;
    }
    return n < 0 ? -1 : 0;
}

static int check_line(int ret, const struct passphrase *passphrase, const char *from)
{
    if (ret < 0)
        return fail_host(from);
    if (ret > 0)
        return fail(TOOL_USAGE, "%s: the passphrase is too long: %u bytes at most", from,
                    KEYFILE_PASSPHRASE);
    if (passphrase->len == 0)
        return fail(TOOL_USAGE, "%s: the passphrase is empty", from);
    return TOOL_OK;
}

static int read_descriptor(const char *text, struct passphrase *passphrase)
{
    char *end;
    long fd = strtol(text, &end, 10);

    if (end == text || *end || fd < 0 || fd > 65535)
        return fail(TOOL_USAGE, "--passphrase-fd %s: give the number of a descriptor", text);
    return check_line(read_line((int)fd, passphrase), passphrase, "--passphrase-fd");
}

/* --- the terminal --------------------------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
    caught = number;
}

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
#define ENDING (sizeof(ending) / sizeof(*ending))

static int ask(int tty, const char *words, const char *path, struct passphrase *passphrase)
{
    int err = host_write(tty, "terminal", words, strlen(words));

    if (err == TOOL_OK)
        err = host_write(tty, "terminal", path, strlen(path));
    if (err == TOOL_OK)
        err = host_write(tty, "terminal", ": ", 2);
    if (err == TOOL_OK)
        err = check_line(read_line(tty, passphrase), passphrase, "terminal");
    (void)!write(tty, "\n", 1);
    return err;
}

/* Asks without echo, which ends before the prompt: a fast typist sees nothing either. A signal that
 * would end or stop the process takes effect after the terminal has its former state again. */
static int prompt(int tty, const char *words, const char *path, struct passphrase *passphrase)
{
    struct sigaction action = { .sa_handler = catch_signal }, former[ENDING];
    struct termios state, hidden;
    int err;

    if (tcgetattr(tty, &state) != 0)
        return fail_host("terminal");
    hidden = state;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    caught = 0;
    for (size_t i = 0; i < ENDING; i++)
        sigaction(ending[i], &action, &former[i]);
    err = tcsetattr(tty, TCSAFLUSH, &hidden) == 0 ? ask(tty, words, path, passphrase)
                                                  : fail_host("terminal");
    tcsetattr(tty, TCSAFLUSH, &state);
    for (size_t i = 0; i < ENDING; i++)
        sigaction(ending[i], &former[i], NULL);
    if (caught)
        raise(caught);
    return err;
}

static int read_terminal(int tty, const char *path, bool twice, struct passphrase *passphrase)
{
    struct passphrase again;
    int err = prompt(tty, twice ? "New passphrase of " : "Passphrase of ", path, passphrase);

    if (err != TOOL_OK || !twice)
        return err;
    err = prompt(tty, "The same again for ", path, &again);
    if (err == TOOL_OK &&
        (again.len != passphrase->len || memcmp(again.text, passphrase->text, again.len) != 0))
        err = fail(TOOL_NO, "%s: the two passphrases differ: nothing was written", path);
    passphrase_wipe(&again);
    return err;
}

int passphrase_read(struct passphrase *passphrase, const char *path, const char *fd, bool twice)
{
    int tty, err;

    *passphrase = (struct passphrase){ 0 };
    if (fd) {
        err = read_descriptor(fd, passphrase);
    } else {
        tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (tty < 0)
            return fail(TOOL_USAGE,
                        "%s: no terminal to ask for the passphrase: give --passphrase-fd N%s", path,
                        twice ? ", or --no-passphrase" : "");
        err = read_terminal(tty, path, twice, passphrase);
        close(tty);
    }
    if (err != TOOL_OK)
        passphrase_wipe(passphrase);
    return err;
}
