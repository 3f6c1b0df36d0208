/* SPDX-License-Identifier: MIT */
/*
 * The rings of the console object. All processes share them. Each port has a lock for each
 * direction. The locks are twz_mutexes, so a process that dies releases its locks. A writer that
 * dies has published whole chunks only, because the tail moves after the bytes are in the ring.
 *
 * Any process may store any value in the words of user code: the counters out_tail and in_head, the
 * locks and the states. The rings' offsets and sizes are constants, and the kernel's counters are
 * read-only. A stored value must not decide where this file reads or writes. So the two counters
 * are validated against the kernel's before each use (valid_tail, valid_head), and a bad one is
 * replaced. Bytes of other processes may be lost by that; the port is usable again.
 *
 * Input comes on request: the reader sends a `want`, the host answers with a `give` and at most
 * that many bytes. Bytes of a give that no reader took stay in the ring for the next reader, of any
 * process. The `state` word of port IN, guarded by lock_in, is the state of this protocol:
 *
 *   0              there is no request
 *   INPUT_WANTED   a want was sent; the give was not read yet
 *   n              n bytes of a give are in the ring, or will be
 *
 * The `state` word of an output port is 0, or the error with which the host's own write failed;
 * init stores that error. Each later write fails with the same error, because its bytes would be
 * lost.
 *
 * A waiting thread holds no lock. It sleeps on the ring counter that the kernel moves, and only
 * while the kernel has a reason to move it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <twz/call.h>
#include <twz/hostlink.h>
#include <twz/kso.h>

#include "base/copy.h"
#include "base/lock.h"
#include "base/process.h"
#include "base/signals.h"
#include "base/wait.h"
#include "console.h"

#define INPUT_WANTED (1ull << 63)
#define ERROR_MASK   0xfffu /* any process may write the word: no more than an errno is used */

/* A port: its number, the words of the kernel, and those of user code. */
struct port {
    uint32_t number;
    const struct twz_port *kern;
    struct twz_port_user *user;
};

static struct port port_of(uint32_t number)
{
    const uint8_t *start = (const uint8_t *)TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE);
    const struct twz_console *kern = (const struct twz_console *)(start + TWZ_OBJ_BASE);
    struct twz_console_user *user = (struct twz_console_user *)(start + TWZ_CONSOLE_USER);

    return (struct port){ number, &kern->port[number], &user->port[number] };
}

static uint8_t *ring_out(uint32_t number)
{
    return (uint8_t *)TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_RING_OUT(number);
}

static const uint8_t *ring_in(uint32_t number)
{
    return (const uint8_t *)TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_RING_IN(number);
}

static struct twz_mutex *lock_of(uint64_t *word)
{
    return (struct twz_mutex *)(void *)word;
}

static void notify_host(uint32_t port)
{
    (void)twz_sys_dev_ctl(process_system()->console, TWZ_DEV_NOTIFY, port);
}

