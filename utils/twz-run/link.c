/* SPDX-License-Identifier: MIT */
/*
 * One poll loop serves the four ports, the standard streams and the signals; only poll blocks.
 * Standard input is polled only while a request of the guest for input is open, and is read once
 * for it.
 *
 * A first ending signal goes to the program, a second one ends the machine. Before the guest is
 * ready, the first one ends the machine. TERM and HUP, and without a terminal INT and QUIT, set a
 * deadline for the machine too. Nothing that the guest sends moves a deadline to later: the guest
 * is ready once, and exits once. The loop ends when the machine's process is gone and both outputs
 * are delivered; after the end by a signal, without the outputs if nothing reads them.
 *
 * When the process is gone, the deadlines for it are over, its number is not used any more, and all
 * that it wrote is in the ports and the log's pipe. So a port or log that is empty then has ended,
 * even if another process still holds its other end.
 */
#define _GNU_SOURCE
#include "link.h"
#include "channel.h"
#include "report.h"
#include "terminal.h"

#include <twz/hostlink.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TERM_MS   5000  /* from the first ending signal to the machine's end */
#define EXIT_MS   10000 /* from the program's end to the machine's */
#define REPEAT_MS 1000  /* at the prompt, a second Ctrl-C within this ends the machine */

struct queue {
    unsigned char *data;
    size_t start;
    size_t end;
    size_t capacity;
};

struct link {
    const struct options *o;
    const struct machine *m;
    struct link_result *r;
    bool gone;   /* the machine's process was reaped */
    bool killed; /* by this program, for a signal or a deadline */
    bool ctl_ended;
    int64_t boot_deadline; /* ms, 0: none; until the guest is ready */
    int64_t deadline;      /* ms, 0: none; only moves to earlier */
    int64_t signaled;      /* when the last ending signal came */
    struct log *log;
    struct queue to_ctl;
    unsigned char frame[sizeof(struct twz_host_frame) + sizeof(struct twz_host_exit)];
    size_t frame_len;
    size_t skip; /* bytes of payload to ignore */
    struct twz_host_want want;
    size_t want_len; /* bytes of `want` received; all of them: a request for input is open */
    bool in_ended;
    size_t give_start;
    size_t give_end;
    struct channel out;
    struct channel err;
    unsigned char give[sizeof(struct twz_host_give) + TWZ_HOST_LEN_MAX];
};

enum { WAIT_SIGNALS, WAIT_CTL, WAIT_IN, WAIT_STDIN, WAIT_OUT, WAIT_ERR, WAIT_LOG, WAIT_COUNT };

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* After the machine was reaped, its number may be that of another process. */
static void kill_machine(const struct link *l)
{
    if (!l->gone)
        machine_kill(l->m);
}

/* Frames to the guest */

static void queue_add(struct queue *q, const void *data, size_t size)
{
    if (q->end + size > q->capacity) {
        size_t capacity = (q->end + size) * 2;
        unsigned char *grown = realloc(q->data, capacity);

        if (!grown) {
            report_message("out of memory");
            exit(EXIT_MACHINE);
        }
        q->data = grown;
        q->capacity = capacity;
    }
    memcpy(q->data + q->end, data, size);
    q->end += size;
}

static void send_frame(struct link *l, uint16_t type, const void *payload, uint32_t len)
{
    struct twz_host_frame f = { .magic = TWZ_HOST_MAGIC, .type = type, .len = len };

    queue_add(&l->to_ctl, &f, sizeof(f));
    queue_add(&l->to_ctl, payload, len);
}

static void send_signal(struct link *l, int signo)
{
    struct twz_host_signal s = { .signo = (uint32_t)signo };

    send_frame(l, TWZ_HOST_SIGNAL, &s, sizeof(s));
}

/* Tell the program that an output of it cannot be written any more, by SIGPIPE or by an error. */
static void send_loss(struct link *l, uint32_t port, int error)
{
    struct twz_host_lost lost = { .port = port, .error = (uint32_t)error };

    if (error == EPIPE)
        send_signal(l, SIGPIPE);
    else
        send_frame(l, TWZ_HOST_LOST, &lost, sizeof(lost));
}

static void send_winch(struct link *l)
{
    struct twz_host_winch w;

    terminal_size(&w.rows, &w.cols);
    send_frame(l, TWZ_HOST_WINCH, &w, sizeof(w));
}

