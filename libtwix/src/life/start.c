/* SPDX-License-Identifier: MIT */
/*
 * Beginning and end of the process. What the parent handed over is input from another process:
 * every field is checked, and what does not hold is left out (a descriptor) or refused with a line
 * on the log (the whole).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <twz/call.h>
#include <twz/device.h>
#include <twz/faults.h>
#include <twz/threads.h>

#include "base/entry.h"
#include "base/linux.h"
#include "base/lock.h"
#include "base/process.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/times.h"
#include "deliver.h"
#include "file/console.h"
#include "file/device.h"
#include "file/directory.h"
#include "file/fd.h"
#include "file/pipe.h"
#include "file/regular.h"
#include "mem/mem.h"

struct process process;

/* --- what was handed over --------------------------------------------------------------------- */

static const struct inherit *inherited(void)
{
    const struct twz_args *args = process.args;
    const struct inherit *in = (const struct inherit *)((const uint8_t *)args + args->opaque);

    if (args->opaque_len < sizeof(*in) || args->opaque % 16 || in->magic != INHERIT_MAGIC ||
        in->version != INHERIT_VERSION)
        return NULL;
    if ((args->opaque_len - sizeof(*in)) / sizeof(struct inherit_file) < in->count)
        return NULL;
    return in;
}

static const struct file_ops *ops_of(const struct inherit_file *in)
{
    switch (in->kind) {
    case FILE_REGULAR: return &regular_ops;
    case FILE_DIRECTORY: return &directory_ops;
    case FILE_PIPE: return &pipe_ops;
    default: return device_ops(in->kind, in->sub);
    }
}

static int64_t reopen(struct file *f, const struct inherit_file *in)
{
    switch (in->kind) {
    case FILE_REGULAR: return regular_open(f, in->obj, in->access & O_ACCMODE);
    case FILE_DIRECTORY: return directory_open(f, in->obj);
    case FILE_PIPE: return pipe_reopen(f, in->obj, in->end);
    default: return 0;
    }
}

static void take_file(const struct inherit_file *in)
{
    const struct file_ops *ops = ops_of(in);
    struct file *f;
    int64_t ret;

    if (!ops || in->fd < 0 || in->fd >= FD_MAX || in->sub >= TWZ_PORTS)
        return;
    f = file_new(ops, in->kind, in->access | (uint32_t)in->flags);
    if (!f)
        return;
    f->sub = in->sub;
    ret = reopen(f, in);
    if (ret == 0 && !objid_is_none(in->state))
        ret = file_attach(f, in->state, in->end);
    if (ret < 0)
        file_put(f);
    else
        (void)fd_replace(in->fd, f, 0);
}

static void default_files(void)
{
    static const uint32_t access[3] = { O_RDONLY, O_WRONLY, O_WRONLY };
    static const uint32_t port[3] = { TWZ_PORT_IN, TWZ_PORT_OUT, TWZ_PORT_ERR };

    for (int fd = 0; fd < 3; fd++) {
        struct file *f = file_new(&console_ops, FILE_CONSOLE, access[fd]);

        if (!f)
            continue;
        f->sub = port[fd];
        (void)fd_replace(fd, f, 0);
    }
}

static void take_files(const struct inherit *in)
{
    const struct inherit_file *files = (const struct inherit_file *)(in + 1);

    for (uint32_t i = 0; i < in->count; i++)
        take_file(&files[i]);
}

/* --- start ------------------------------------------------------------------------------------ */

static int listed(const char *text, const char *word)
{
    while (*text) {
        size_t n = 0;

        while (word[n] && text[n] == word[n])
            n++;
        if (!word[n] && (text[n] == 0 || text[n] == ','))
            return 1;
        while (*text && *text != ',')
            text++;
        text += *text == ',';
    }
    return 0;
}

/* TWZ_TRACE=…,linux,… in the environment turns the trace on. */
static void look_for_trace(const struct twz_args *args)
{
    static const char name[] = "TWZ_TRACE=";
    const char *s = (const char *)args + args->strings;

    for (uint32_t i = 0; i < args->argc + args->envc; i++) {
        size_t n = 0;

        while (n < sizeof(name) - 1 && s[n] == name[n])
            n++;
        if (i >= args->argc && n == sizeof(name) - 1 && listed(s + n, "linux"))
            process.trace = 1;
        while (*s++)
            ;
    }
}

void process_init(const struct twz_args *args)
{
    const struct twz_record *view =
        (const struct twz_record *)(TWZ_SLOT_ADDR(TWZ_SLOT_VIEW) + TWZ_OBJ_RECORD);
    const struct inherit *in;

    process.args = args;
    process.view = view->id;
    process.root = args->root;
    process.cwd = objid_is_none(args->cwd) ? args->root : args->cwd;
    process.umask = 022;
    process.pid = thread_number(twz_thread_repr_base());
    in = inherited();
    if (in) {
        process.ppid = in->ppid;
        process.umask = in->umask & 0777;
    }
    look_for_trace(args);
    times_init();
    thread_init();
    signals_init(in ? in->sigmask : 0, in ? in->sigignored : 0);
    if (in)
        take_files(in);
    else
        default_files();
    twz_thread_ready();
}

/* --- the program's first stack ---------------------------------------------------------------- */

