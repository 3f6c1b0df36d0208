/* SPDX-License-Identifier: MIT */
/*
 * Pipes. struct pipe lies at the object's base; the ring begins on the next page. head and tail are
 * counters that never wrap, and sync words. A reader moves head under read_lock and wakes the
 * writers. A writer moves tail under write_lock and wakes the readers.
 *
 * The field `use` of an entry of `ends` says which end is open. `owner` is a mutex with the owner
 * word of the process, as long as the end is open. So trylock succeeds on the entry of a dead
 * process. The death of a process wakes no waiter, so a waiter checks again after RETRY_NS at most.
 *
 * Any process that has the pipe may have written any field. So sizes are constants here, and a
 * difference of the counters must be checked before its use.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <twz/threads.h>

#include "base/copy.h"
#include "base/guard.h"
#include "base/linux.h"
#include "base/signals.h"
#include "base/thread.h"
#include "base/wait.h"
#include "pipe.h"

#define PIPE_MAGIC   0x3165706970777a74ull
#define PIPE_VERSION 1u
#define PIPE_BYTES   65536u
#define PIPE_ENDS    64u
#define RETRY_NS     100000000ull

#define END_FREE  0u
#define END_READ  1u
#define END_WRITE 2u

struct pipe_end {
    struct twz_mutex owner;
    uint64_t use;
};

struct pipe {
    uint64_t magic;
    uint64_t version;
    struct twz_mutex lock; /* guards ends */
    struct twz_mutex read_lock, write_lock;
    uint64_t head;
    uint64_t tail;
    uint64_t pad;
    struct pipe_end ends[PIPE_ENDS];
};
_Static_assert(sizeof(struct pipe) <= TWZ_PAGE_SIZE, "pipe header fits its page");

static struct pipe *pipe_of(const struct file *f)
{
    return twz_object_base(&f->obj);
}

static uint8_t *pipe_data(const struct file *f)
{
    return (uint8_t *)twz_object_base(&f->obj) + TWZ_PAGE_SIZE;
}