/* Send the RUN frame: program, arguments, environment. 0, or an exit code after a message. */
static int send_run(struct link *l)
{
    const struct options *o = l->o;
    struct twz_host_run run = { .argc = o->program_count, .envc = o->env_count };
    struct queue payload = { .data = NULL };
    bool fits;

    run.ttybits = terminal_bits();
    terminal_size(&run.rows, &run.cols);

    queue_add(&payload, &run, sizeof(run));
    for (uint32_t i = 0; i < o->program_count; i++)
        queue_add(&payload, o->program[i], strlen(o->program[i]) + 1);
    for (uint32_t i = 0; i < o->env_count; i++)
        queue_add(&payload, o->env[i], strlen(o->env[i]) + 1);

    fits = payload.end <= TWZ_HOST_LEN_MAX;
    if (fits)
        send_frame(l, TWZ_HOST_RUN, payload.data, (uint32_t)payload.end);
    else
        report_message("arguments and environment are longer than 1 MiB: shorten them");
    free(payload.data);
    return fits ? 0 : EXIT_WRONG_USE;
}

static void flush_ctl(struct link *l)
{
    struct queue *q = &l->to_ctl;
    long n = write_some(l->m->port[PORT_CTL], q->data + q->start, q->end - q->start);

    q->start += n < 0 ? q->end - q->start : (size_t)n;
    if (q->start == q->end)
        q->start = q->end = 0;
}

/* Frames from the guest */

/* End the machine in `ms` from now on, unless it ends earlier anyway. */
static void set_deadline(struct link *l, int64_t ms)
{
    int64_t at = now_ms() + ms;

    if (!l->deadline || at < l->deadline)
        l->deadline = at;
}

static void handle_frame(struct link *l, const struct twz_host_frame *f)
{
    if (f->type == TWZ_HOST_READY) {
        l->r->ready = true;
        l->boot_deadline = 0;
    }
    if (f->type == TWZ_HOST_EXIT && f->len == sizeof(struct twz_host_exit) && !l->r->exited) {
        struct twz_host_exit e;

        memcpy(&e, l->frame + sizeof(*f), sizeof(e));
        l->r->exited = true;
        l->r->status = e.status & 0xff;
        set_deadline(l, EXIT_MS);
    }
}

/* The bytes of the frame that are missing before it can be handled; the rest will be skipped. */
static size_t frame_missing(struct link *l, struct twz_host_frame *f)
{
    size_t whole;

    if (l->frame_len < sizeof(*f))
        return sizeof(*f) - l->frame_len;
    memcpy(f, l->frame, sizeof(*f));
    whole = sizeof(*f) + f->len;
    if (whole > sizeof(l->frame))
        whole = sizeof(l->frame);
    return whole - l->frame_len;
}

static void end_ctl(struct link *l, const char *why)
{
    l->ctl_ended = true;
    if (!why)
        return;
    report_message("the guest speaks another protocol (%s): kernel and twz-run differ in version",
                   why);
    kill_machine(l);
}

/* Handle the frames in the received bytes; a frame may come in parts. */
static void receive_frames(struct link *l, const unsigned char *data, size_t size)
{
    while (size && !l->ctl_ended) {
        struct twz_host_frame f;
        size_t missing;
        size_t n;

        if (l->skip) {
            n = l->skip < size ? l->skip : size;
            l->skip -= n;
            data += n;
            size -= n;
            continue;
        }
        f = (struct twz_host_frame){ .magic = TWZ_HOST_MAGIC };
        missing = frame_missing(l, &f);
        n = missing < size ? missing : size;
        memcpy(l->frame + l->frame_len, data, n);
        l->frame_len += n;
        data += n;
        size -= n;
        if (frame_missing(l, &f))
            continue;
        if (f.magic != TWZ_HOST_MAGIC || f.len > TWZ_HOST_LEN_MAX) {
            end_ctl(l, "bad frame");
            return;
        }
        handle_frame(l, &f);
        l->skip = sizeof(f) + f.len - l->frame_len;
        l->frame_len = 0;
    }
}

