/* SPDX-License-Identifier: MIT */
/*
 * Programs: how they lie in their objects, how one is started, what it is handed.
 *
 * A program object holds an ELF file's bytes from the base (twz-obj put). It is a static PIE for
 * x86-64, linked with libtwz/program.ld: the text segment's vaddr equals its file offset, the
 * writable segment's vaddr is TWZ_PROGRAM_DATA (1 GiB) or more above. So with the load bias
 *
 *     text slot's address + TWZ_OBJ_BASE
 *
 * the text is used in place (READ | EXEC) and the data fall into the next slot, from its base on.
 * Only R_X86_64_RELATIVE relocations, all of them in the data. A runtime (libtwix) is linked the
 * same way and lies in slots RT_TEXT and RT_DATA.
 *
 * At the entry (the runtime's where there is one, else the program's): rdi = view address of
 * struct twz_args, or 0 for the program that the kernel started; rsp = top of the stack, aligned to
 * 16; gs base = the thread's page; rflags clean. The data are loaded and relocated, except for
 * rdi 0, where the start code does that itself. The entry does not return: thread_exit.
 */
#ifndef TWZ_PROGRAM_H
#define TWZ_PROGRAM_H

#include <twz/fault.h>
#include <twz/obj.h>
#include <twz/view.h>

#define TWZ_PROGRAM_DATA (1ull << 30) /* link-time address of the writable segment */

/* What the spawner hands over, at the base of the object in TWZ_SLOT_ARGS. Offsets are from the
 * start of this struct. The args object is this process's own, writable, tied to its view. */
#define TWZ_ARGS_MAGIC   0x3173677261777a74ull
#define TWZ_ARGS_VERSION 1u
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
    objid_t parent;  /* thread object of the spawner, 0: none */
    uint64_t entry;  /* the program's entry, view address */
    uint64_t phdr;   /* view address of its ELF program headers, and how many */
    uint64_t phnum;
    uint64_t phent;
    uint64_t data_end;  /* view address of the first byte past its .bss */
    uint64_t stack_low; /* view addresses of the first stack */
    uint64_t stack_top;
    uint64_t opaque;     /* offset and length of what the runtime inherits (descriptors); aligned */
    uint64_t opaque_len; /* to 16; 0: nothing */
    uint64_t reserved[8];
};
_Static_assert(sizeof(struct twz_args) == 280, "args size");

/* --- loading ------------------------------------------------------------------------------- */

struct twz_loaded {
    uint64_t entry; /* view address */
    uint64_t phdr;
    uint64_t phnum;
    uint64_t phent;
    uint64_t data_end; /* view address past .bss; the data slot's base where there are no data */
    objid_t data;      /* the volatile data object that was made, 0: none */
};

/*
 * Load `program` into `view` (open READ | WRITE): text in place in text_slot, data in the next one,
 * made, filled, relocated and tied to the view. The ELF is input from anywhere: each field is
 * validated. -TWZ_ETYPE not a program of this kind (any malformed field), -TWZ_ESHORT truncated,
 * else what objects answer. On an error nothing is left behind.
 */
TWZ_CHECKED int twz_program_load(const twzobj *view, objid_t program, uint32_t text_slot,
                                 struct twz_loaded *out);

/* --- processes ----------------------------------------------------------------------------- */

struct twz_program_spec {
    objid_t program;
    objid_t runtime;         /* 0: none; else e.g. what /sys/twix names */
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
};

/* A running process: its first thread's object and its view. */
struct twz_process {
    objid_t thread;
    objid_t view;
    twzobj repr; /* the thread object, open READ | WRITE */
};

/* A new process: view, data, stack, args, thread; running when this returns. Its volatile objects
 * are tied to its view, the view to its thread object, which twz_program_wait deletes. */
TWZ_CHECKED int twz_program_spawn(const struct twz_program_spec *spec, struct twz_process *process);

struct twz_program_end {
    uint64_t code;     /* argument of its thread_exit, or TWZ_EXIT_BY_SIGNAL */
    uint64_t by_fault; /* 1: `fault` ended it */
    struct twz_fault fault;
};

/* Wait for the first thread's end and let everything go. -TWZ_ETIMEDOUT after `deadline`
 * (monotonic ns, TWZ_FOREVER): nothing is let go then. */
TWZ_CHECKED int twz_program_wait(struct twz_process *process, uint64_t deadline,
                                 struct twz_program_end *end);

/* thread_signal to the first thread. */
TWZ_CHECKED int twz_program_signal(const struct twz_process *process, uint64_t signal,
                                   uint64_t value);

/*
 * Find a program by a name that has no '/' in it, along `path_list` ("/bin:/host"), or else by the
 * path itself, from the root. `found` (TWZ_PATH_MAX bytes) gets the path. -TWZ_ENONAME,
 * -TWZ_EISDIR, -TWZ_ETYPE not executable.
 */
TWZ_CHECKED int twz_program_find(const char *name, const char *path_list, char *found, objid_t *id);

/* --- the program itself ----------------------------------------------------------------------- */

/* The args this program was given, NULL for the one that the kernel started. */
const struct twz_args *twz_program_args(void);

#endif
