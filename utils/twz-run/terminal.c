/* SPDX-License-Identifier: MIT */
/* Ctrl-A ends a line, so the line arrives at once; the next key is then read unbuffered. */
#define _GNU_SOURCE
#include "terminal.h"

#include <twz/hostlink.h>

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define CTRL_A 1

static struct termios before;
static bool prepared;

/* Are standard output and standard error the same terminal? */
static bool is_same_terminal(void)
{
    struct stat out, err;

    return isatty(STDOUT_FILENO) && fstat(STDOUT_FILENO, &out) == 0 &&
           fstat(STDERR_FILENO, &err) == 0 && out.st_rdev == err.st_rdev &&
           out.st_ino == err.st_ino;
}

uint32_t terminal_bits(void)
{
    return (isatty(STDIN_FILENO) ? TWZ_HOST_TTY_IN : 0) |
           (isatty(STDOUT_FILENO) ? TWZ_HOST_TTY_OUT : 0) |
           (isatty(STDERR_FILENO) ? TWZ_HOST_TTY_ERR : 0) |
           (is_same_terminal() ? TWZ_HOST_TTY_ONE : 0);
}

void terminal_size(uint16_t *rows, uint16_t *cols)
{
    struct winsize w = { .ws_row = 0 };

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &w) < 0)
        w = (struct winsize){ .ws_row = 0 };
    *rows = w.ws_row;
    *cols = w.ws_col;
}

bool terminal_prepare(void)
{
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &before) < 0 || tcgetpgrp(STDIN_FILENO) != getpgrp())
        return false;
    t = before;
    t.c_cc[VEOL] = CTRL_A;
    prepared = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
    return prepared;
}

void terminal_restore(void)
{
    if (prepared)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    prepared = false;
}

bool terminal_is_leave(const unsigned char *data, size_t size)
{
    struct termios t;
    char key = 0;
    ssize_t n;

    if (!prepared || size == 0 || data[size - 1] != CTRL_A)
        return false;
    t = before;
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &t);
    n = read(STDIN_FILENO, &key, 1);
    t = before;
    t.c_cc[VEOL] = CTRL_A;
    tcsetattr(STDIN_FILENO, TCSANOW, &t);
    return n == 1 && (key == 'x' || key == 'X');
}
