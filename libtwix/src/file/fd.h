/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and open files (Linux's "open file descriptions").
 *
 * A struct file is one process's handle on an open file. POSIX lets processes share two facts of
 * it: the offset and the status flags. Both lie in a struct file_state: at first inside the struct
 * file; once a child inherits the file, in a volatile object that both processes map. A state holds
 * no d-ptr. A process must validate the state of another process when it attaches it, and an offset
 * at each use.
 *
 * Locks
 *   fd_lock           guards the descriptor table and the reference counts. It is held alone
 *   the state's lock  guards its offset and flags. It is taken before the locks of the object
 *                     behind the file, and by file_lock_state only: the state may move into its
 *                     object while a thread waits for the lock
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

#define FD_MAX 1024

/* Kinds of open files; a child reads them in its inheritance (life/inherit.h). */
#define FILE_REGULAR   1u
#define FILE_DIRECTORY 2u
#define FILE_CONSOLE   3u /* sub: port number */
#define FILE_NULL      4u
#define FILE_ZERO      5u /* sub: 0 zero, 1 full */
#define FILE_RANDOM    6u
#define FILE_PIPE      7u /* sub: 0 read end, 1 write end */

#define FILE_STATE_MAGIC   0x3174736674777a74ull
#define FILE_STATE_VERSION 2u
struct file_state {
    uint64_t magic;
    uint32_t version;
    uint32_t kind;
    struct twz_mutex lock;
    uint64_t offset; /* of the next byte; in a directory, a cursor */
    uint64_t flags;  /* O_APPEND, O_NONBLOCK */
};
_Static_assert(sizeof(struct file_state) == 40, "file state size");

/*
 * The object of a shared state, at its base. Each open file that shares the state owns an entry of
 * `holder`: a mutex locked in the name of its process's first thread (thread_process_word), so that
 * trylock succeeds on the entry of a dead process. The last holder deletes the object.
 */
#define FILE_HOLDERS 256u
struct file_shared {
    struct file_state state;
    struct twz_mutex lock; /* guards holder */
    struct twz_mutex holder[FILE_HOLDERS];
};

struct file;

/*
 * The operations of a kind of file. NULL: the operation fails with the error in the comment. `off`
 * is the offset of a kind that has offsets, FILE_AT_END for a write that appends. read, write and
 * seek return a value or an error, stat, truncate and ioctl 0 or an error.
 */
#define FILE_AT_END UINT64_MAX
struct file_ops {
    int64_t (*read)(struct file *f, void *buf, uint64_t len, uint64_t off);        /* EINVAL */
    int64_t (*write)(struct file *f, const void *buf, uint64_t len, uint64_t off); /* EINVAL */
    int64_t (*seek)(struct file *f, int64_t off, int64_t whence);                  /* ESPIPE */
    int (*stat)(struct file *f, struct stat *st);                                  /* required */
    int (*truncate)(struct file *f, uint64_t len);                                 /* EINVAL */
    int (*ioctl)(struct file *f, int64_t request, void *arg);                      /* ENOTTY */
    /* The events of `want` that are ready. If none is, *wait becomes a sleep that ends when the
     * caller must ask again. NULL: always ready. */
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
};

/* --- open files ------------------------------------------------------------------------------- */

/* A new file with one reference. NULL: there are too many (ENFILE). */
struct file *file_new(const struct file_ops *ops, uint32_t kind, uint32_t flags);

/* One reference more; one less. The last file_put closes the file. */
void file_ref(struct file *f);
void file_put(struct file *f);

/* Lock the state of f; it remains the state of f until file_unlock_state. */
struct file_state *file_lock_state(struct file *f);
void file_unlock_state(struct file_state *s);

/* One read or write call on f. off < 0: at the state's offset, which moves. */
int64_t file_read(struct file *f, void *buf, uint64_t len, int64_t off);
int64_t file_write(struct file *f, const void *buf, uint64_t len, int64_t off);

/* Fill in the struct stat of a character device. */
void file_stat_device(struct stat *st, uint32_t major, uint32_t minor);

/* --- descriptors ------------------------------------------------------------------------------ */

/* The file behind fd with one reference more, which the caller must put. NULL: EBADF. */
struct file *fd_get(int fd);

/* fd_get with the descriptor's flag. fd must be in [0, FD_MAX). */
struct file *fd_get_flag(int fd, bool *cloexec);

/* Install f at the lowest free descriptor from `min` on: the descriptor or -EMFILE. The caller's
 * reference moves to the table, or is put. */
int fd_install(struct file *f, int min, bool cloexec);

/* Install f at `fd` and close the file that was there: fd, or -EBADF. The caller's reference moves
 * to the table, or is put. */
int fd_replace(int fd, struct file *f, bool cloexec);

int fd_cloexec(int fd); /* 0, 1 or -EBADF */
int fd_set_cloexec(int fd, bool cloexec);
int fd_close(int fd);

/* At the process's end. */
void fd_close_all(void);

/* --- inheritance of a shared state ------------------------------------------------------------ */

/* The parent: share the state of f with a child. The child's entry, held by this process until
 * file_transfer or file_revoke, and the state's object. -ENFILE: there are too many holders. */
int64_t file_inherit(struct file *f, objid_t *id);

/* The parent: put the child's name into the entry, unless file_attach did so already. Either
 * process may run first. */
void file_transfer(struct file *f, uint64_t entry, const struct twz_thread *child);

/* Free an entry, and delete the state's object if no living process has one. */
void file_revoke(struct file *f, uint64_t entry);

/* The child: use the shared state, and put its name into the entry. -EINVAL: the object is not a
 * state of the kind of f. */
int file_attach(struct file *f, objid_t id, uint64_t entry);

/* A holder died: delete the object if it is a state that no living process has an entry in. */
void file_reap(const twzobj *obj);

#endif