static uint64_t load_word(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* --- output ----------------------------------------------------------------------------------- */

/* Returns the end of the bytes in the ring; replaces a counter that no writer can have stored. The
 * caller must hold the port's lock for output. */
static uint64_t valid_tail(const struct port *p)
{
    uint64_t tail = load_word(&p->user->out_tail);
    uint64_t taken = load_word(&p->kern->out_taken);
    uint64_t head = load_word(&p->kern->out_head);
    uint64_t size = TWZ_RING_OUT_SIZE(p->number);

    if (tail - head <= size && tail - taken <= size)
        return tail;
    __atomic_store_n(&p->user->out_tail, taken, __ATOMIC_RELEASE);
    return taken;
}

/* Writes as many bytes as there is space for, at least one. Returns their number or an error;
 * -EAGAIN: the ring is full. The caller must hold the port's lock for output. */
static int64_t write_to_host(const struct port *p, const uint8_t *buf, uint64_t len)
{
    uint64_t size = TWZ_RING_OUT_SIZE(p->number);
    uint8_t *ring = ring_out(p->number);
    uint64_t tail = valid_tail(p);
    uint64_t space = size - (tail - load_word(&p->kern->out_head));
    uint64_t at = tail & (size - 1);
    uint64_t first;
    int err;

    if (space == 0 || space > size) /* > size: another writer without the lock moved the tail */
        return -EAGAIN;
    if (len > space)
        len = space;
    first = len < size - at ? len : size - at;
    err = copy_bytes(ring + at, buf, first, ring);
    if (err == 0 && len > first)
        err = copy_bytes(ring, buf + first, len - first, ring);
    if (err < 0)
        return err;
    __atomic_store_n(&p->user->out_tail, tail + len, __ATOMIC_RELEASE);
    return (int64_t)len;
}

/* Waits until the ring may have space. Returns 0 or -EINTR. The kernel raises out_head as long as
 * the device has bytes to read. */
static int wait_for_space(const struct port *p)
{
    uint64_t head;

    if (!load_word(&p->kern->open))
        return wait_word(&p->kern->open, 0, TWZ_FOREVER);
    notify_host(p->number);
    head = load_word(&p->kern->out_head);
    if (load_word(&p->kern->out_taken) == head)
        return 0;
    return wait_word(&p->kern->out_head, head, TWZ_FOREVER);
}

/* Returns the port for output on f. If output and errors are one terminal on the host, both use one
 * ring, which keeps the order of the bytes. */
static uint32_t out_port(const struct file *f)
{
    if (f->sub == TWZ_PORT_ERR && (process.args->ttybits & TWZ_HOST_TTY_ONE))
        return TWZ_PORT_OUT;
    return f->sub == TWZ_PORT_CTL ? TWZ_PORT_OUT : f->sub;
}

/* Checks whether the host still takes output. Returns 0 or the host's error. If the host stopped
 * reading, raises SIGPIPE and returns -EPIPE. */
static int check_output(const struct port *p)
{
    uint64_t error = load_word(&p->user->state) & ERROR_MASK;

    if (!load_word(&p->kern->closed))
        return -(int)error;
    signals_raise(SIGPIPE);
    return -EPIPE;
}

/* Writes all bytes, unless the host stops reading, a signal ends the wait, or O_NONBLOCK forbids
 * the wait. */
static int64_t console_write(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    struct port p = port_of(out_port(f));
    uint64_t done = 0;
    int64_t ret = 0;

    (void)off;
    while (done < len && ret >= 0) {
        ret = check_output(&p);
        if (ret < 0)
            break;
        lock_acquire(lock_of(&p.user->lock));
        ret = write_to_host(&p, (const uint8_t *)buf + done, len - done);
        lock_release(lock_of(&p.user->lock));
        if (ret > 0) {
            done += (uint64_t)ret;
            notify_host(p.number);
        } else if (ret == -EAGAIN && !(f->state->flags & O_NONBLOCK)) {
            ret = wait_for_space(&p);
        }
    }
    return done ? (int64_t)done : ret;
}

/* --- input ------------------------------------------------------------------------------------ */

/* Returns the position of the first byte that no reader took; replaces a counter that no reader can
 * have stored. The caller must hold lock_in. */
static uint64_t valid_head(const struct port *p, uint64_t tail)
{
    uint64_t head = load_word(&p->user->in_head);
    uint64_t read = load_word(&p->kern->in_read);

    if (head - read <= tail - read)
        return head;
    __atomic_store_n(&p->user->in_head, read, __ATOMIC_RELEASE);
    return read;
}

/* Marks the bytes before `head` as read. */
static void take_input(const struct port *p, uint64_t head)
{
    __atomic_store_n(&p->user->in_head, head, __ATOMIC_RELEASE);
    notify_host(p->number);
}

/* Copies bytes out of the ring; the head does not move. */
static void peek_ring(const struct port *p, uint64_t head, void *buf, uint64_t len)
{
    uint64_t at = head & (TWZ_RING_IN_SIZE(p->number) - 1);
    uint64_t rest = TWZ_RING_IN_SIZE(p->number) - at;
    uint64_t first = len < rest ? len : rest;

    copy_raw(buf, ring_in(p->number) + at, first);
    copy_raw((uint8_t *)buf + first, ring_in(p->number), len - first);
}

static void send_want(const struct port *p, uint64_t len)
{
    struct twz_host_want want = { .len = len < TWZ_HOST_LEN_MAX ? len : TWZ_HOST_LEN_MAX };

    if (write_to_host(p, (const uint8_t *)&want, sizeof(want)) == sizeof(want))
        p->user->state = INPUT_WANTED;
}

/* Advances the input protocol as far as possible without a wait. Returns 1 if there are bytes, 0 at
 * the end of the file. Returns -EAGAIN if the caller must wait until in_tail is not *tail. The
 * caller must hold lock_in. */
static int advance_input(const struct port *p, uint64_t len, uint64_t *tail)
{
    struct twz_host_give give;
    uint64_t head;

    *tail = load_word(&p->kern->in_tail);
    head = valid_head(p, *tail);
    if (p->user->state == 0) {
        send_want(p, len);
        notify_host(p->number);
    }
    if (p->user->state == INPUT_WANTED) {
        if (*tail - head < sizeof(give))
            return -EAGAIN;
        peek_ring(p, head, &give, sizeof(give));
        head += sizeof(give);
        p->user->state = give.len <= TWZ_HOST_LEN_MAX ? give.len : 0;
        take_input(p, head);
        if (p->user->state == 0)
            return 0;
    }
    return *tail == head ? -EAGAIN : 1;
}

/* Reads bytes of the current give. Returns their number or an error. The caller must hold
 * lock_in. */
static int64_t read_input(const struct port *p, uint8_t *buf, uint64_t len)
{
    uint64_t tail = load_word(&p->kern->in_tail);
    uint64_t head = valid_head(p, tail);
    uint64_t left = load_word(&p->user->state);
    uint64_t at = head & (TWZ_RING_IN_SIZE(p->number) - 1);
    uint64_t n = len < left ? len : left;
    int err;

    if (n > tail - head)
        n = tail - head;
    if (n > TWZ_RING_IN_SIZE(p->number) - at)
        n = TWZ_RING_IN_SIZE(p->number) - at;
    err = copy_bytes(buf, ring_in(p->number) + at, n, ring_in(p->number));
    if (err < 0)
        return err;
    p->user->state = left - n;
    take_input(p, head + n);
    return (int64_t)n;
}

/* Reads the bytes that are there; requests and waits for more only if there are none. */
static int64_t console_read(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    struct port p = port_of(TWZ_PORT_IN);
    uint64_t tail;
    int64_t ret;

    (void)off;
    if (len == 0)
        return 0;
    for (;;) {
        if (load_word(&p.kern->closed) && p.user->state == 0)
            return 0;
        lock_acquire(lock_of(&p.user->lock_in));
        ret = advance_input(&p, len, &tail);
        if (ret == 1)
            ret = read_input(&p, buf, len);
        lock_release(lock_of(&p.user->lock_in));
        if (ret != -EAGAIN || (f->state->flags & O_NONBLOCK))
            return ret;
        ret = wait_word(&p.kern->in_tail, tail, TWZ_FOREVER);
        if (ret < 0)
            return ret;
    }
}

/* --- the other operations --------------------------------------------------------------------- */

static bool is_terminal(const struct file *f)
{
    uint32_t bits = process.args->ttybits;

    switch (f->sub) {
    case TWZ_PORT_IN: return (bits & TWZ_HOST_TTY_IN) != 0;
    case TWZ_PORT_OUT: return (bits & TWZ_HOST_TTY_OUT) != 0;
    case TWZ_PORT_ERR: return (bits & TWZ_HOST_TTY_ERR) != 0;
    default: return bits != 0;
    }
}

static int console_stat(struct file *f, struct stat *st)
{
    file_stat_device(st, 5, f->sub);
    if (is_terminal(f))
        return 0;
    st->st_mode = S_IFIFO | 0600;
    st->st_rdev = 0;
    return 0;
}

/* Linux's struct termios: four words of flags, the line, 19 characters. */
struct terminal_modes {
    uint32_t in, out, control, local;
    uint8_t line, cc[19];
};

/* Fills in the modes of an ordinary terminal. The host owns the true modes; a program cannot set
 * them. */
static int get_terminal_modes(struct terminal_modes *modes)
{
    *modes = (struct terminal_modes){
        .in = ICRNL | IXON,
        .out = OPOST | ONLCR,
        .control = CS8 | CREAD | B38400,
        .local = ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN,
        .cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1 },
    };
    return 0;
}

