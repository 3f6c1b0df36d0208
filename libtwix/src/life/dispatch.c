/* SPDX-License-Identifier: MIT */
/*
 * The call: linux.def expanded to a switch, to names and to trace lines. Entered as a C function
 * through the entry table, or from the CALL fault of a raw SYSCALL instruction. On the way out
 * signals that came meanwhile are delivered; a call that only a restarting handler interrupted is
 * made again.
 */
#include <errno.h>
#include <twz/call.h>
#include <twz/faults.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/linux.h"
#include "base/process.h"
#include "base/text.h"
#include "base/thread.h"
#include "clone.h"
#include "deliver.h"
#include "dispatch.h"

#define LINE      256u /* bytes of one trace line */
#define SHOW      48u  /* bytes of a path that a trace shows */
#define NO_RESULT INT64_MIN

struct call {
    uint64_t number;
    uint64_t a[6];
};

/* The paths among the arguments, one bit each, are there: 0, -EFAULT, -ENAMETOOLONG. Whether one
 * may be NULL is the call's affair. */
static int64_t check_paths(const struct call *c, unsigned paths)
{
    int err = 0;

    for (unsigned i = 0; i < 6 && err == 0; i++)
        if ((paths & 1u << i) && c->a[i])
            err = copy_check_path((const char *)(uintptr_t)c->a[i]);
    return err;
}

/* clang-format off */
#define ARG(kind, i) ((KIND_##kind)c->a[i])
#define BIT(kind, i) (IS_PATH_##kind << (i))
#define IS_PATH_FD   0u
#define IS_PATH_PATH 1u
#define IS_PATH_IN   0u
#define IS_PATH_OUT  0u
#define IS_PATH_PTR  0u
#define IS_PATH_LEN  0u
#define IS_PATH_OFF  0u
#define IS_PATH_NUM  0u
#define IS_PATH_BITS 0u
#define IS_PATH_MODE 0u
#define MAKE(nr, paths, call)                                                                      \
    case nr:                                                                                       \
        return (paths) != 0u && (ret = check_paths(c, paths)) < 0 ? ret : (call);
