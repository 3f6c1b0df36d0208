/* SPDX-License-Identifier: MIT */
/*
 * Prototypes of all handlers, expanded from syscall.def. A user pointer P(type, name) becomes a
 * struct user_<name> with one member, so that dereferencing it does not compile. S(type, name)
 * becomes one that has the size of the caller's struct too. USER_IN and USER_OUT check that the
 * copy has its type. An object ID takes two registers. Only calls that may change the caller's
 * registers as a whole (run is not ONCE) get its frame.
 *
 * A handler has one shape: copy in -> validate -> look up with rights -> act -> copy out. It runs
 * with no lock held. It must read each argument block once, because user code may change it.
 */
#ifndef SYS_CALLS_H
#define SYS_CALLS_H

#include <format.h>
#include <kernel/arch.h>
#include <kernel/object.h>
#include <kernel/thread.h>
#include <kernel/user.h>
#include <twz/syscall.h>

/* EACH(m, a, b, ...): m(a) m(b) ..., at most five. */
#define EACH_0(m)
#define EACH_1(m, a)                         m(a)
#define EACH_2(m, a, ...)                    m(a) EACH_1(m, __VA_ARGS__)
#define EACH_3(m, a, ...)                    m(a) EACH_2(m, __VA_ARGS__)
#define EACH_4(m, a, ...)                    m(a) EACH_3(m, __VA_ARGS__)
#define EACH_5(m, a, ...)                    m(a) EACH_4(m, __VA_ARGS__)
#define PICK(zero, a, b, c, d, e, name, ...) name
#define EACH(m, ...) \
    PICK(0, ##__VA_ARGS__, EACH_5, EACH_4, EACH_3, EACH_2, EACH_1, EACH_0)(m, ##__VA_ARGS__)

/* LIST(none, m, a, b, ...): m(a), m(b), ..., or `none`. */
#define LIST_0(none, m)         none
#define LIST_1(none, m, a)      m(a)
#define LIST_2(none, m, a, ...) m(a), LIST_1(none, m, __VA_ARGS__)
#define LIST_3(none, m, a, ...) m(a), LIST_2(none, m, __VA_ARGS__)
#define LIST_4(none, m, a, ...) m(a), LIST_3(none, m, __VA_ARGS__)
#define LIST_5(none, m, a, ...) m(a), LIST_4(none, m, __VA_ARGS__)
#define LIST(none, m, ...)                                                 \
    PICK(0, ##__VA_ARGS__, LIST_5, LIST_4, LIST_3, LIST_2, LIST_1, LIST_0) \
    (none, m, ##__VA_ARGS__)

/* The pointer types. */
#define POINTER_TYPE(arg) POINTER_TYPE_##arg
#define POINTER_TYPE_V(type, name)
#define POINTER_TYPE_ID(name)
#define POINTER_TYPE_P(type, name) \
    struct user_##name {           \
        type *never_here;          \
    };
#define POINTER_TYPE_S(type, name) \
    struct user_##name {           \
        type *never_here;          \
        uint64_t size;             \
    };
#define SYSCALL(number, name, effect, run, count, ...) EACH(POINTER_TYPE, ##__VA_ARGS__)
#include <twz/syscall.def>
#undef SYSCALL

/* The handlers. */
#define PARAM(arg)          PARAM_##arg
#define PARAM_V(type, name) type name
#define PARAM_ID(name)      objid_t name
#define PARAM_P(type, name) struct user_##name name
#define PARAM_S(type, name) struct user_##name name

#define PARAMS_ONCE(...)    LIST(void, PARAM, ##__VA_ARGS__)
#define PARAMS_BATCHES(...) struct arch_frame *frame, LIST(, PARAM, __VA_ARGS__)
#define PARAMS_SLEEPS       PARAMS_BATCHES
#define PARAMS_JUMPS        PARAMS_BATCHES
#define PARAMS_CLEARS       PARAMS_BATCHES
#define SYSCALL(number, name, effect, run, count, ...) \
    int64_t sys_##name(PARAMS_##run(__VA_ARGS__));
#include <twz/syscall.def>
#undef SYSCALL

#define USER_ADDR(ptr) ((uint64_t)(uintptr_t)(ptr).never_here)
#define USER_SAME_TYPE(obj, ptr)                                                               \
    _Static_assert(                                                                            \
        __builtin_types_compatible_p(__typeof__((obj)[0]), __typeof__((ptr).never_here[0])) || \
            __builtin_types_compatible_p(const __typeof__((obj)[0]),                           \
                                         __typeof__((ptr).never_here[0])),                     \
        "user pointer of another type")

/* Copies one *dst in from a user pointer; one *src out to it. 0 or -TWZ_EFAULT. */
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

/* The same for an S argument; `min` is the size of the struct's first version. Also -TWZ_EINVAL
 * (kernel/user.h). USER_IN_ELEMENT copies one element of an array of them. */
#define USER_IN_SIZED(dst, ptr, min) USER_IN_ELEMENT(dst, ptr, 0, min)
#define USER_IN_ELEMENT(dst, ptr, index, min)                                              \
    __extension__({                                                                        \
        USER_SAME_TYPE(dst, ptr);                                                          \
        user_copy_in_sized((dst), sizeof((dst)[0]), USER_ADDR(ptr) + (index) * (ptr).size, \
                           (ptr).size, (min));                                             \
    })
#define USER_OUT_SIZED(ptr, src, min)                                                    \
    __extension__({                                                                      \
        USER_SAME_TYPE(src, ptr);                                                        \
        user_copy_out_sized(USER_ADDR(ptr), (ptr).size, (src), sizeof((src)[0]), (min)); \
    })

/* A handler's answer that leaves the registers as they are. */
#define SYS_KEEP INT64_MIN

/* The object, referenced, if the caller has all rights in `need` on it (lookup.c). -TWZ_ENOOBJ,
 * -TWZ_EDELETED, -TWZ_EDAMAGED, -TWZ_ENOMEM, -TWZ_EDENIED. */
MUST_CHECK int sys_get(objid_t id, unsigned need, struct object **out);

struct context;

/* The context, referenced, if the caller has USE on it (sys_sec.c); of TWZ_OBJID_NONE, and of its
 * own ID, the caller's active one. Errors of sys_get and of context_get. */
MUST_CHECK int sys_get_context(objid_t id, struct context **out);

/* The account that pays for what the caller makes, in *payer: that of the ACCOUNT object, on which
 * the caller needs USE; or the caller's own, for none. *held is a reference on that object, or
 * NULL; the caller must drop it when it has charged the account. -TWZ_ETYPE; -TWZ_EINVAL for a
 * provisional account; errors of sys_get and of accountobj_get. */
MUST_CHECK int sys_get_account(objid_t id, struct account **payer, struct object **held);

/* Puts the thread back on its SYSCALL instruction, so that it makes the call again: the answer of a
 * long call that has more to do (kernel/progress.h; lookup.c). */
int64_t sys_again(struct arch_frame *frame);

#endif