static int get_window_size(struct winsize *size)
{
    *size = (struct winsize){ .ws_row = (unsigned short)process.args->rows,
                              .ws_col = (unsigned short)process.args->cols };
    return 0;
}

/* The bytes of a give that no reader took yet. */
static int count_input(void)
{
    uint64_t left = load_word(&port_of(TWZ_PORT_IN).user->state);

    return left <= TWZ_HOST_LEN_MAX ? (int)left : 0;
}

/* Requests that set terminal modes succeed and do nothing. */
static int console_ioctl(struct file *f, int64_t request, void *arg)
{
    switch (request) {
    case FIONREAD: *(int *)arg = count_input(); return 0;
    case TIOCGWINSZ: return is_terminal(f) ? get_window_size(arg) : -ENOTTY;
    case TCGETS: return is_terminal(f) ? get_terminal_modes(arg) : -ENOTTY;
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TIOCSWINSZ:
    case TIOCSPGRP: return is_terminal(f) ? 0 : -ENOTTY;
    case TIOCGPGRP:
        if (!is_terminal(f))
            return -ENOTTY;
        *(int *)arg = process.pid;
        return 0;
    default: return -ENOTTY;
    }
}

static uint32_t poll_in(struct twz_sync *wait)
{
    struct port p = port_of(TWZ_PORT_IN);
    uint64_t tail;
    int64_t ret;

    lock_acquire(lock_of(&p.user->lock_in));
    ret = advance_input(&p, 1, &tail);
    lock_release(lock_of(&p.user->lock_in));
    if (ret != -EAGAIN)
        return POLLIN | POLLRDNORM;
    *wait = wait_sleep_op(&p.kern->in_tail, tail);
    return 0;
}

/* A tail that no writer can have stored does not fill the ring: the next writer replaces it. */
static uint32_t poll_out(uint32_t number, struct twz_sync *wait)
{
    struct port p = port_of(number);
    uint64_t head = load_word(&p.kern->out_head);

    if (load_word(&p.kern->closed))
        return POLLOUT | POLLERR;
    if (load_word(&p.user->out_tail) - head != TWZ_RING_OUT_SIZE(number) ||
        load_word(&p.kern->out_taken) == head)
        return POLLOUT | POLLWRNORM;
    *wait = wait_sleep_op(&p.kern->out_head, head);
    return 0;
}

static uint32_t console_poll(struct file *f, uint32_t want, struct twz_sync *wait)
{
    uint32_t there = 0;

    if (want & (POLLOUT | POLLWRNORM))
        there |= poll_out(out_port(f), wait);
    if (!there && (want & (POLLIN | POLLRDNORM)))
        there |= poll_in(wait);
    return there & (want | POLLERR | POLLHUP);
}

const struct file_ops console_ops = {
    .read = console_read,
    .write = console_write,
    .stat = console_stat,
    .ioctl = console_ioctl,
    .poll = console_poll,
};
