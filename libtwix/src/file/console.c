/* SPDX-License-Identifier: MIT */
/*
 * The rings of the console page. All processes share them. Each port has a lock for each direction.
 * The locks are twz_mutexes, so a process that dies releases its locks. A writer that dies has
 * published whole chunks only, because the tail moves after the bytes are in the ring.
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
 * A waiting thread holds no lock. It sleeps on the ring counter that the kernel moves.
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

static struct twz_console *console_page(void)
{
    return (struct twz_console *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_OBJ_BASE);
}

static uint8_t *ring_data(const struct twz_ring *ring)
{
    return (uint8_t *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + ring->data);
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

/* Writes as many bytes as there is space for, at least one. Returns their number or an error;
 * -EAGAIN: the ring is full. The caller must hold the direction's lock. */
static int64_t write_to_host(struct twz_ring *ring, const uint8_t *buf, uint64_t len)
{
    uint64_t tail = ring->tail;
    uint64_t space = ring->size - (tail - load_word(&ring->head));
    uint64_t at = tail & (ring->size - 1);
    uint64_t first;
    int err;

    if (space == 0 || space > ring->size)
        return -EAGAIN;
    if (len > space)
        len = space;
    first = len < ring->size - at ? len : ring->size - at;
    err = copy_bytes(ring_data(ring) + at, buf, first, console_page());
    if (err == 0 && len > first)
        err = copy_bytes(ring_data(ring), buf + first, len - first, console_page());
    if (err < 0)
        return err;
    __atomic_store_n(&ring->tail, tail + len, __ATOMIC_RELEASE);
    return (int64_t)len;
}

