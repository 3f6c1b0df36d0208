/* SPDX-License-Identifier: MIT */
/*
 * Programs: the form of a program object, how a program is started, and its arguments.
 *
 * The data of a program object are the bytes of an ELF file (twz-obj put). The file must be a
 * static PIE for x86-64, linked with libtwz/program.ld. The vaddr of its text segment is its file
 * offset, and the vaddr of its writable segment is TWZ_PROGRAM_DATA (1 GiB) or more. The load bias
 * is
 *
 *     address of the text slot + TWZ_OBJ_BASE
 *
 * So the text slot maps the program object itself (READ | EXEC), and the data lie in the next slot,
 * from its base. All relocations must be R_X86_64_RELATIVE and lie in the data. A runtime (libtwix)
 * is linked the same way and lies in the slots RT_TEXT and RT_DATA.
 *
 * A process starts at the entry of the runtime. Without a runtime it starts at the entry of the
 * program. The registers are:
 *   rdi       the view address of struct twz_args; 0 in the program that the kernel starts
 *   rsp       the top of the stack, aligned to 16
 *   gs base   the address of the thread's page
 *   rflags    cleared
 * The data are loaded and relocated. If rdi is 0, the start code must do this itself. The entry
 * must not return; it must call thread_exit.
 */
#ifndef TWZ_PROGRAM_H
#define TWZ_PROGRAM_H

#include <twz/fault.h>
#include <twz/obj.h>
#include <twz/sync.h>
#include <twz/view.h>

#define TWZ_PROGRAM_DATA (1ull << 30) /* link-time address of the writable segment */

/* The arguments of a program. They lie at the base of the args object, which the page of each
 * thread names (twz/thread.h). An offset is counted from the start of this struct. The args object
 * is writable, and is tied to the view of the process. */
#define TWZ_ARGS_MAGIC   0x3173677261777a74ull
#define TWZ_ARGS_VERSION 2u
struct twz_args {
    uint64_t magic;
    uint32_t version;
    uint32_t argc;
    uint32_t envc;
    uint32_t ttybits;    /* TWZ_HOST_TTY_* of hostlink.h */
    uint32_t rows, cols; /* of the terminal, 0: unknown */
    uint64_t strings;    /* offset of argc + envc strings, each ended by a NUL, in order */
    uint64_t strings_len;
    uint64_t path;     /* offset of the path that the program was found by */
    uint64_t cwd_path; /* offset of the current directory's path */
    objid_t cwd;       /* current directory, a hier */
    objid_t root;      /* root directory, a hier */
    objid_t program;
    objid_t runtime; /* 0: none */
    uint64_t entry;  /* the program's entry, view address */
    uint64_t bias;   /* the program's load bias */
    uint64_t phdr;   /* view address of its ELF program headers, and how many */
    uint64_t phnum;
    uint64_t phent;
    uint64_t data_end;  /* view address of the first byte past its .bss */
    uint64_t stack_low; /* view addresses of the first stack */
    uint64_t stack_top;
    uint64_t opaque;     /* offset of the data that the runtime inherits (descriptors), by 16 */
    uint64_t opaque_len; /* their length; 0: none */
    uint64_t reserved[7];
};
_Static_assert(sizeof(struct twz_args) == 264, "args size");

/* --- loading ------------------------------------------------------------------------------- */

struct twz_loaded {
    uint64_t entry; /* view address */
    uint64_t phdr;
    uint64_t phnum;
    uint64_t phent;
    uint64_t data_end; /* view address past .bss; without data, the data slot's base */
    objid_t data;      /* the new volatile data object, 0: none */
};

/*
 * Load `program` into `view`, which must be open with TWZ_READ | TWZ_WRITE. The slot text_slot then
 * maps the program object. The next slot maps a new object with the relocated data; it is tied to
 * the view, and belongs to the security context `holder` (0: the caller's), beside the caller's.
 * The function validates each field of the file. -TWZ_ETYPE if the file is not a program of this
 * kind, -TWZ_ESHORT if it is truncated, or an error of twz/obj.h. On an error, nothing remains.
 */