#define LINUX0(nr, name) MAKE(nr, 0u, linux_##name())
#define LINUX1(nr, name, k1, n1)                                                                   \
    MAKE(nr, BIT(k1, 0),                                                                           \
         linux_##name(ARG(k1, 0)))
#define LINUX2(nr, name, k1, n1, k2, n2)                                                           \
    MAKE(nr, BIT(k1, 0) | BIT(k2, 1),                                                              \
         linux_##name(ARG(k1, 0), ARG(k2, 1)))
#define LINUX3(nr, name, k1, n1, k2, n2, k3, n3)                                                   \
    MAKE(nr, BIT(k1, 0) | BIT(k2, 1) | BIT(k3, 2),                                                 \
         linux_##name(ARG(k1, 0), ARG(k2, 1), ARG(k3, 2)))
#define LINUX4(nr, name, k1, n1, k2, n2, k3, n3, k4, n4)                                           \
    MAKE(nr, BIT(k1, 0) | BIT(k2, 1) | BIT(k3, 2) | BIT(k4, 3),                                    \
         linux_##name(ARG(k1, 0), ARG(k2, 1), ARG(k3, 2), ARG(k4, 3)))
#define LINUX5(nr, name, k1, n1, k2, n2, k3, n3, k4, n4, k5, n5)                                   \
    MAKE(nr, BIT(k1, 0) | BIT(k2, 1) | BIT(k3, 2) | BIT(k4, 3) |                                   \
         BIT(k5, 4),                                                                               \
         linux_##name(ARG(k1, 0), ARG(k2, 1), ARG(k3, 2), ARG(k4, 3), ARG(k5, 4)))
#define LINUX6(nr, name, k1, n1, k2, n2, k3, n3, k4, n4, k5, n5, k6, n6)                           \
    MAKE(nr, BIT(k1, 0) | BIT(k2, 1) | BIT(k3, 2) | BIT(k4, 3) |                                   \
         BIT(k5, 4) | BIT(k6, 5),                                                                  \
         linux_##name(ARG(k1, 0), ARG(k2, 1), ARG(k3, 2), ARG(k4, 3),                              \
                      ARG(k5, 4), ARG(k6, 5)))

/* clang-format on */

static int64_t make(const struct call *c)
{
    int64_t ret;

    switch (c->number) {
#include "../../linux.def"
    default: return -ENOSYS;
    }
}
#include "base/linux_undef.h"
#undef ARG
#undef BIT
#undef MAKE

/* --- names ------------------------------------------------------------------------------------ */

/* A call's name, and how each argument is shown, for traces. */
struct shape {
    const char *name;
    char kinds[6]; /* SHOW_*; 0 ends */
};

/* clang-format off */
#define LINUX0(nr, name)                                                                           \
    case nr:                                                                                       \
        return (struct shape){ #name, { 0 } };
#define LINUX1(nr, name, k1, n1)                                                                   \
    case nr:                                                                                       \
        return (struct shape){ #name, { KIND_OF(k1) } };
#define LINUX2(nr, name, k1, n1, k2, n2)                                                           \
    case nr:                                                                                       \
        return (struct shape){ #name, { KIND_OF(k1), KIND_OF(k2) } };
#define LINUX3(nr, name, k1, n1, k2, n2, k3, n3)                                                   \
    case nr:                                                                                       \
        return (struct shape){ #name, { KIND_OF(k1), KIND_OF(k2), KIND_OF(k3) } };
#define LINUX4(nr, name, k1, n1, k2, n2, k3, n3, k4, n4)                                           \
    case nr:                                                                                       \
        return (struct shape){ #name, { KIND_OF(k1), KIND_OF(k2), KIND_OF(k3), KIND_OF(k4) } };
#define LINUX5(nr, name, k1, n1, k2, n2, k3, n3, k4, n4, k5, n5)                                   \
    case nr:                                                                                       \
        return (struct shape){                                                                     \
            #name, { KIND_OF(k1), KIND_OF(k2), KIND_OF(k3), KIND_OF(k4), KIND_OF(k5) }             \
        };
#define LINUX6(nr, name, k1, n1, k2, n2, k3, n3, k4, n4, k5, n5, k6, n6)                           \
    case nr:                                                                                       \
        return (struct shape){ #name,                                                              \
                               { KIND_OF(k1), KIND_OF(k2), KIND_OF(k3), KIND_OF(k4), KIND_OF(k5),  \
                                 KIND_OF(k6) } };
#define KIND_OF(kind) SHOW_##kind
#define SHOW_FD   'd'
#define SHOW_PATH 's'
#define SHOW_IN   'x'
#define SHOW_OUT  'x'
#define SHOW_PTR  'x'
#define SHOW_LEN  'd'
#define SHOW_OFF  'd'
#define SHOW_NUM  'd'
#define SHOW_BITS 'x'
#define SHOW_MODE 'o'
/* clang-format on */

static struct shape shape_of(uint64_t number)
{
    switch (number) {
#include "../../linux.def"
    default: return (struct shape){ NULL, { 'x', 'x', 'x' } };
    }
}
#include "base/linux_undef.h"

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
    while (n < SHOW && path[n])
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

static void log_call(const struct call *c, int64_t result)
{
    struct shape shape = shape_of(c->number);
    char line[LINE];
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

/* Whether a call that a signal interrupted may be made again as if nothing had been. */
static int restartable(uint64_t number)
{
    switch (number) {
    case 0:   /* read */
    case 1:   /* write */
    case 19:  /* readv */
    case 20:  /* writev */
    case 61:  /* wait4 */
    case 202: /* futex */
    case 247: /* waitid */ return 1;
    default: return 0;
    }
}

static int never_returns(uint64_t number)
{
    return number == 60 || number == 231; /* exit, exit_group */
}

static int64_t twix_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                         uint64_t e, uint64_t f)
{
    const struct call call = { number, { a, b, c, d, e, f } };
    struct thread *self = thread_self();
    int64_t result;
    int again;

    if (__builtin_expect(process.trace, 0) && never_returns(number))
        log_call(&call, NO_RESULT);
    do {
        again = 0;
        thread_enter_call(self);
        result = make(&call);
        if (__builtin_expect(result == -ENOSYS || process.trace, 0))
            log_call(&call, result);
        if (__builtin_expect(thread_leave_call(self), 0))
            again = deliver_pending() && result == -EINTR && restartable(number);
    } while (again);
    return result;
}

/* A SYSCALL instruction with a number of Linux: served here; the thread continues after it. */
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
