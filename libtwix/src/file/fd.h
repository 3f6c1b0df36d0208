/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and open files (Linux's "open file descriptions").
 *
 * A struct file is one process's handle on an open file. What POSIX lets processes share of it (the
 * offset, the status flags) lies in a struct file_state: at first inside the struct file; when the
 * file is first handed to a child, in a small volatile object of its own, which both then use.
 * Every field of a state that came from another process is validated when it is attached, and an
 * offset read later is checked where it is used. No d-ptr is ever in a state.
 *
 * Locks: fd_lock guards the table and the counts; a state's own lock guards its offset and changes
 * of its flags, is taken by file_lock only (for the state may move while one waits for it), before
 * any lock of the file behind it. Neither is held while waiting for data.
 */
#ifndef TWIX_FD_H
#define TWIX_FD_H

#include <stdbool.h>
#include <sys/stat.h>
#include <twz/mutex.h>
#include <twz/obj.h>
#include <twz/sync.h>
#include <twz/thread.h>

#define FD_MAX 1024

/* Kinds of open files; they are part of what a child inherits. */
#define FILE_REGULAR   1u
#define FILE_DIRECTORY 2u
#define FILE_CONSOLE   3u /* sub: port number */
#define FILE_NULL      4u
#define FILE_ZERO      5u
#define FILE_RANDOM    6u
#define FILE_PIPE      7u /* sub: 0 read end, 1 write end */

#define FILE_STATE_MAGIC   0x3174736674777a74ull
#define FILE_STATE_VERSION 2u
struct file_state {
    uint64_t magic;
    uint32_t version;
    uint32_t kind;
    struct twz_mutex lock;
    uint64_t offset; /* next byte; a cursor in directories */
    uint64_t flags;  /* O_APPEND, O_NONBLOCK */
};
_Static_assert(sizeof(struct file_state) == 40, "file state size");

/* What lies at the base of a state's object: the state, and who shares it: for each open file that
 * does, a lock in the name of its process's first thread, so that the dead can be told. The last
 * one deletes the object. */
#define FILE_HOLDERS 256u
struct file_shared {
    struct file_state state;
    struct twz_mutex lock; /* guards holder */
    struct twz_mutex holder[FILE_HOLDERS];
};

struct file;

/* What a kind of file can do. A NULL function answers with the error said here. `off` is where, for
 * kinds that have offsets; FILE_AT_END for a write that appends. */
#define FILE_AT_END UINT64_MAX
struct file_ops {
    int64_t (*read)(struct file *f, void *buf, uint64_t len, uint64_t off);        /* EINVAL */
    int64_t (*write)(struct file *f, const void *buf, uint64_t len, uint64_t off); /* EINVAL */
    int64_t (*seek)(struct file *f, int64_t off, int64_t whence);                  /* ESPIPE */
    int (*stat)(struct file *f, struct stat *st);
    int (*truncate)(struct file *f, uint64_t len);            /* EINVAL */
    int (*ioctl)(struct file *f, int64_t request, void *arg); /* ENOTTY */
    /* Events of `want` that are there now; if none, *wait is made a sleep that ends when it pays
     * to ask again. NULL: always ready. */
    uint32_t (*poll)(struct file *f, uint32_t want, struct twz_sync *wait);
    void (*release)(struct file *f); /* the last reference is gone */
    uint32_t offsets;                /* 1: reads and writes have a place and move it */
};

struct file {
    const struct file_ops *ops;
    uint32_t refs; /* descriptors and calls in progress; guarded by fd_lock */
    uint32_t kind;
    uint32_t sub;
    uint32_t access;          /* O_RDONLY, O_WRONLY or O_RDWR, and O_PATH */
    uint32_t end;             /* our entry in a pipe's table of ends, or a state's of holders */
    struct file_state *state; /* &own, or the base of state_obj; changed under the lock of own */
    struct file_state own;
    twzobj state_obj;
    twzobj obj; /* regular, directory, pipe: the object, open */
};

/* A new file with one reference; NULL: too many. */
struct file *file_new(const struct file_ops *ops, uint32_t kind, uint32_t flags);

/* The file behind fd with a reference more, NULL: EBADF. file_put gives it back. */
struct file *fd_get(int fd);
void file_ref(struct file *f);
void file_put(struct file *f);

/* Put f (whose reference moves to the table) at the lowest free descriptor from `min` on: the
 * descriptor, or -EMFILE (f is put then). */
int fd_install(struct file *f, int min, bool cloexec);

/* Put f at `fd`, closing what was there: fd, or -EBADF (f is put then). */
int fd_replace(int fd, struct file *f, bool cloexec);

int fd_cloexec(int fd); /* 0, 1 or -EBADF */
int fd_set_cloexec(int fd, bool cloexec);
int fd_close(int fd);    /* 0 or -EBADF */
void fd_close_all(void); /* at the process's end */

/* What the table says of fd, a new reference or NULL; for making a child's table. */
struct file *fd_look(int fd, bool *cloexec);

/* The state of f, locked; it stays the state of f until file_unlock. */
struct file_state *file_lock(struct file *f);
void file_unlock(struct file_state *s);

/* Let the state of f be shared with one process more: its object's ID, and an entry among its
 * holders, which then is the child's, or is taken back. -ENFILE: there are too many. */
int64_t file_inherit(struct file *f, objid_t *id);
void file_transfer(struct file *f, uint64_t entry, const struct twz_thread *child);
void file_revoke(struct file *f, uint64_t entry);

/* Use the shared state that the parent handed over. 0, -EINVAL where it is none. */
int file_attach(struct file *f, objid_t id, uint64_t entry);

/* Somebody who shared the state in obj has died: if nobody does now, the object goes. */
void file_reap(const twzobj *obj);

/* The struct stat of a character device; the caller may change it for another kind. */
void file_stat_device(struct stat *st, uint32_t major, uint32_t minor);

/* The whole of one read or write call on f. off < 0: at the file's own place. */
int64_t file_read(struct file *f, void *buf, uint64_t len, int64_t off);
int64_t file_write(struct file *f, const void *buf, uint64_t len, int64_t off);

#endif