static uint64_t load_counter(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* --- ends ------------------------------------------------------------------------------------- */

static uint64_t use_of_end(const struct file *f)
{
    return f->sub ? END_WRITE : END_READ;
}

static int64_t add_end(struct file *f)
{
    struct pipe *p = pipe_of(f);
    int64_t end = -ENFILE;

    lock_acquire_shared(&p->lock);
    for (uint32_t i = 0; i < PIPE_ENDS && end < 0; i++) {
        if (p->ends[i].use != END_FREE)
            continue;
        p->ends[i].owner.word = thread_process_word();
        p->ends[i].use = use_of_end(f);
        end = i;
    }
    lock_release_shared(&p->lock);
    return end;
}

int64_t pipe_inherit(struct file *f)
{
    return GUARDED(file_watch(f), add_end(f));
}

static int set_end(struct file *f, uint64_t end, uint64_t owner)
{
    struct pipe *p = pipe_of(f);

    lock_acquire_shared(&p->lock);
    if (p->ends[end].owner.word == thread_process_word())
        p->ends[end].owner.word = owner;
    lock_release_shared(&p->lock);
    return 0;
}

/* A pipe that another process destroyed has no ends to care for. */
void pipe_transfer(struct file *f, uint64_t end, uint64_t owner)
{
    (void)GUARDED(file_watch(f), set_end(f, end, owner));
}

/* Returns whether a living process has an end of this `use` open. Frees the entries of dead
 * processes. */
static bool has_open_end(struct pipe *p, uint64_t use)
{
    bool found = false;

    lock_acquire_shared(&p->lock);
    for (uint32_t i = 0; i < PIPE_ENDS; i++) {
        if (p->ends[i].use != use)
            continue;
        if (twz_mutex_trylock(&p->ends[i].owner) < 0) {
            found = true;
        } else {
            p->ends[i].use = END_FREE;
            p->ends[i].owner.word = 0;
        }
    }
    lock_release_shared(&p->lock);
    return found;
}

/* Deletes the pipe if no living process has an end open. */
static void delete_unused_pipe(const twzobj *obj)
{
    struct pipe *p = twz_object_base(obj);

    if (!has_open_end(p, END_READ) && !has_open_end(p, END_WRITE))
        (void)!twz_object_delete(obj, TWZ_DELETE_DEFERRED);
}

static int free_end(struct file *f, uint64_t end)
{
    struct pipe *p = pipe_of(f);

    lock_acquire_shared(&p->lock);
    p->ends[end].use = END_FREE;
    p->ends[end].owner.word = 0;
    lock_release_shared(&p->lock);
    (void)twz_sync_wake(f->sub ? &p->tail : &p->head, UINT32_MAX);
    delete_unused_pipe(&f->obj);
    return 0;
}

void pipe_revoke(struct file *f, uint64_t end)
{
    (void)GUARDED(file_watch(f), free_end(f, end));
}

static int reap_pipe(const twzobj *obj)
{
    const struct pipe *p = twz_object_base(obj);

    twz_guard_watch(obj->start);
    if (p->magic == PIPE_MAGIC && p->version == PIPE_VERSION)
        delete_unused_pipe(obj);
    return 0;
}

void pipe_reap(const twzobj *obj)
{
    (void)GUARDED(reap_pipe(obj));
}

static void pipe_release(struct file *f)
{
    if (f->obj.start && f->end < PIPE_ENDS)
        pipe_revoke(f, f->end);
}

/* --- the ring --------------------------------------------------------------------------------- */

/* Returns the number of bytes in the ring, or -EIO if the counters are not valid. */
static int64_t bytes_in_ring(const struct pipe *p)
{
    uint64_t n = load_counter(&p->tail) - load_counter(&p->head);

    return n <= PIPE_BYTES ? (int64_t)n : -EIO;
}

/* Copies `len` bytes between buf and the ring, from counter `at` on; `out`: out of the ring. */
static int copy_ring(struct file *f, uint8_t *buf, uint64_t len, uint64_t at, bool out)
{
    uint64_t off = at % PIPE_BYTES;
    uint64_t first = len < PIPE_BYTES - off ? len : PIPE_BYTES - off;
    uint8_t *data = pipe_data(f);
    int err;

    err = out ? copy_bytes(buf, data + off, first, f->obj.start)
              : copy_bytes(data + off, buf, first, f->obj.start);
    if (err < 0 || first == len)
        return err;
    return out ? copy_bytes(buf + first, data, len - first, f->obj.start)
               : copy_bytes(data, buf + first, len - first, f->obj.start);
}

/* Reads the bytes that are there, up to len. Returns their number, 0 if there are none, or an
 * error. */
static int64_t read_ring(struct file *f, void *buf, uint64_t len)
{
    struct pipe *p = pipe_of(f);
    int64_t n;

    lock_acquire_shared(&p->read_lock);
    n = bytes_in_ring(p);
    if (n > 0) {
        uint64_t part = len < (uint64_t)n ? len : (uint64_t)n;
        int err = copy_ring(f, buf, part, p->head, true);

        n = err < 0 ? err : (int64_t)part;
        if (err == 0)
            __atomic_store_n(&p->head, p->head + part, __ATOMIC_SEQ_CST);
    }
    lock_release_shared(&p->read_lock);
    if (n > 0)
        (void)twz_sync_wake(&p->head, UINT32_MAX);
    return n;
}

/* Writes as many bytes as there is space for. A write of PIPE_BUF or less writes all bytes or
 * none. */
static int64_t write_ring(struct file *f, const void *buf, uint64_t len)
{
    struct pipe *p = pipe_of(f);
    int64_t n;

    lock_acquire_shared(&p->write_lock);
    n = bytes_in_ring(p);
    if (n >= 0) {
        uint64_t space = PIPE_BYTES - (uint64_t)n;
        uint64_t part = len < space ? len : space;

        if (len <= PIPE_BUF && space < len)
            part = 0;
        n = part ? copy_ring(f, (uint8_t *)(uintptr_t)buf, part, p->tail, false) : 0;
        if (n == 0 && part) {
            __atomic_store_n(&p->tail, p->tail + part, __ATOMIC_SEQ_CST);
            n = (int64_t)part;
        }
    }
    lock_release_shared(&p->write_lock);
    if (n > 0)
        (void)twz_sync_wake(&p->tail, UINT32_MAX);
    return n;
}

/* Waits until *word is not `value`, but RETRY_NS at most. Returns 0 or -EINTR. */
static int wait_counter(const uint64_t *word, uint64_t value)
{
    int err = wait_word(word, value, twz_clock() + RETRY_NS);

    return err == -ETIMEDOUT ? 0 : err;
}

/* Reads the bytes that are there; waits only if there are none. Returns 0 if no writer is left. */
static int64_t pipe_read(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    struct pipe *p = pipe_of(f);
    int64_t n = 0;

    (void)off;
    if (len == 0)
        return 0;
    for (;;) {
        uint64_t tail = load_counter(&p->tail);

        n = read_ring(f, buf, len);
        if (n != 0)
            return n;
        if (!has_open_end(p, END_WRITE))
            return read_ring(f, buf, len); /* bytes written before the last writer closed */
        if (f->state->flags & O_NONBLOCK)
            return -EAGAIN;
        n = wait_counter(&p->tail, tail);
        if (n < 0)
            return n;
    }
}

/* Writes all bytes, unless no reader is left, a signal ends the wait, or O_NONBLOCK forbids the
 * wait. */
static int64_t pipe_write(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    struct pipe *p = pipe_of(f);
    uint64_t done = 0;
    int64_t n = 0;

    (void)off;
    while (done < len) {
        uint64_t head = load_counter(&p->head);

        if (!has_open_end(p, END_READ)) {
            signals_raise(SIGPIPE);
            n = -EPIPE;
            break;
        }
        n = write_ring(f, (const uint8_t *)buf + done, len - done);
        if (n < 0)
            break;
        done += (uint64_t)n;
        if (n > 0)
            continue;
        n = f->state->flags & O_NONBLOCK ? -EAGAIN : wait_counter(&p->head, head);
        if (n < 0)
            break;
    }
    return done ? (int64_t)done : n;
}

/* --- the other operations --------------------------------------------------------------------- */

static int pipe_stat(struct file *f, struct stat *st)
{
    file_stat_device(st, 0, 0);
    st->st_mode = S_IFIFO | 0600;
    st->st_ino = f->obj.id.lo;
    return 0;
}

static int pipe_ioctl(struct file *f, int64_t request, void *arg)
{
    if (request != FIONREAD)
        return -ENOTTY;
    *(int *)arg = (int)bytes_in_ring(pipe_of(f));
    return 0;
}

/* A writer counts as ready once PIPE_BUF bytes fit. */
static uint32_t pipe_poll(struct file *f, uint32_t want, struct twz_sync *wait)
{
    struct pipe *p = pipe_of(f);
    uint64_t head = load_counter(&p->head), tail = load_counter(&p->tail);

    if (f->sub == 0) {
        if (tail != head)
            return want & (POLLIN | POLLRDNORM);
        if (!has_open_end(p, END_WRITE))
            return POLLHUP;
        *wait = wait_sleep_op(&p->tail, tail);
        return 0;
    }
    if (!has_open_end(p, END_READ))
        return POLLERR;
    if (tail - head <= PIPE_BYTES - PIPE_BUF)
        return want & (POLLOUT | POLLWRNORM);
    *wait = wait_sleep_op(&p->head, head);
    return 0;
}

/* Opens the pipe `id` as the object of f; f has no entry yet. */
static int open_pipe(struct file *f, objid_t id)
{
    int err = err_linux(twz_object_init_guid(&f->obj, id, TWZ_READ | TWZ_WRITE));
    const struct pipe *p;

    f->end = PIPE_ENDS;
    if (err < 0)
        return err;
    p = pipe_of(f);
    if (p->magic == PIPE_MAGIC && p->version == PIPE_VERSION && f->sub <= 1)
        return 0;
    twz_object_release(&f->obj);
    return -EINVAL;
}

int pipe_reopen(struct file *f, objid_t id, uint64_t end)
{
    int err = open_pipe(f, id);
    struct pipe *p;

    if (err < 0)
        return err;
    p = pipe_of(f);
    if (end >= PIPE_ENDS || p->ends[end].use != use_of_end(f)) {
        twz_object_release(&f->obj);
        return -EINVAL;
    }
    lock_acquire_shared(&p->lock);
    p->ends[end].owner.word = thread_process_word();
    lock_release_shared(&p->lock);
    f->end = (uint32_t)end;
    return 0;
}

const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .stat = pipe_stat,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .release = pipe_release,
};