static void read_ctl(struct link *l)
{
    unsigned char data[4096];
    ssize_t n = read(l->m->port[PORT_CTL], data, sizeof(data));

    if (n > 0)
        receive_frames(l, data, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        end_ctl(l, NULL);
}

/* Standard input */

static bool is_want_open(const struct link *l)
{
    return l->want_len == sizeof(l->want) && l->give_start == l->give_end;
}

static void read_want(struct link *l)
{
    ssize_t n = read(l->m->port[PORT_IN], (unsigned char *)&l->want + l->want_len,
                     sizeof(l->want) - l->want_len);

    if (n > 0)
        l->want_len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        l->in_ended = true;
    if (is_want_open(l) && (l->want.len == 0 || l->want.len > TWZ_HOST_LEN_MAX)) {
        report_message("the guest asked for %llu bytes of input at once: kernel and twz-run differ "
                       "in version",
                       (unsigned long long)l->want.len);
        l->in_ended = true;
    }
}

/* Answer the open request for input with one read of standard input. */
static void read_stdin(struct link *l)
{
    struct twz_host_give give = { .len = 0 };
    unsigned char *data = l->give + sizeof(give);
    ssize_t n = read(STDIN_FILENO, data, (size_t)l->want.len);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && terminal_is_leave(data, (size_t)n)) {
        l->r->left = true;
        kill_machine(l);
        return;
    }
    give.len = n > 0 ? (uint64_t)n : 0;
    memcpy(l->give, &give, sizeof(give));
    l->give_start = 0;
    l->give_end = sizeof(give) + (size_t)give.len;
    l->want_len = 0;
}

static void write_give(struct link *l)
{
    long n = write_some(l->m->port[PORT_IN], l->give + l->give_start, l->give_end - l->give_start);

    if (n < 0)
        l->in_ended = true;
    else
        l->give_start += (size_t)n;
}

/* Signals */

static void end_by_signal(struct link *l, int signo)
{
    l->r->signal = signo;
    l->killed = true;
    kill_machine(l);
}

/* At a terminal, INT and QUIT are keys: a program may handle them and go on. */
static bool must_end(int signo)
{
    return signo == SIGTERM || signo == SIGHUP || !(terminal_bits() & TWZ_HOST_TTY_IN);
}

static void handle_ending_signal(struct link *l, int signo)
{
    int64_t now = now_ms();
    bool prompt = l->o->program_count == 0;
    bool repeated = l->signaled && (!prompt || now - l->signaled < REPEAT_MS);

    l->signaled = now;
    if (!l->r->ready || repeated) {
        end_by_signal(l, signo);
        return;
    }
    send_signal(l, signo);
    if (must_end(signo) || l->r->exited) {
        l->r->signal = signo;
        set_deadline(l, TERM_MS);
    }
}

static void read_signal(struct link *l, int signals)
{
    struct signalfd_siginfo info;
    int signo;

    if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    signo = (int)info.ssi_signo;
    if (signo == SIGCHLD)
        l->gone |= waitpid(l->m->pid, &l->r->wait_status, WNOHANG) == l->m->pid;
    else if (signo == SIGWINCH)
        send_winch(l);
    else
        handle_ending_signal(l, signo);
}

/* The loop */

/* Set the descriptors to poll for. */
static void prepare_poll(const struct link *l, struct pollfd *p, int signals)
{
    for (int i = 0; i < WAIT_COUNT; i++)
        p[i] = (struct pollfd){ .fd = -1 };
    p[WAIT_SIGNALS] = (struct pollfd){ .fd = signals, .events = POLLIN };
    if (!l->ctl_ended) {
        short flush = l->to_ctl.start < l->to_ctl.end ? POLLOUT : 0;

        p[WAIT_CTL] =
            (struct pollfd){ .fd = l->m->port[PORT_CTL], .events = (short)(POLLIN | flush) };
    }
    if (!l->in_ended && l->give_start < l->give_end)
        p[WAIT_IN] = (struct pollfd){ .fd = l->m->port[PORT_IN], .events = POLLOUT };
    else if (!l->in_ended && is_want_open(l))
        p[WAIT_STDIN] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
    else if (!l->in_ended)
        p[WAIT_IN] = (struct pollfd){ .fd = l->m->port[PORT_IN], .events = POLLIN };
    p[WAIT_OUT] = channel_wants(&l->out);
    p[WAIT_ERR] = channel_wants(&l->err);
    if (!l->log->ended)
        p[WAIT_LOG] = (struct pollfd){ .fd = l->log->from, .events = POLLIN };
}

