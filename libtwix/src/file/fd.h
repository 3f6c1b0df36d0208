/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and open files (Linux's "open file descriptions").
 *
 * A struct file is one process's handle on an open file. POSIX lets processes share the offset and
 * the status flags of an open file. Both lie in a struct file_state. At first the state lies inside
 * the struct file. Once a child inherits the file, the state lies in a volatile object that both
 * processes map. A state holds no d-ptr. A process that attaches another process's state must
 * validate the state, and must validate the offset at each use.
 *
 * Locks
 *   fd_lock           guards the descriptor table and the reference counts. A thread that holds
 *                     fd_lock must not take another lock
 *   the state's lock  guards the state's offset and flags. A thread must take this lock before the
 *                     locks of the object behind the file. It must use file_lock_state, because
 *                     the state may move into another object while the thread waits
 * No lock is held during a wait for data.
 */
#ifndef TWIX_FD_H
#define TWIX_FD_H

#include <stdbool.h>
#include <sys/stat.h>
#include <twz/mutex.h>
#include <twz/obj.h>
#include <twz/sync.h>
#include <twz/thread.h>

#include "record.h"

#define FD_MAX 1024

/* Kinds of open files. The struct inherit_file of a descriptor tells a child the kind
 * (life/inherit.h). */
#define FILE_REGULAR   1u
#define FILE_DIRECTORY 2u
#define FILE_CONSOLE   3u /* sub: port number */
#define FILE_NULL      4u
#define FILE_ZERO      5u /* sub: 0 zero, 1 full */
#define FILE_RANDOM    6u
#define FILE_PIPE      7u /* sub: 0 read end, 1 write end */

#define FILE_STATE_MAGIC   0x3174736674777a74ull
#define FILE_STATE_VERSION 3u
struct file_state {
    uint64_t magic;
    uint32_t version;
    uint32_t kind;
    struct twz_mutex lock;
    uint64_t offset;          /* of the next byte; in a directory, a cursor */
    uint64_t flags;           /* O_APPEND, O_NONBLOCK */
    struct attr_values attrs; /* as last seen; those of a file without a name or a record */
};
_Static_assert(sizeof(struct file_state) == 64, "file state size");

/*
 * A shared state, at the base of its object. Each open file that shares the state owns an entry of
 * `holder`: a mutex with the owner word of the file's process (thread_process_word). So trylock
 * succeeds on the entry of a dead process. The last holder deletes the object.
 */
#define FILE_HOLDERS 256u
struct file_shared {
    struct file_state state;
    struct twz_mutex lock; /* guards holder */
    struct twz_mutex holder[FILE_HOLDERS];
};

struct file;

/*
 * The operations of a kind of file. An operation that is NULL fails with the error in its comment.
 * `off` is the file offset, or FILE_AT_END for a write that appends. A kind without offsets ignores
 * `off`. read, write and seek return a value or an error; stat, truncate and ioctl return 0 or an
 * error.
 */
#define FILE_AT_END UINT64_MAX
struct file_ops {
    int64_t (*read)(struct file *f, void *buf, uint64_t len, uint64_t off);        /* EINVAL */
    int64_t (*write)(struct file *f, const void *buf, uint64_t len, uint64_t off); /* EINVAL */
    int64_t (*seek)(struct file *f, int64_t off, int64_t whence);                  /* ESPIPE */
    int (*stat)(struct file *f, struct stat *st);                                  /* required */
    int (*truncate)(struct file *f, uint64_t len);                                 /* EINVAL */
    int (*ioctl)(struct file *f, int64_t request, void *arg);                      /* ENOTTY */
    /* Returns the events of `want` that are ready. If none is ready, sets *wait to a sleep that
     * ends when the caller must ask again. NULL: all events are always ready. */
    uint32_t (*poll)(struct file *f, uint32_t want, struct twz_sync *wait);
    void (*release)(struct file *f); /* the last reference is gone; NULL: nothing to do */
    bool offsets;                    /* reads and writes have an offset and move it */
};

struct file {
    const struct file_ops *ops;
    uint32_t refs; /* descriptors and calls in progress; guarded by fd_lock */
    uint32_t kind;
    uint32_t sub;
    uint32_t access;          /* O_RDONLY, O_WRONLY or O_RDWR, and O_PATH */
    uint32_t end;             /* the process's entry in a pipe's ends, or in a state's holders */
    struct file_state *state; /* &own, or in state_obj; changed under the lock of own */
    struct file_state own;
    twzobj state_obj;
    twzobj obj; /* regular file, directory, pipe: the object, open; start NULL: none */
    struct record_ref record; /* regular file, directory: its attributes */
};

/* --- open files ------------------------------------------------------------------------------- */

/* Make a new file with one reference. Returns NULL if there are too many (EMFILE). */
struct file *file_new(const struct file_ops *ops, uint32_t kind, uint32_t flags);

/* Add a reference; drop a reference. The last file_put closes the file. */
void file_ref(struct file *f);
void file_put(struct file *f);

/* Faults in the objects of f, and in its shared state, count for the guard of the caller
 * (base/guard.h). */
void file_watch(const struct file *f);

/* Serve fstat; under a guard. */
int file_stat(struct file *f, struct stat *st);

/* Lock the state of f and return it; under a guard. Until file_unlock_state the state does not
 * move into another object. */
struct file_state *file_lock_state(struct file *f);
void file_unlock_state(struct file_state *s);

/* Serve one read or write on f. If off < 0, use the state's offset and advance it. */
int64_t file_read(struct file *f, void *buf, uint64_t len, int64_t off);
int64_t file_write(struct file *f, const void *buf, uint64_t len, int64_t off);

/* Fill in the struct stat of a character device. */
void file_stat_device(struct stat *st, uint32_t major, uint32_t minor);

/* --- descriptors ------------------------------------------------------------------------------ */

/* Returns the file behind fd, with a reference that the caller must drop with file_put. Returns
 * NULL for a bad descriptor (EBADF). */
struct file *fd_get(int fd);

/* As fd_get, and set *cloexec to the descriptor's flag. fd must be in [0, FD_MAX). */
struct file *fd_get_flag(int fd, bool *cloexec);

/* Install f at the lowest free descriptor from `min` on. Returns the descriptor or -EMFILE. The
 * caller's reference moves to the table, or is dropped after an error. */
int fd_install(struct file *f, int min, bool cloexec);

/* Install f at `fd` and close the file that was there. Returns fd or -EBADF. The caller's reference
 * moves to the table, or is dropped after an error. */
int fd_replace(int fd, struct file *f, bool cloexec);

int fd_cloexec(int fd); /* returns 0, 1 or -EBADF */
int fd_set_cloexec(int fd, bool cloexec);
int fd_close(int fd);

/* Close all descriptors. For the end of the process. */
void fd_close_all(void);

/* --- inheritance of a shared state ------------------------------------------------------------ */

/* In the parent: share the state of f with a child. Returns the child's entry and sets *id to the
 * state's object. The entry has this process's owner word until file_transfer or file_revoke.
 * -ENFILE: there are too many holders. */
int64_t file_inherit(struct file *f, objid_t *id);

/* In the parent: store `owner`, the child's owner word, in the entry, unless file_attach in the
 * child did so already. Either process may run first. */
void file_transfer(struct file *f, uint64_t entry, uint64_t owner);

/* Free an entry, and delete the state's object if no living process has an entry. */
void file_revoke(struct file *f, uint64_t entry);

/* In the child: use the shared state, and store this process's owner word in the entry. Returns
 * -EINVAL if the object is not a state of the kind of f. */
int file_attach(struct file *f, objid_t id, uint64_t entry);

/* After a holder has died: delete the object if it is a shared state without an entry of a living
 * process. */
void file_reap(const twzobj *obj);

#endif
