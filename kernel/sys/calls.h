/* SPDX-License-Identifier: MIT */
/*
 * Prototypes of all handlers, expanded from syscall.def. A user pointer P(type, name) becomes a
 * struct user_<name> with one member, so that dereferencing it does not compile; USER_IN and
 * USER_OUT check that what is copied is of its type. An object ID takes two registers.
 *
 * A handler has one shape: copy in -> validate -> look up with rights -> act -> copy out. It runs
 * with no lock held, and is the only reader of each argument block, which it reads once.
 */
#ifndef SYS_CALLS_H
#define SYS_CALLS_H

#include <kernel/arch.h>
#include <kernel/object.h>
#include <kernel/thread.h>
#include <kernel/user.h>
#include <twz/syscall.h>

/* FOR_EACH over up to six arguments. */
#define EACH_0(m)
#define EACH_1(m, a)                           m(a)
#define EACH_2(m, a, ...)                      m(a) EACH_1(m, __VA_ARGS__)
#define EACH_3(m, a, ...)                      m(a) EACH_2(m, __VA_ARGS__)
#define EACH_4(m, a, ...)                      m(a) EACH_3(m, __VA_ARGS__)
#define EACH_PICK(zero, a, b, c, d, name, ...) name
#define EACH(m, ...) \
    EACH_PICK(0, ##__VA_ARGS__, EACH_4, EACH_3, EACH_2, EACH_1, EACH_0)(m, ##__VA_ARGS__)

/* The pointer types. */
#define POINTER_TYPE(arg) POINTER_TYPE_##arg
#define POINTER_TYPE_V(type, name)
#define POINTER_TYPE_ID(name)
#define POINTER_TYPE_P(type, name) \
    struct user_##name {           \
        type *never_here;          \
    };
#define SYSCALL(number, name, effect, count, ...) EACH(POINTER_TYPE, ##__VA_ARGS__)
#include <twz/syscall.def>
#undef SYSCALL

/* The handlers. */
#define V(type, name) type name
#define ID(name)      objid_t name
#define P(type, name) struct user_##name name
#define SYSCALL(number, name, effect, count, ...) \
    int64_t sys_##name(struct arch_frame *frame, ##__VA_ARGS__);
#include <twz/syscall.def>
#undef SYSCALL
#undef V
#undef ID
#undef P

#define USER_ADDR(ptr) ((uint64_t)(uintptr_t)(ptr).never_here)
#define USER_SAME_TYPE(obj, ptr)                                                               \
    _Static_assert(                                                                            \
        __builtin_types_compatible_p(__typeof__((obj)[0]), __typeof__((ptr).never_here[0])) || \
            __builtin_types_compatible_p(const __typeof__((obj)[0]),                           \
                                         __typeof__((ptr).never_here[0])),                     \
        "user pointer of another type")

/* Copies one *dst in from a user pointer / one *src out to it. 0 or -TWZ_EFAULT. */
#define USER_IN(dst, ptr)                                      \
    __extension__({                                            \
        USER_SAME_TYPE(dst, ptr);                              \
        user_copy_in((dst), USER_ADDR(ptr), sizeof((dst)[0])); \
    })
#define USER_OUT(ptr, src)                                      \
    __extension__({                                             \
        USER_SAME_TYPE(src, ptr);                               \
        user_copy_out(USER_ADDR(ptr), (src), sizeof((src)[0])); \
    })

/* A handler's answer that leaves the registers as it has set them. */
#define SYS_KEEP INT64_MIN

/* The object, referenced, if the caller has all of `need` on it. (lookup.c) */
MUST_CHECK int sys_get(objid_t id, unsigned need, struct object **out);

/* Puts the thread back on its SYSCALL instruction, so that it makes the call again: the answer of a
 * long call that has more to do (kernel/progress.h). (lookup.c) */
int64_t sys_again(struct arch_frame *frame);

#endif