static void handle_ready(struct link *l, const struct pollfd *p, int signals)
{
    if (p[WAIT_CTL].revents & POLLOUT)
        flush_ctl(l);
    if (p[WAIT_CTL].revents & ~POLLOUT)
        read_ctl(l);
    if (p[WAIT_IN].revents && l->give_start < l->give_end)
        write_give(l);
    else if (p[WAIT_IN].revents)
        read_want(l);
    if (p[WAIT_STDIN].revents)
        read_stdin(l);
    if (p[WAIT_OUT].revents && channel_move(&l->out))
        send_loss(l, TWZ_HOST_OUT, l->out.error);
    if (p[WAIT_ERR].revents && channel_move(&l->err))
        send_loss(l, TWZ_HOST_ERR, l->err.error);
    if (p[WAIT_LOG].revents)
        log_move(l->log);
    if (p[WAIT_SIGNALS].revents)
        read_signal(l, signals);
}

static int time_left(struct link *l)
{
    int64_t at = l->deadline;
    int64_t left;

    if (l->boot_deadline && (!at || l->boot_deadline < at))
        at = l->boot_deadline;
    if (!at || l->killed || (l->gone && !l->r->signal))
        return -1;
    left = at - now_ms();
    return left > 0 ? (int)left : 0;
}

/* If the machine is gone, a signal set the deadline: for the delivery of the output. */
static void handle_deadline(struct link *l)
{
    l->r->stuck = !l->gone && l->r->exited;
    l->r->boot_timeout = !l->gone && !l->r->ready;
    l->killed = true;
    kill_machine(l);
}

static bool has_input(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) > 0;
}

/* The machine is gone: what has nothing to read has ended. */
static void end_empty(struct link *l)
{
    l->in_ended = true;
    l->ctl_ended = l->ctl_ended || !has_input(l->m->port[PORT_CTL]);
    l->out.ended = l->out.ended || !has_input(l->m->port[PORT_OUT]);
    l->err.ended = l->err.ended || !has_input(l->m->port[PORT_ERR]);
    l->log->ended = l->log->ended || !has_input(l->log->from);
}

/* Can an output that has bytes take some now? */
static bool is_writable(const struct link *l)
{
    struct pollfd p[] = { channel_wants(&l->out), channel_wants(&l->err) };

    return poll(p, 2, 0) > 0;
}

/* A user who ended the machine by a signal does not wait for a reader of the output either. */
static bool is_done(const struct link *l)
{
    bool delivered = channel_done(&l->out) && channel_done(&l->err);

    return l->gone && l->ctl_ended && l->log->ended &&
           (delivered || (l->killed && l->r->signal && !is_writable(l)));
}

int link_run(const struct options *o, const struct machine *m, struct log *log, int signals,
             struct link_result *r)
{
    static struct link l; /* zero; one run for each process */
    int err;
    int lost;

    l.o = o;
    l.m = m;
    l.r = r;
    l.log = log;
    *r = (struct link_result){ .ready = o->bare };
    channel_init(&l.out, m->port[PORT_OUT], STDOUT_FILENO);
    channel_init(&l.err, m->port[PORT_ERR], STDERR_FILENO);
    l.ctl_ended = l.in_ended = l.out.ended = l.err.ended = o->bare;
    if (o->boot_seconds && !o->bare && !o->gdb)
        l.boot_deadline = now_ms() + (int64_t)o->boot_seconds * 1000;

    err = o->bare ? 0 : send_run(&l);
    if (err)
        machine_kill(m);
    while (!is_done(&l)) {
        struct pollfd p[WAIT_COUNT];
        int n;

        prepare_poll(&l, p, signals);
        n = poll(p, WAIT_COUNT, time_left(&l));
        if (n > 0)
            handle_ready(&l, p, signals);
        if (time_left(&l) == 0)
            handle_deadline(&l);
        if (l.gone)
            end_empty(&l);
    }
    lost = l.out.error && l.out.error != EPIPE ? l.out.error : l.err.error;
    r->lost = lost == EPIPE ? 0 : lost;
    free(l.to_ctl.data);
    return err;
}
