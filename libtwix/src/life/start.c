/* SPDX-License-Identifier: MIT */
/*
 * Start of the process: start.S calls twix_main on the first stack.
 *
 *   1. fill in the process's fields and the first thread's entry
 *   2. open the inherited descriptors, or the console if the args have no struct inherit. Mark the
 *      thread ready, because the parent's posix_spawn waits for that
 *   3. compare the version of the entry table that the program needs with libtwix's version
 *   4. build the program's stack as Linux does, and jump to the program's entry
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <twz/call.h>
#include <twz/device.h>
#include <twz/threads.h>

#include "base/copy.h"
#include "base/entry.h"
#include "base/linux.h"
#include "base/process.h"
#include "base/signals.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/times.h"
#include "clone.h"
#include "deliver.h"
#include "dispatch.h"
#include "exit.h"
#include "file/console.h"
#include "inherit.h"

static void open_console(void)
{
    static const uint32_t access[3] = { O_RDONLY, O_WRONLY, O_WRONLY };
    static const uint32_t port[3] = { TWZ_PORT_IN, TWZ_PORT_OUT, TWZ_PORT_ERR };

    for (int fd = 0; fd < 3; fd++) {
        struct file *f = file_new(&console_ops, FILE_CONSOLE, access[fd]);

        if (!f)
            continue;
        f->sub = port[fd];
        (void)fd_replace(fd, f, false);
    }
}

/* Returns whether `list`, words separated by commas, contains `word`. */
static bool has_word(const char *list, const char *word)
{
    while (*list) {
        size_t n = 0;

        while (word[n] && list[n] == word[n])
            n++;
        if (!word[n] && (list[n] == 0 || list[n] == ','))
            return true;
        while (*list && *list != ',')
            list++;
        list += *list == ',';
    }
    return false;
}

/* Returns whether the environment has TWZ_TRACE with "linux" in its list. */
static bool is_traced(const struct twz_args *args)
{
    static const char name[] = "TWZ_TRACE=";
    const char *s = (const char *)args + args->strings;
    bool traced = false;

    for (uint32_t i = 0; i < args->argc + args->envc; i++) {
        size_t n = 0;

        while (n < sizeof(name) - 1 && s[n] == name[n])
            n++;
        if (i >= args->argc && n == sizeof(name) - 1 && has_word(s + n, "linux"))
            traced = true;
        while (*s++)
            ;
    }
    return traced;
}

/* Does steps 1 and 2 of the list at the top of this file. */
static void start_process(const struct twz_args *args)
{
    const struct twz_record *view =
        (const struct twz_record *)(twz_thread_repr_base()->view + TWZ_OBJ_RECORD);
    const struct inherit *head = inherit_find(args);

    process.args = args;
    process.name = (const char *)args + args->strings;
    process.view = view->id;
    process.root = args->root;
    process.cwd = objid_is_none(args->cwd) ? args->root : args->cwd;
    process.umask = 022;
    process.pid = thread_number(twz_thread_repr_base()->generation);
    if (head) {
        process.ppid = head->ppid;
        process.umask = head->umask & 0777;
    }
    process.trace = is_traced(args);
    times_init();
    clone_first(&twix_table);
    signals_inherit(head ? head->sigmask : 0, head ? head->sigignored : 0);
    deliver_init();
    dispatch_init();
    if (head)
        inherit_open(head);
    else
        open_console();
    twz_thread_ready();
}

/* --- the program's stack ---------------------------------------------------------------------- */

#define STACK_GAP 16384u /* bytes between the frame of build_stack and the program's stack */

_Noreturn void enter_program(uint64_t *stack, uint64_t entry);

/* Stores pointers to `count` strings, which lie one after the other at s, and a NULL. Returns the
 * end of the strings. */
static const char *put_pointers(uint64_t *to, const char *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (uint64_t)(uintptr_t)s;
        while (*s++)
            ;
    }
    to[count] = 0;
    return s;
}

/* Builds argc, argv, NULL, envp, NULL, auxv on the first stack. Returns the program's stack
 * pointer. The strings stay in the args object. */
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
    uint64_t *argv = stack + 1, *envp = argv + args->argc + 1;
    const char *s = (const char *)(at + args->strings);

    (void)twz_sys_random(random, 16);
    stack[0] = args->argc;
    s = put_pointers(argv, s, args->argc);
    (void)put_pointers(envp, s, args->envc);
    copy_raw(envp + args->envc + 1, aux, sizeof(aux));
    return stack;
}

#define NOTE_NAME 0x007a7774u /* "twz" */

/* Returns the version of the entry table that the program's ELF note asks for
 * (musl-port/patches/0004), or 0 if the program has no such note. */
static uint32_t wanted_version(const struct twz_args *args)
{
    const Elf64_Phdr *phdr = (const Elf64_Phdr *)(uintptr_t)args->phdr;
    const uint32_t *note;

    for (uint64_t i = 0; i < args->phnum; i++) {
        if (phdr[i].p_type != PT_NOTE || phdr[i].p_filesz < 20)
            continue;
        note = (const uint32_t *)(args->bias + phdr[i].p_vaddr);
        if (note[0] == 4 && note[1] >= 4 && note[2] == 1 && note[3] == NOTE_NAME)
            return note[4];
    }
    return 0;
}

static _Noreturn void refuse_program(const char *reason, uint64_t version)
{
    char line[160];
    struct text t;

    text_init(&t, line, sizeof(line));
    text_str(&t, "libtwix: ");
    text_str(&t, reason);
    text_dec(&t, (int64_t)version);
    text_str(&t, "\n");
    (void)linux_write(2, line, t.len);
    exit_process(127);
}

_Noreturn void twix_main(const void *given)
{
    const struct twz_args *args = given;
    uint64_t *stack;
    uint32_t version;

    if (!args || args->magic != TWZ_ARGS_MAGIC || args->version != TWZ_ARGS_VERSION)
        twz_thread_exit(EXIT_STATUS(127));
    start_process(args);
    version = wanted_version(args);
    if (version == 0)
        refuse_program("this program was not built for it: use twz-cc; its table has version ",
                       TWIX_VERSION);
    if (version < TWIX_VERSION_MIN)
        refuse_program("newer than this program's C library: build the program again with twz-cc; "
                       "its version is ",
                       version);
    if (version > TWIX_VERSION)
        refuse_program("older than this program needs: put a newer one at /sys/twix, of version ",
                       version);
    stack = build_stack(args);
    if (thread_leave_call(thread_self()))
        (void)deliver_pending();
    enter_program(stack, args->entry);
}
