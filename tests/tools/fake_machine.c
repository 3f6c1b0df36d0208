/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for QEMU in the test of twz-run. It takes QEMU's arguments, finds the host link's
 * descriptors in them, and plays the guest. The program's name in the RUN frame chooses the play.
 */
#define _GNU_SOURCE
#include <twz/hostlink.h>
#include <twz/signal.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int ctl = -1, in = -1, out = -1, err = -1;

static void read_all(int fd, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, (char *)data + done, size - done);

        if (n <= 0)
            _exit(99);
        done += (size_t)n;
    }
}

static void write_all(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)data + done, size - done);

        if (n <= 0)
            _exit(98);
        done += (size_t)n;
    }
}

static void send_frame(uint16_t type, const void *payload, uint32_t len)
{
    struct twz_host_frame f = { .magic = TWZ_HOST_MAGIC, .type = type, .len = len };

    write_all(ctl, &f, sizeof(f));
    write_all(ctl, payload, len);
}

static void end_program(int status)
{
    struct twz_host_exit e = { .status = status };

    send_frame(TWZ_HOST_EXIT, &e, sizeof(e));
}

/* Receive the next frame; the caller frees *payload. */
static struct twz_host_frame next_frame(char **payload)
{
    struct twz_host_frame f;

    read_all(ctl, &f, sizeof(f));
    *payload = calloc(1, f.len + 1);
    if (!*payload)
        _exit(97);
    read_all(ctl, *payload, f.len);
    return f;
}

static void find_ports(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        sscanf(argv[i], "socket,id=twz.ctl,fd=%d", &ctl);
        sscanf(argv[i], "socket,id=twz.in,fd=%d", &in);
        sscanf(argv[i], "socket,id=twz.out,fd=%d", &out);
        sscanf(argv[i], "socket,id=twz.err,fd=%d", &err);
    }
}

/* Copy standard input to output, `want` bytes at a time; stop after `most` bytes. */
static int play_cat(uint64_t want, uint64_t most)
{
    static char data[TWZ_HOST_LEN_MAX];

    for (uint64_t sum = 0; sum < most;) {
        struct twz_host_want w = { .len = want };
        struct twz_host_give g;

        write_all(in, &w, sizeof(w));
        read_all(in, &g, sizeof(g));
        if (g.len == 0)
            break;
        if (g.len > want)
            return 96;
        read_all(in, data, g.len);
        write_all(out, data, g.len);
        sum += g.len;
    }
    return 0;
}

static int play_signal(bool obey)
{
    char *payload;
    struct twz_host_frame f;
    struct twz_host_signal s;

    dprintf(out, "waiting\n");
    do {
        f = next_frame(&payload);
    } while (f.type != TWZ_HOST_SIGNAL);
    memcpy(&s, payload, sizeof(s));
    free(payload);
    dprintf(out, "signal %u\n", s.signo);
    while (!obey)
        pause();
    return (int)TWZ_EXIT_BY_SIGNAL(s.signo);
}

/* The status of a program whose output could not be written: by signal, or the reported error. */
static int vain_status(const struct twz_host_frame *f, const char *payload)
{
    struct twz_host_signal s;
    struct twz_host_lost lost;

    if (f->type == TWZ_HOST_SIGNAL) {
        memcpy(&s, payload, sizeof(s));
        return (int)TWZ_EXIT_BY_SIGNAL(s.signo);
    }
    memcpy(&lost, payload, sizeof(lost));
    return f->type == TWZ_HOST_LOST && lost.port == TWZ_HOST_OUT ? (int)lost.error : 95;
}

static void play_spam(void)
{
    char *payload;
    char block[4096];
    struct twz_host_frame f;

    signal(SIGPIPE, SIG_IGN);
    memset(block, 'y', sizeof(block));
    for (int i = 0; i < 64; i++)
        write_all(out, block, sizeof(block));
    f = next_frame(&payload);
    end_program(vain_status(&f, payload));
    free(payload);
}

