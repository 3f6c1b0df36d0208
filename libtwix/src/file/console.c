/* SPDX-License-Identifier: MIT */
/*
 * The console's rings. Any process may write and read; each port has one lock a direction, a
 * twz_mutex, that the death of its holder frees: a writer that dies has published whole chunks
 * only, for the tail moves after the bytes are there.
 *
 * Input is asked for: a `want` goes out, a `give` with that many bytes or fewer comes back. What a
 * give brought and nobody took yet stays in the ring for the next reader, of whichever process.
 * The port's `state` word says where the protocol stands; guarded by lock_in:
 *   0              nothing is outstanding
 *   INPUT_WANTED   a want went out, its give has not been looked at
 *   n              n bytes of a give are, or will be, at the head of the ring
 * The `state` word of a port of output is 0, or the error that init heard of from the host: each
 * write there fails with it, as its bytes would be lost.
 *
 * Waiting is done without the lock, on the counter that the kernel moves.
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
#define ERROR_MASK   0xfffu /* any process may have written the word: an error's number at most */

static struct twz_console *console(void)
{
    return (struct twz_console *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_OBJ_BASE);
}

static uint8_t *ring_data(const struct twz_ring *ring)
{
    return (uint8_t *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + ring->data);
}

static void kick(uint32_t port)
{
    const struct twz_system *system =
        (const struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);

    (void)twz_sys_dev_ctl(system->console, TWZ_DEV_NOTIFY, port);
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* --- output ----------------------------------------------------------------------------------- */

/* As many bytes as there is room for, at least one, else -EAGAIN; the tail moves at the end. */
static int64_t put_some(struct twz_ring *ring, const uint8_t *buf, uint64_t len)
{
    uint64_t tail = ring->tail;
    uint64_t room = ring->size - (tail - load(&ring->head));
    uint64_t at = tail & (ring->size - 1);
    uint64_t first;
    int err;

    if (room == 0 || room > ring->size)
        return -EAGAIN;
    if (len > room)
        len = room;
    first = len < ring->size - at ? len : ring->size - at;
    err = copy_bytes(ring_data(ring) + at, buf, first, console());
    if (err == 0 && len > first)
        err = copy_bytes(ring_data(ring), buf + first, len - first, console());
    if (err < 0)
        return err;
    __atomic_store_n(&ring->tail, tail + len, __ATOMIC_RELEASE);
    return (int64_t)len;
}

/* Waits for the host to take bytes. 0 or -EINTR. */
static int wait_for_room(struct twz_ring *ring)
{
    uint64_t head = load(&ring->head);

    if (ring->tail - head < ring->size)
        return 0;
    return wait_word(&ring->head, head, TWZ_FOREVER);
}

/* Where output and errors are one terminal on the host, one ring keeps them in order. */
static uint32_t out_port(const struct file *f)
{
    if (f->sub == TWZ_PORT_ERR && (process.args->ttybits & TWZ_HOST_TTY_ONE))
        return TWZ_PORT_OUT;
    return f->sub == TWZ_PORT_CTL ? TWZ_PORT_OUT : f->sub;
}

/* Can output still arrive? 0, -EPIPE after SIGPIPE, or what the host's own writing failed with. */
static int output_lost(const struct twz_port *port)
{
    uint64_t error = load(&port->state) & ERROR_MASK;

    if (!load(&port->to_host.closed))
        return -(int)error;
    signals_raise(SIGPIPE);
    return -EPIPE;
}

static int64_t console_write(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    uint32_t number = out_port(f);
    struct twz_port *port = &console()->port[number];
    struct twz_ring *ring = &port->to_host;
    struct twz_mutex *lock = (struct twz_mutex *)(void *)&port->lock;
    uint64_t done = 0;
    int64_t ret = 0;

    (void)off;
    while (done < len && ret >= 0) {
        ret = output_lost(port);
        if (ret < 0)
            break;
        lock_acquire(lock);
        ret = put_some(ring, (const uint8_t *)buf + done, len - done);
        lock_release(lock);
        if (ret > 0) {
            done += (uint64_t)ret;
            kick(number);
        } else if (ret == -EAGAIN && !(f->state->flags & O_NONBLOCK)) {
            ret = wait_for_room(ring);
        }
    }
    return done ? (int64_t)done : ret;
}

/* --- input ------------------------------------------------------------------------------------ */

static void take(struct twz_ring *ring, void *buf, uint64_t len)
{
    uint64_t at = ring->head & (ring->size - 1);
    uint64_t first = len < ring->size - at ? len : ring->size - at;

    copy_raw(buf, ring_data(ring) + at, first);
    copy_raw((uint8_t *)buf + first, ring_data(ring), len - first);
}

static void send_want(struct twz_port *port, uint64_t len)
{
    struct twz_host_want want = { .len = len < TWZ_HOST_LEN_MAX ? len : TWZ_HOST_LEN_MAX };

    if (put_some(&port->to_host, (const uint8_t *)&want, sizeof(want)) == sizeof(want))
        port->state = INPUT_WANTED;
}

/* Moves the protocol on as far as it goes. 1: bytes are there; 0: end of file was told; -EAGAIN:
 * wait until the ring's tail is not `*tail`. */
static int64_t input_step(struct twz_port *port, uint64_t len, uint64_t *tail)
{
    struct twz_ring *ring = &port->from_host;
    struct twz_host_give give;

    *tail = load(&ring->tail);
    if (port->state == 0) {
        send_want(port, len);
        kick(TWZ_PORT_IN);
    }
    if (port->state == INPUT_WANTED) {
        if (*tail - ring->head < sizeof(give))
            return -EAGAIN;
        take(ring, &give, sizeof(give));
        port->state = give.len <= TWZ_HOST_LEN_MAX ? give.len : 0;
        __atomic_store_n(&ring->head, ring->head + sizeof(give), __ATOMIC_RELEASE);
        kick(TWZ_PORT_IN);
        if (port->state == 0)
            return 0;
    }
    return *tail == ring->head ? -EAGAIN : 1;
}

static int64_t input_take(struct twz_port *port, uint8_t *buf, uint64_t len)
{
    struct twz_ring *ring = &port->from_host;
    uint64_t there = load(&ring->tail) - ring->head;
    uint64_t n = len < port->state ? len : port->state;
    uint64_t at = ring->head & (ring->size - 1);
    int err;

    if (n > there)
        n = there;
    if (n > ring->size - at)
        n = ring->size - at;
    err = copy_bytes(buf, ring_data(ring) + at, n, console());
    if (err < 0)
        return err;
    port->state -= n;
    __atomic_store_n(&ring->head, ring->head + n, __ATOMIC_RELEASE);
    kick(TWZ_PORT_IN);
    return (int64_t)n;
}

static int64_t console_read(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    struct twz_port *port = &console()->port[TWZ_PORT_IN];
    struct twz_mutex *lock = (struct twz_mutex *)(void *)&port->lock_in;
    uint64_t tail;
    int64_t ret;

    (void)off;
    if (len == 0)
        return 0;
    for (;;) {
        if (load(&port->from_host.closed) && port->state == 0)
            return 0;
        lock_acquire(lock);
        ret = input_step(port, len, &tail);
        if (ret == 1)
            ret = input_take(port, buf, len);
        lock_release(lock);
        if (ret != -EAGAIN || (f->state->flags & O_NONBLOCK))
            return ret;
        ret = wait_word(&port->from_host.tail, tail, TWZ_FOREVER);
        if (ret < 0)
            return ret;
    }
}

/* --- the rest --------------------------------------------------------------------------------- */

static int is_terminal(const struct file *f)
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

/* What the kernel's struct termios has: four words of flags, the line, 19 characters. */
struct terminal_modes {
    uint32_t in, out, control, local;
    uint8_t line, cc[19];
};

/* The modes of an ordinary terminal; the true ones belong to the host and cannot be set. */
static int terminal_modes(struct terminal_modes *modes)
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

static int window_size(struct winsize *size)
{
    *size = (struct winsize){ .ws_row = (unsigned short)process.args->rows,
                              .ws_col = (unsigned short)process.args->cols };
    return 0;
}

static int console_ioctl(struct file *f, int64_t request, void *arg)
{
    const struct twz_port *port = &console()->port[TWZ_PORT_IN];

    switch (request) {
    case FIONREAD: *(int *)arg = port->state == INPUT_WANTED ? 0 : (int)port->state; return 0;
    case TIOCGWINSZ: return is_terminal(f) ? window_size(arg) : -ENOTTY;
    case TCGETS: return is_terminal(f) ? terminal_modes(arg) : -ENOTTY;
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
    struct twz_port *port = &console()->port[TWZ_PORT_IN];
    struct twz_mutex *lock = (struct twz_mutex *)(void *)&port->lock_in;
    uint64_t tail;
    int64_t ret;

    lock_acquire(lock);
    ret = input_step(port, 1, &tail);
    lock_release(lock);
    if (ret != -EAGAIN)
        return POLLIN | POLLRDNORM;
    *wait = (struct twz_sync){ .addr = (uint64_t)(uintptr_t)&port->from_host.tail,
                               .value = tail,
                               .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
    return 0;
}

static uint32_t poll_out(uint32_t number, struct twz_sync *wait)
{
    const struct twz_ring *ring = &console()->port[number].to_host;
    uint64_t head = load(&ring->head);

    if (load(&ring->closed))
        return POLLOUT | POLLERR;
    if (ring->tail - head < ring->size)
        return POLLOUT | POLLWRNORM;
    *wait = (struct twz_sync){ .addr = (uint64_t)(uintptr_t)&ring->head,
                               .value = head,
                               .op = TWZ_SYNC_SLEEP | TWZ_SYNC_64 };
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
