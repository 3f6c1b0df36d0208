/* SPDX-License-Identifier: MIT */
/* Which register plays which part, so that the generic kernel names roles, not registers. */
#ifndef KERNEL_ARCH_REGS_H
#define KERNEL_ARCH_REGS_H

#include <kernel/types.h>
#include <twz/arch/regs.h>
#include <twz/signal.h>

#define ARCH_CALL_LEN  2u /* bytes of the SYSCALL instruction: rip - this repeats a call */
#define ARCH_CALL_ARGS 6u
#define ARCH_RED_ZONE  128u /* bytes below the stack pointer that belong to the user */

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

/* Tells calls at different places or stack depths apart. */
static inline uint64_t arch_regs_location(const struct twz_regs *regs)
{
    return regs->rip ^ (regs->rsp << 17);
}

static inline void arch_call_result(struct twz_regs *regs, int64_t value)
{
    regs->rax = (uint64_t)value;
}

/* Puts the thread back in front of its SYSCALL, arguments intact: it will make the call again. */
static inline void arch_call_rewind(struct twz_regs *regs, uint64_t number)
{
    regs->rip -= ARCH_CALL_LEN;
    regs->rax = number;
}

/* The reverse, with a result. */
static inline void arch_call_complete(struct twz_regs *regs, int64_t value)
{
    regs->rip += ARCH_CALL_LEN;
    regs->rax = (uint64_t)value;
}

/* A jump into a handler: frame address as first argument, stack as after a call instruction. */
static inline void arch_regs_upcall(struct twz_regs *regs, uint64_t entry, uint64_t stack,
                                    uint64_t arg)
{
    regs->rip = entry;
    regs->rsp = stack;
    regs->rdi = arg;
    regs->rflags = 0x202;
}

/* First registers of a thread. */
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
