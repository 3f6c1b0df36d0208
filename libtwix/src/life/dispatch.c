/* SPDX-License-Identifier: MIT */
/*
 * Serves one Linux call. The C library enters twix_call through the entry table. For a raw SYSCALL
 * instruction the upcall for TWZ_FAULT_CALL calls twix_call. This file expands linux.def twice: to
 * the switch that calls the handlers, and to the names and kinds that a trace prints.
 *
 * At the end of a call twix_call delivers the pending signals. It makes an interrupted call again
 * if the call may be restarted and all handlers that ran have SA_RESTART. After the C library's
 * cancellation signal, twix_call must not make the call again.
 */
#include <errno.h>
#include <twz/call.h>
#include <twz/faults.h>

#include "base/copy.h"
#include "base/linux.h"
#include "base/process.h"
#include "base/text.h"
#include "base/thread.h"
#include "clone.h"
#include "deliver.h"
#include "dispatch.h"

struct call {
    uint64_t number;
    uint64_t a[6];
};

/* How a trace prints an argument of each kind. */
#define SHOW_FD   'd' /* signed decimal */
#define SHOW_PATH 's' /* string */
#define SHOW_IN   'x' /* hexadecimal */
#define SHOW_OUT  'x'
#define SHOW_PTR  'x'
#define SHOW_LEN  'd'
#define SHOW_OFF  'd'
#define SHOW_NUM  'd'
#define SHOW_BITS 'x'
#define SHOW_MODE 'o' /* octal */

/* --- the handlers ----------------------------------------------------------------------------- */

/* Checks the arguments that are paths; `paths` has a bit for each. Returns 0, -EFAULT or
 * -ENAMETOOLONG. Skips NULL: the handler decides whether NULL is allowed. */
static int check_paths(const struct call *c, unsigned paths)
{
    int err = 0;

    for (unsigned i = 0; i < 6 && err == 0; i++)
        if ((paths & 1u << i) && c->a[i])
            err = copy_check_path((const char *)(uintptr_t)c->a[i]);
    return err;
}

#define PATHS_OR()              |
#define PATH_BIT(i, kind, name) (SHOW_##kind == SHOW_PATH ? 1u << (i) : 0u)
#define ARGUMENT(i, kind, name) ((KIND_##kind)c->a[i])
#define MAKE(number, paths, handler) \
    case number:                     \
        return (paths) != 0 && (err = check_paths(c, paths)) < 0 ? err : (handler);