/* Opens one end of the pipe. Returns a new descriptor or an error. */
static int64_t open_end(objid_t id, uint32_t sub, uint32_t flags)
{
    uint32_t access = (sub ? O_WRONLY : O_RDONLY) | (flags & O_NONBLOCK);
    struct file *f = file_new(&pipe_ops, FILE_PIPE, access);
    int64_t ret;

    if (!f)
        return -EMFILE;
    f->sub = sub;
    ret = GUARDED(open_pipe(f, id));
    if (ret < 0)
        f->obj.start = NULL; /* released, by the function or by the guard */
    else
        ret = pipe_inherit(f);
    if (ret < 0) {
        file_put(f);
        return ret;
    }
    f->end = (uint32_t)ret;
    return fd_install(f, 0, (flags & O_CLOEXEC) != 0);
}

int64_t linux_pipe2(void *out, uint32_t flags)
{
    int *fds = out;
    int64_t rd, wr;
    struct pipe *p;
    twzobj obj;

    if (flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    rd = err_linux(
        twz_object_new(&obj, NULL, NULL, TWZ_OC_DFL_READ | TWZ_OC_DFL_WRITE | TWZ_OC_DFL_DEL));
    if (rd < 0)
        return rd;
    p = twz_object_base(&obj);
    p->version = PIPE_VERSION;
    p->magic = PIPE_MAGIC;
    rd = open_end(obj.id, 0, flags);
    wr = rd < 0 ? rd : open_end(obj.id, 1, flags);
    twz_object_release(&obj);
    if (wr < 0) {
        if (rd >= 0)
            (void)fd_close((int)rd);
        return wr;
    }
    fds[0] = (int)rd;
    fds[1] = (int)wr;
    return 0;
}

int64_t linux_pipe(void *fds)
{
    return linux_pipe2(fds, 0);
}