/* Waits until the ring may have space. Returns 0 or -EINTR. */
static int wait_for_space(struct twz_ring *ring)
{
    uint64_t head = load_word(&ring->head);

    if (ring->tail - head < ring->size)
        return 0;
    return wait_word(&ring->head, head, TWZ_FOREVER);
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
static int check_output(const struct twz_port *port)
{
    uint64_t error = load_word(&port->state) & ERROR_MASK;

    if (!load_word(&port->to_host.closed))
        return -(int)error;
    signals_raise(SIGPIPE);
    return -EPIPE;
}

/* Writes all bytes, unless the host stops reading, a signal ends the wait, or O_NONBLOCK forbids
 * the wait. */
static int64_t console_write(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    uint32_t number = out_port(f);
    struct twz_port *port = &console_page()->port[number];
    struct twz_ring *ring = &port->to_host;
    struct twz_mutex *lock = (struct twz_mutex *)(void *)&port->lock;
    uint64_t done = 0;
    int64_t ret = 0;

    (void)off;
    while (done < len && ret >= 0) {
        ret = check_output(port);
        if (ret < 0)
            break;
        lock_acquire(lock);
        ret = write_to_host(ring, (const uint8_t *)buf + done, len - done);
        lock_release(lock);
        if (ret > 0) {
            done += (uint64_t)ret;
            notify_host(number);
        } else if (ret == -EAGAIN && !(f->state->flags & O_NONBLOCK)) {
            ret = wait_for_space(ring);
        }
    }
    return done ? (int64_t)done : ret;
}

/* --- input ------------------------------------------------------------------------------------ */

/* Copies bytes out of the ring; the head does not move. */
static void peek_ring(struct twz_ring *ring, void *buf, uint64_t len)
{
    uint64_t at = ring->head & (ring->size - 1);
    uint64_t first = len < ring->size - at ? len : ring->size - at;

    copy_raw(buf, ring_data(ring) + at, first);
    copy_raw((uint8_t *)buf + first, ring_data(ring), len - first);
}

static void send_want(struct twz_port *port, uint64_t len)
{
    struct twz_host_want want = { .len = len < TWZ_HOST_LEN_MAX ? len : TWZ_HOST_LEN_MAX };

    if (write_to_host(&port->to_host, (const uint8_t *)&want, sizeof(want)) == sizeof(want))
        port->state = INPUT_WANTED;
}

/* Advances the input protocol as far as possible without a wait. Returns 1 if there are bytes, 0 at
 * the end of the file. Returns -EAGAIN if the caller must wait until the ring's tail is not *tail.
 * The caller must hold lock_in. */
static int advance_input(struct twz_port *port, uint64_t len, uint64_t *tail)
{
    struct twz_ring *ring = &port->from_host;
    struct twz_host_give give;

    *tail = load_word(&ring->tail);
    if (port->state == 0) {
        send_want(port, len);
        notify_host(TWZ_PORT_IN);
    }
    if (port->state == INPUT_WANTED) {
        if (*tail - ring->head < sizeof(give))
            return -EAGAIN;
        peek_ring(ring, &give, sizeof(give));
        port->state = give.len <= TWZ_HOST_LEN_MAX ? give.len : 0;
        __atomic_store_n(&ring->head, ring->head + sizeof(give), __ATOMIC_RELEASE);
        notify_host(TWZ_PORT_IN);
        if (port->state == 0)
            return 0;
    }
    return *tail == ring->head ? -EAGAIN : 1;
}

/* Reads bytes of the current give, at least one. Returns their number or an error. The caller must
 * hold lock_in. */
static int64_t read_input(struct twz_port *port, uint8_t *buf, uint64_t len)
{
    struct twz_ring *ring = &port->from_host;
    uint64_t there = load_word(&ring->tail) - ring->head;
    uint64_t n = len < port->state ? len : port->state;
    uint64_t at = ring->head & (ring->size - 1);
    int err;

    if (n > there)
        n = there;
    if (n > ring->size - at)
        n = ring->size - at;
    err = copy_bytes(buf, ring_data(ring) + at, n, console_page());
    if (err < 0)
        return err;
    port->state -= n;
    __atomic_store_n(&ring->head, ring->head + n, __ATOMIC_RELEASE);
    notify_host(TWZ_PORT_IN);
    return (int64_t)n;
}

/* Reads the bytes that are there; requests and waits for more only if there are none. */
static int64_t console_read(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    struct twz_port *port = &console_page()->port[TWZ_PORT_IN];
    struct twz_mutex *lock = (struct twz_mutex *)(void *)&port->lock_in;
    uint64_t tail;
    int64_t ret;

    (void)off;
    if (len == 0)
        return 0;
    for (;;) {
        if (load_word(&port->from_host.closed) && port->state == 0)
            return 0;
        lock_acquire(lock);
        ret = advance_input(port, len, &tail);
        if (ret == 1)
            ret = read_input(port, buf, len);
        lock_release(lock);
        if (ret != -EAGAIN || (f->state->flags & O_NONBLOCK))
            return ret;
        ret = wait_word(&port->from_host.tail, tail, TWZ_FOREVER);
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

/* Requests that set terminal modes succeed and do nothing. */
static int console_ioctl(struct file *f, int64_t request, void *arg)
{
    const struct twz_port *port = &console_page()->port[TWZ_PORT_IN];

    switch (request) {
    case FIONREAD: *(int *)arg = port->state == INPUT_WANTED ? 0 : (int)port->state; return 0;
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
    struct twz_port *port = &console_page()->port[TWZ_PORT_IN];
    struct twz_mutex *lock = (struct twz_mutex *)(void *)&port->lock_in;
    uint64_t tail;
    int64_t ret;

    lock_acquire(lock);
    ret = advance_input(port, 1, &tail);
    lock_release(lock);
    if (ret != -EAGAIN)
        return POLLIN | POLLRDNORM;
    *wait = wait_sleep_op(&port->from_host.tail, tail);
    return 0;
}

static uint32_t poll_out(uint32_t number, struct twz_sync *wait)
{
    const struct twz_ring *ring = &console_page()->port[number].to_host;
    uint64_t head = load_word(&ring->head);

    if (load_word(&ring->closed))
        return POLLOUT | POLLERR;
    if (ring->tail - head < ring->size)
        return POLLOUT | POLLWRNORM;
    *wait = wait_sleep_op(&ring->head, head);
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
