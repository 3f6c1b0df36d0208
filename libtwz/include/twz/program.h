/* SPDX-License-Identifier: MIT */
/*
 * Programs: their form in an object, how one is started, and what it receives.
 *
 * A program object holds the bytes of an ELF file from the base (twz-obj put). The file must be a
 * static PIE for x86-64, linked with libtwz/program.ld: the text segment's vaddr is its file
 * offset, and the writable segment's vaddr is TWZ_PROGRAM_DATA (1 GiB) or more. The load bias is
 *
 *     text slot's address + TWZ_OBJ_BASE
 *
 * so the text is used in place (READ | EXEC), and the data lie in the next slot from its base. All
 * relocations must be R_X86_64_RELATIVE and lie in the data. A runtime (libtwix) is linked the same
 * way and lies in the slots RT_TEXT and RT_DATA.
 *
 * At the entry, the runtime's if there is one, else the program's:
 *   rdi        view address of struct twz_args; 0 for the program that the kernel starts
 *   rsp        top of the stack, aligned to 16
 *   gs base    the thread's page
 *   rflags     cleared
 * The data are loaded and relocated, but with rdi 0 the start code does that itself. The entry must
 * not return: it calls thread_exit.
 */
#ifndef TWZ_PROGRAM_H
#define TWZ_PROGRAM_H

#include <twz/fault.h>
#include <twz/obj.h>
#include <twz/view.h>

#define TWZ_PROGRAM_DATA (1ull << 30) /* link-time address of the writable segment */

/* The arguments of a program, at the base of the object in TWZ_SLOT_ARGS. Offsets count from the
 * start of this struct. The object belongs to the process: it is writable and tied to the view. */
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
    uint64_t opaque;     /* offset of the data that the runtime inherits (descriptors), by 16 */
    uint64_t opaque_len; /* their length; 0: none */
    uint64_t reserved[8];
};
_Static_assert(sizeof(struct twz_args) == 280, "args size");

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
 * Load `program` into `view`, which must be open READ | WRITE. The text is mapped in place in
 * text_slot. The data are copied to a new object in the next slot, relocated and tied to the view.
 * The file is untrusted: each field is validated. -TWZ_ETYPE not a program of this kind,
 * -TWZ_ESHORT truncated, or an error of twz/obj.h. On an error nothing is left behind.
 */
TWZ_CHECKED int twz_program_load(const twzobj *view, objid_t program, uint32_t text_slot,
                                 struct twz_loaded *out);

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
};

/* A running process: its first thread's object and its view. */
struct twz_process {
    objid_t thread;
    objid_t view;
    twzobj repr; /* the thread object, open READ | WRITE */
};

/* Start a process: view, data, stack, args and thread. Its volatile objects are tied to its view,
 * and the view to its thread object. Each process must be waited for once: twz_program_wait deletes
 * the thread object. */
TWZ_CHECKED int twz_program_spawn(const struct twz_program_spec *spec, struct twz_process *process);

struct twz_program_end {
    uint64_t code;     /* argument of its thread_exit, or TWZ_EXIT_BY_SIGNAL */
    uint64_t by_fault; /* 1: `fault` ended it */
    struct twz_fault fault;
};

/* Block until the first thread ends, then release and delete its objects. -TWZ_ETIMEDOUT after
 * `deadline` (monotonic ns, or TWZ_FOREVER): then nothing is released. */
TWZ_CHECKED int twz_program_wait(struct twz_process *process, uint64_t deadline,
                                 struct twz_program_end *end);

/* Send a signal to the first thread. */
TWZ_CHECKED int twz_program_signal(const struct twz_process *process, uint64_t signal,
                                   uint64_t value);

/*
 * Find a program. A name without '/' is looked up along `path_list` ("/bin:/host"), any other from
 * the root. found: TWZ_PATH_MAX bytes for its path. -TWZ_ENONAME, -TWZ_EISDIR, -TWZ_ETYPE not
 * executable.
 */
TWZ_CHECKED int twz_program_find(const char *name, const char *path_list, char *found, objid_t *id);

/* --- the program itself ----------------------------------------------------------------------- */

/* The arguments of this program; NULL if the kernel started it. */
const struct twz_args *twz_program_args(void);

#endif
