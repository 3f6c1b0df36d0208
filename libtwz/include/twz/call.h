/* SPDX-License-Identifier: MIT */
/*
 * The kernel's calls as functions twz_sys_NAME, expanded from syscall.def. Each argument is loaded
 * into its register, an object ID into two, a struct that may grow as its address and size.
 */
#ifndef TWZ_CALL_H
#define TWZ_CALL_H

#include <twz/syscall.h>

static inline int64_t twz_syscall(uint64_t number, const uint64_t a[6])
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    uint64_t result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return (int64_t)result;
}

/* One macro for each kind of argument: its declaration, and its registers. */
#define TWZ_DECL_V(type, name) type name
#define TWZ_DECL_P(type, name) type *name
#define TWZ_DECL_S(type, name) type *name
#define TWZ_DECL_ID(name)      objid_t name
#define TWZ_REGS_V(type, name) (uint64_t)(name)
#define TWZ_REGS_P(type, name) (uint64_t)(uintptr_t)(name)
#define TWZ_REGS_S(type, name) (uint64_t)(uintptr_t)(name), sizeof(type)
#define TWZ_REGS_ID(name)      (name).lo, (name).hi

#define TWZ_MAP_1(m, a)                             m##a
#define TWZ_MAP_2(m, a, b)                          m##a, m##b
#define TWZ_MAP_3(m, a, b, c)                       m##a, m##b, m##c
#define TWZ_MAP_4(m, a, b, c, d)                    m##a, m##b, m##c, m##d
#define TWZ_MAP_5(m, a, b, c, d, e)                 m##a, m##b, m##c, m##d, m##e
#define TWZ_MAP_PICK(_1, _2, _3, _4, _5, name, ...) name
#define TWZ_MAP(m, ...)                                                                 \
    TWZ_MAP_PICK(__VA_ARGS__, TWZ_MAP_5, TWZ_MAP_4, TWZ_MAP_3, TWZ_MAP_2, TWZ_MAP_1, 0) \
    (m, __VA_ARGS__)

#define TWZ_STUB_0(name, ...)                  \
    static inline int64_t twz_sys_##name(void) \
    {                                          \
        const uint64_t a[6] = { 0 };           \
                                               \
        return twz_syscall(TWZ_SYS_##name, a); \
    }
#define TWZ_STUB_N(name, ...)                                             \
    static inline int64_t twz_sys_##name(TWZ_MAP(TWZ_DECL_, __VA_ARGS__)) \
    {                                                                     \
        const uint64_t a[6] = { TWZ_MAP(TWZ_REGS_, __VA_ARGS__) };        \
                                                                          \
        return twz_syscall(TWZ_SYS_##name, a);                            \
    }
#define TWZ_STUB_1 TWZ_STUB_N
#define TWZ_STUB_2 TWZ_STUB_N
#define TWZ_STUB_3 TWZ_STUB_N
#define TWZ_STUB_4 TWZ_STUB_N
#define TWZ_STUB_5 TWZ_STUB_N
#define TWZ_STUB_6 TWZ_STUB_N

/* A call that clears registers is no function of C: the library has its own (twz/gate.h). */
#define TWZ_STUBS_ONCE(count, ...)    TWZ_STUB_##count(__VA_ARGS__)
#define TWZ_STUBS_BATCHES(count, ...) TWZ_STUB_##count(__VA_ARGS__)
#define TWZ_STUBS_SLEEPS(count, ...)  TWZ_STUB_##count(__VA_ARGS__)
#define TWZ_STUBS_JUMPS(count, ...)   TWZ_STUB_##count(__VA_ARGS__)
#define TWZ_STUBS_CLEARS(count, ...)

#define SYSCALL(number, name, effect, run, count, ...) TWZ_STUBS_##run(count, name, ##__VA_ARGS__)
#include <twz/syscall.def>
#undef SYSCALL

#endif