/* Print argc, envc, terminal bits, each argument and variable: the test compares them. */
static void play_echo(const struct twz_host_run *run, const char *strings)
{
    dprintf(out, "argc %u envc %u tty %u\n", run->argc, run->envc, run->ttybits);
    for (uint32_t i = 0; i < run->argc + run->envc; i++) {
        dprintf(out, "[%s]\n", strings);
        strings += strlen(strings) + 1;
    }
}

/* A guest that sends what would excuse it from a deadline, again and again. */
static void play_deaf(const char *word)
{
    char *payload;
    struct twz_host_frame f;

    if (strcmp(word, "exited") == 0)
        end_program(0);
    send_frame(TWZ_HOST_READY, NULL, 0);
    dprintf(out, "waiting\n");
    while (true) {
        f = next_frame(&payload);
        free(payload);
        send_frame(TWZ_HOST_READY, NULL, 0);
        if (f.type == TWZ_HOST_SIGNAL && strcmp(word, "exits") == 0)
            end_program(0);
        dprintf(out, "deaf\n");
    }
}

/* The log in writes that each fill the pipe, so that twz-run finds as much to read as can be. */
static void play_log(int lines)
{
    static char full[65536];

    setvbuf(stdout, full, _IOFBF, sizeof(full));
    for (int i = 0; i < lines; i++)
        printf("line %d of the log\n", i);
    fflush(stdout);
}

/* A process that outlives the machine, with the ends of the link and the log, until twz-run closes
 * the other end. */
static void leave_orphan(void)
{
    char c;

    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
        while (read(ctl, &c, 1) > 0)
            ;
        _exit(0);
    }
    dprintf(STDOUT_FILENO, "the last line of the log\n");
}

/* The plays that end before the guest is ready. */
static void play_boot(const char *name, const char *word)
{
    if (strcmp(name, "hang-at-boot") == 0) {
        while (true)
            pause();
    }
    if (strcmp(name, "stop") == 0) {
        dprintf(STDOUT_FILENO, "pool: superblock: bad checksum\n");
        exit(2 * atoi(word) + 1);
    }
    if (strcmp(name, "garbage") == 0) {
        write_all(ctl, "this is no frame at all", 23);
        pause();
    }
}

static void play(const struct twz_host_run *run, const char *strings)
{
    const char *name = run->argc ? strings : "";
    const char *word = run->argc > 1 ? strings + strlen(strings) + 1 : "";
    int status = 0;
    static const char late[150000] = "late";

    play_boot(name, word);
    send_frame(TWZ_HOST_READY, NULL, 0);
    if (strcmp(name, "die") == 0)
        raise(SIGKILL);
    if (strcmp(name, "power-off") == 0)
        exit(0);
    if (strcmp(name, "spam") == 0) {
        play_spam();
        return;
    }

    if (strcmp(name, "deaf") == 0)
        play_deaf(word);
    if (strcmp(name, "log") == 0)
        play_log(atoi(word));
    if (strcmp(name, "exit") == 0) {
        dprintf(err, "to error\n");
        status = atoi(word);
    } else if (strcmp(name, "cat") == 0 || run->argc == 0) {
        status = play_cat(TWZ_HOST_LEN_MAX, UINT64_MAX);
    } else if (strcmp(name, "head") == 0) {
        status = play_cat(1, (uint64_t)atoi(word));
    } else if (strcmp(name, "signal") == 0) {
        status = play_signal(strcmp(word, "ignore") != 0);
    } else {
        send_frame(999, "unknown type", 12);
        play_echo(run, strings);
    }
    end_program(status);
    if (strcmp(name, "orphan") == 0)
        leave_orphan();
    if (strncmp(name, "late", 4) == 0)
        write_all(out, late, sizeof(late));
    while (strcmp(name, "stay") == 0 || strcmp(name, "late-deaf") == 0)
        pause();
}

int main(int argc, char **argv)
{
    char *payload;
    struct twz_host_frame f;
    struct twz_host_run run;

    find_ports(argc, argv);
    if (ctl < 0 || in < 0 || out < 0 || err < 0)
        return 94;
    f = next_frame(&payload);
    memcpy(&run, payload, sizeof(run));
    if (f.magic != TWZ_HOST_MAGIC || f.type != TWZ_HOST_RUN)
        return 93;
    play(&run, payload + sizeof(run));
    free(payload);
    return 0;
}