#define STACK_GAP 16384u /* between this code's own frames and the program's stack */

_Noreturn void enter_program(uint64_t *stack, uint64_t entry);

/* argc, argv …, NULL, envp …, NULL, auxv; the strings stay in the args object. */
static uint64_t *build_stack(const struct twz_args *args)
{
    const uint8_t *at = (const uint8_t *)args;
    uint8_t *random = (uint8_t *)args + offsetof(struct twz_args, reserved);
    const uint64_t aux[][2] = {
        { AT_PHDR, args->phdr },
        { AT_PHENT, args->phent },
        { AT_PHNUM, args->phnum },
        { AT_PAGESZ, TWZ_PAGE_SIZE },
        { AT_ENTRY, args->entry },
        { AT_UID, 0 },
        { AT_EUID, 0 },
        { AT_GID, 0 },
        { AT_EGID, 0 },
        { AT_SECURE, 0 },
        { AT_CLKTCK, 100 },
        { AT_RANDOM, (uint64_t)(uintptr_t)random },
        { AT_EXECFN, (uint64_t)(uintptr_t)(at + args->path) },
        { AT_NULL, 0 },
    };
    uint64_t words = 1 + args->argc + 1 + args->envc + 1 + sizeof(aux) / sizeof(uint64_t);
    uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    uint64_t *stack = (uint64_t *)((here - STACK_GAP - words * 8) & ~15ull);
    const char *s = (const char *)(at + args->strings);
    uint64_t n = 0;

    (void)twz_sys_random(random, 16);
    stack[n++] = args->argc;
    for (uint32_t i = 0; i <= args->argc + args->envc; i++) {
        if (i == args->argc)
            stack[n++] = 0;
        if (i == args->argc + args->envc)
            break;
        stack[n++] = (uint64_t)(uintptr_t)s;
        while (*s++)
            ;
    }
    stack[n++] = 0;
    for (unsigned i = 0; i < sizeof(aux) / sizeof(aux[0]); i++) {
        stack[n++] = aux[i][0];
        stack[n++] = aux[i][1];
    }
    return stack;
}

#define NOTE_NAME 0x007a7774u /* "twz" */

/* The version in the program's note (musl-port/patches, 4); 0: it has none. */
static uint32_t wanted_version(const struct twz_args *args)
{
    const Elf64_Phdr *phdr = (const Elf64_Phdr *)(uintptr_t)args->phdr;
    const uint64_t base = TWZ_SLOT_ADDR(TWZ_SLOT_TEXT) + TWZ_OBJ_BASE;
    const uint32_t *note;

    for (uint64_t i = 0; i < args->phnum; i++) {
        if (phdr[i].p_type != PT_NOTE || phdr[i].p_filesz < 20)
            continue;
        note = (const uint32_t *)(base + phdr[i].p_vaddr);
        if (note[0] == 4 && note[1] >= 4 && note[2] == 1 && note[3] == NOTE_NAME)
            return note[4];
    }
    return 0;
}

static _Noreturn void refuse(const char *what, uint64_t number)
{
    char line[160];
    struct text t;

    text_init(&t, line, sizeof(line));
    text_str(&t, "libtwix: ");
    text_str(&t, what);
    text_dec(&t, (int64_t)number);
    text_str(&t, "\n");
    (void)linux_write(2, line, t.len);
    process_exit(127);
}

static _Noreturn void go(uint64_t *stack, uint64_t entry)
{
    if (thread_leave_call(thread_self()))
        (void)signals_deliver();
    enter_program(stack, entry);
}

_Noreturn void twix_main(const void *given)
{
    const struct twz_args *args = given;
    uint32_t version;

    if (!args || args->magic != TWZ_ARGS_MAGIC || args->version != TWZ_ARGS_VERSION)
        twz_thread_exit(127);
    process_init(args);
    version = wanted_version(args);
    if (version == 0)
        refuse("this program was not built for it: use twz-cc; its table has version ",
               TWIX_VERSION);
    if (version > TWIX_VERSION)
        refuse("older than this program needs: put a newer one at /sys/twix, of version ", version);
    go(build_stack(args), args->entry);
}

/* --- end -------------------------------------------------------------------------------------- */

static _Noreturn void finish(uint64_t code)
{
    thread_stop_others(code);
    mem_flush_all();
    fd_close_all();
    thread_leave(code);
}

void process_exit(int status)
{
    finish(PROCESS_EXITED(status));
}

void process_die(int signo)
{
    finish(PROCESS_KILLED(signo));
}

int64_t linux_exit_group(int64_t status)
{
    process_exit((int)status);
}

const struct twz_system *process_system_now(void)
{
    const struct twz_system *system = process_system();
    struct twz_stat stat;
    twzobj obj;

    int err = twz_object_init_ptr(&obj, system);

    if (err >= 0)
        err = twz_object_stat(obj.id, &stat);
    (void)err; /* at worst, the figures of an earlier look */
    return system;
}

void process_set_cwd(objid_t dir)
{
    lock_take(&process.lock);
    process.cwd = dir;
    lock_drop(&process.lock);
}

uint32_t process_set_umask(uint32_t mask)
{
    uint32_t old;

    lock_take(&process.lock);
    old = process.umask;
    process.umask = mask;
    lock_drop(&process.lock);
    return old;
}