#define LINUX(number, name, ...)                              \
    MAKE(number, EACH(0u, PATHS_OR, PATH_BIT, ##__VA_ARGS__), \
         linux_##name(EACH(, EACH_COMMA, ARGUMENT, ##__VA_ARGS__)))

static int64_t make_call(const struct call *c)
{
    int err;

    switch (c->number) {
#include "../../linux.def"
    default: return -ENOSYS;
    }
}
#undef LINUX

/* --- the trace -------------------------------------------------------------------------------- */

#define LINE_MAX_BYTES 256u /* bytes of one line */
#define PATH_MAX_SHOWN 48u  /* bytes of a path in a line */
#define NO_RESULT      INT64_MIN

struct shape {
    const char *name;
    char kinds[6]; /* SHOW_*; 0 ends the list */
};

#define SHOW(i, kind, name) SHOW_##kind
#define LINUX(number, name, ...) \
    case number: return (struct shape){ #name, { EACH(0, EACH_COMMA, SHOW, ##__VA_ARGS__) } };

static struct shape shape_of(uint64_t number)
{
    switch (number) {
#include "../../linux.def"
    default: return (struct shape){ NULL, { 'x', 'x', 'x' } };
    }
}
#undef LINUX

static void show_path(struct text *t, const char *path)
{
    size_t n = 0;

    if (!path) {
        text_str(t, "NULL");
        return;
    }
    if (copy_check_path(path) == -EFAULT) {
        text_hex(t, (uint64_t)(uintptr_t)path);
        return;
    }
    while (n < PATH_MAX_SHOWN && path[n])
        n++;
    text_str(t, "\"");
    text_bytes(t, path, n);
    text_str(t, path[n] ? "...\"" : "\"");
}

static void show_argument(struct text *t, char kind, uint64_t value)
{
    if (kind == 's')
        show_path(t, (const char *)(uintptr_t)value);
    else if (kind == 'o')
        text_oct(t, (uint32_t)value);
    else if (kind == 'd')
        text_dec(t, value >> 32 ? (int64_t)value : (int64_t)(int32_t)(uint32_t)value);
    else
        text_hex(t, value);
}

/* Writes one line to the log: "linux: PID NAME(ARGUMENTS) = RESULT". */
static void log_call(const struct call *c, int64_t result)
{
    struct shape shape = shape_of(c->number);
    char line[LINE_MAX_BYTES];
    struct text t;

    text_init(&t, line, sizeof(line));
    text_str(&t, "linux: ");
    text_dec(&t, process.pid);
    text_str(&t, " ");
    if (shape.name) {
        text_str(&t, shape.name);
    } else {
        text_str(&t, "call ");
        text_dec(&t, (int64_t)c->number);
    }
    text_str(&t, "(");
    for (unsigned i = 0; i < 6 && shape.kinds[i]; i++) {
        if (i)
            text_str(&t, ", ");
        show_argument(&t, shape.kinds[i], c->a[i]);
    }
    text_str(&t, ")");
    if (result != NO_RESULT) {
        text_str(&t, " = ");
        text_dec(&t, result);
    }
    text_str(&t, "\n");
    (void)twz_sys_log_write((const uint8_t *)line, t.len);
}

/* --- the call --------------------------------------------------------------------------------- */

/* Returns whether twix_call may make the call again after -EINTR. Each of these calls has changed
 * nothing when it returns -EINTR. */
static bool is_restartable(uint64_t number)
{
    switch (number) {
    case LINUX_NR_read:
    case LINUX_NR_write:
    case LINUX_NR_readv:
    case LINUX_NR_writev:
    case LINUX_NR_wait4:
    case LINUX_NR_waitid:
    case LINUX_NR_futex: return true;
    default: return false;
    }
}

static bool is_last_call(uint64_t number)
{
    return number == LINUX_NR_exit || number == LINUX_NR_exit_group;
}

/* Serves one call, then delivers signals. Makes the call again if a signal interrupted it and it
 * may be restarted. */
static int64_t twix_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                         uint64_t e, uint64_t f)
{
    const struct call call = { number, { a, b, c, d, e, f } };
    struct thread *self = thread_self();
    int64_t ret;
    bool again;

    if (__builtin_expect(process.trace, 0) && is_last_call(number))
        log_call(&call, NO_RESULT);
    do {
        again = false;
        thread_enter_call(self);
        ret = make_call(&call);
        if (__builtin_expect(ret == -ENOSYS || process.trace, 0))
            log_call(&call, ret);
        if (__builtin_expect(thread_leave_call(self), 0))
            again = deliver_pending() && ret == -EINTR && is_restartable(number);
    } while (again);
    return ret;
}

/* Serves a raw SYSCALL instruction with a Linux number. The thread continues after that
 * instruction. */
static int on_call(struct twz_fault_frame *frame)
{
    struct twz_regs *r = &frame->regs;

    r->rax = (uint64_t)twix_call(r->rax, r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
    return 1;
}

void dispatch_init(void)
{
    (void)!twz_fault_set(TWZ_FAULT_CALL, on_call);
}

const struct twix_table twix_table = {
    .magic = TWIX_MAGIC,
    .version = TWIX_VERSION,
    .size = sizeof(struct twix_table),
    .call = twix_call,
    .clone = clone_thread,
    .unmapself = clone_unmapself,
};