TWZ_CHECKED int twz_program_load(const twzobj *view, objid_t holder, objid_t program,
                                 uint32_t text_slot, struct twz_loaded *out);

/* --- processes ----------------------------------------------------------------------------- */

struct twz_program_spec {
    objid_t program;
    objid_t runtime;         /* 0: none; for a POSIX program, the object at /sys/twix */
    const char *path;        /* as found; also the default argv[0] */
    const char *const *argv; /* ended by NULL */
    const char *const *envp; /* ended by NULL */
    objid_t cwd;             /* 0: the root */
    const char *cwd_path;    /* NULL: "/" */
    const void *opaque;
    uint64_t opaque_len;
    uint32_t ttybits, rows, cols;
    uint32_t pad;
    uint64_t stack_size; /* 0: 8 MiB */
    objid_t account;     /* pays for the process; 0: the caller's */
};

/* A running process: its first thread's object and its view. The process itself may store anything
 * in the page of that object, and may delete the object. So its parent must not touch the page
 * outside of a catch; twz_program_poll and twz_program_ready do that. A process is given no ID of
 * its parent's objects. */
struct twz_process {
    objid_t thread;
    objid_t view;
    twzobj repr;         /* the thread object, open READ | WRITE */
    uint64_t generation; /* of the first thread; 0: the process has destroyed that object */
};

/* Start a process in a new view. Its volatile objects are tied to the view, and the view is tied to
 * the object of the first thread. The caller must call twz_program_wait once for each process,
 * which deletes this thread object. Does not block. */
TWZ_CHECKED int twz_program_spawn(const struct twz_program_spec *spec, struct twz_process *process);

struct twz_program_end {
    uint64_t code;     /* argument of its thread_exit, or TWZ_EXIT_BY_SIGNAL */
    uint64_t by_fault; /* 1: `fault` ended it */
    struct twz_fault fault;
};

/* Returns 1 if the first thread of the process has ended, or has destroyed its object, which counts
 * as an end by TWZ_SIGNAL_KILL. Fills in *end then. Returns 0 if the process runs. */
int twz_program_poll(const struct twz_process *process, struct twz_program_end *end);

/* Returns 1 if the first thread has called twz_thread_ready, or has ended; else 0. */
int twz_program_ready(const struct twz_process *process);

/* Fills in a sleep that ends with the process's first thread, and one that ends when it is ready.
 * A thread_sync on them fails with -TWZ_EFAULT once the process has destroyed its object. */
void twz_program_sleeps(const struct twz_process *process, struct twz_sync *end,
                        struct twz_sync *ready);

/* Block until the first thread of the process ends, then delete all objects of the process. Returns
 * -TWZ_ETIMEDOUT after `deadline` (ns of the monotonic clock, or TWZ_FOREVER); then no object is
 * deleted. */
TWZ_CHECKED int twz_program_wait(struct twz_process *process, uint64_t deadline,
                                 struct twz_program_end *end);

/* Send a signal to the first thread of the process. */
TWZ_CHECKED int twz_program_signal(const struct twz_process *process, uint64_t signal,
                                   uint64_t value);

/*
 * Find a program. The function looks up a name without '/' in each directory of `path_list`
 * ("/bin:/host"), and any other name from the root. It stores the path in found, which must have
 * TWZ_PATH_MAX bytes. -TWZ_ENONAME, -TWZ_EISDIR, -TWZ_ETYPE if it is not an ELF file.
 */
TWZ_CHECKED int twz_program_find(const char *name, const char *path_list, char *found, objid_t *id);

/* --- the program itself ----------------------------------------------------------------------- */

/* Returns the arguments of this program; NULL if the kernel started it. */
const struct twz_args *twz_program_args(void);

#endif
