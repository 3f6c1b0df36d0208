/* SPDX-License-Identifier: MIT */
/* User registers by their role. The generic kernel must not name a register. */
#ifndef KERNEL_ARCH_REGS_H
#define KERNEL_ARCH_REGS_H

#include <kernel/types.h>
#include <twz/arch/regs.h>
#include <twz/signal.h>

#define ARCH_CALL_LEN  2u /* length of the SYSCALL instruction */
#define ARCH_CALL_ARGS 6u
#define ARCH_RED_ZONE  128u /* bytes below the stack pointer that user code may use */

/* twz_fault.code of registers that cannot be loaded: a general protection exception. */
#define ARCH_BAD_REGS (13ull << 32)

static inline uint64_t arch_call_number(const struct twz_regs *regs)
{
    return regs->rax;
}

static inline uint64_t arch_call_arg(const struct twz_regs *regs, unsigned i)
{
    switch (i) {
    case 0: return regs->rdi;
    case 1: return regs->rsi;
    case 2: return regs->rdx;
    case 3: return regs->r10;
    case 4: return regs->r8;
    default: return regs->r9;
    }
}

static inline uint64_t arch_regs_ip(const struct twz_regs *regs)
{
    return regs->rip;
}

static inline uint64_t arch_regs_stack(const struct twz_regs *regs)
{
    return regs->rsp;
}

/* The first address in the registers that is not below the user limit; else 0. */
static inline uint64_t arch_regs_bad_address(const struct twz_regs *regs)
{
    if ((regs->rip | regs->fsbase | regs->gsbase) >> 47 == 0)
        return 0;
    if (regs->rip >> 47 != 0)
        return regs->rip;
    return regs->fsbase >> 47 != 0 ? regs->fsbase : regs->gsbase >> 47 != 0 ? regs->gsbase : 0;
}

/* The two bases that a thread keeps for itself: thread-local storage, and its user page. */
static inline void arch_regs_set_bases(struct twz_regs *regs, uint64_t tls, uint64_t user_page)
{
    regs->fsbase = tls;
    regs->gsbase = user_page;
}

/* A key for the location and stack depth of a call; different ones rarely have the same key. */
static inline uint64_t arch_regs_location(const struct twz_regs *regs)
{
    return regs->rip ^ (regs->rsp << 17);
}

static inline void arch_call_set_result(struct twz_regs *regs, int64_t value)
{
    regs->rax = (uint64_t)value;
}

/* Moves the thread back to its SYSCALL instruction, with its arguments intact: it repeats the call
 * when it runs. */
static inline void arch_call_rewind(struct twz_regs *regs, uint64_t number)
{
    regs->rip -= ARCH_CALL_LEN;
    regs->rax = number;
}

/* Reverses arch_call_rewind: the thread continues after the call, with a result. */
static inline void arch_call_complete(struct twz_regs *regs, int64_t value)
{
    regs->rip += ARCH_CALL_LEN;
    regs->rax = (uint64_t)value;
}

/* Enters a handler with arg as its first argument. stack must be as after a call instruction. */
static inline void arch_regs_upcall(struct twz_regs *regs, uint64_t entry, uint64_t stack,
                                    uint64_t arg)
{
    regs->rip = entry;
    regs->rsp = stack;
    regs->rdi = arg;
    regs->rflags = 0x202;
}

/* The first registers of a thread. */
static inline void arch_regs_start(struct twz_regs *regs, uint64_t entry, uint64_t stack,
                                   uint64_t arg, uint64_t arg2)
{
    *regs = (struct twz_regs){ 0 };
    regs->rip = entry;
    regs->rsp = stack;
    regs->rdi = arg;
    regs->rsi = arg2;
    regs->rflags = 0x202;
}

/* Enters a gate: a cleared set of registers with three arguments. stack must be as after a call
 * instruction. */
static inline void arch_regs_gate(struct twz_regs *regs, uint64_t entry, uint64_t stack,
                                  const uint64_t arg[3])
{
    arch_regs_start(regs, entry, stack, arg[0], arg[1]);
    regs->rdx = arg[2];
}

/* Leaves a gate: a cleared set of registers with the call's result and the callee's value. */
static inline void arch_regs_gate_return(struct twz_regs *regs, uint64_t ip, uint64_t stack,
                                         int64_t result, uint64_t value)
{
    arch_regs_start(regs, ip, stack, 0, 0);
    regs->rax = (uint64_t)result;
    regs->rdx = value;
}

/* The POSIX signal of a program that an exception of this vector ends. */
static inline unsigned arch_exception_signal(unsigned vector)
{
    switch (vector) {
#define TWZ_EXCEPTION(vector, signal, text) \
    case vector:                            \
        return TWZ_SIGNAL_##signal;
#include <twz/arch/exception.def>
#undef TWZ_EXCEPTION
    default: return TWZ_SIGNAL_SEGV;
    }
}

#endif
