/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from a call number to its handler: thunks that take typed arguments out of
 * registers, and the table of them, all expanded from syscall.def.
 *
 * A number below TWZ_SYSCALL_BASE belongs to another system. It raises a fault with the registers
 * as the SYSCALL left them, so that a library may serve the call.
 */
#include <kernel/arch_regs.h>
#include <kernel/fault.h>
#include <kernel/log.h>
#include <kernel/trace.h>
#include "calls.h"

/* Arguments out of registers, in order; `next` counts registers and folds away. */
#define TAKE(arg)          TAKE_##arg
#define TAKE_V(type, name) const type name = (type)arch_call_arg(&frame->regs, next++);
#define TAKE_ID(name)                              \
    objid_t name;                                  \
    name.lo = arch_call_arg(&frame->regs, next++); \
    name.hi = arch_call_arg(&frame->regs, next++);
#define TAKE_P(type, name) \
    const struct user_##name name = { (type *)(uintptr_t)arch_call_arg(&frame->regs, next++) };

#define TAKE_S(type, name)                                                    \
    struct user_##name name;                                                  \
    name.never_here = (type *)(uintptr_t)arch_call_arg(&frame->regs, next++); \
    name.size = arch_call_arg(&frame->regs, next++);

#define PASS(arg)          PASS_##arg
#define PASS_V(type, name) name
#define PASS_ID(name)      name
#define PASS_P(type, name) name
#define PASS_S(type, name) name

#define PASS_ALL_ONCE(...)    LIST(, PASS, ##__VA_ARGS__)
#define PASS_ALL_BATCHES(...) frame, LIST(, PASS, __VA_ARGS__)
#define PASS_ALL_SLEEPS       PASS_ALL_BATCHES
#define PASS_ALL_JUMPS        PASS_ALL_BATCHES
#define PASS_ALL_CLEARS       PASS_ALL_BATCHES

#define SYSCALL(number, name, effect, run, count, ...)   \
    static int64_t call_##name(struct arch_frame *frame) \
    {                                                    \
        unsigned next = 0;                               \
        EACH(TAKE, ##__VA_ARGS__)                        \
        (void)frame;                                     \
        (void)next;                                      \
        return sys_##name(PASS_ALL_##run(__VA_ARGS__));  \
    }
#include <twz/syscall.def>
#undef SYSCALL

static int64_t (*const calls[])(struct arch_frame *frame) = {
#define SYSCALL(number, name, ...) [number] = call_##name,
#include <twz/syscall.def>
#undef SYSCALL
};

static const char *const names[] = {
#define SYSCALL(number, name, ...) [number] = #name,
#include <twz/syscall.def>
#undef SYSCALL
};

static void log_syscall(const struct twz_regs *regs, uint64_t index, objid_t thread)
{
    log_printf(
        "call " IDFMT " %s(%llx, %llx, %llx, %llx)", IDPR(thread), names[index],
        (unsigned long long)arch_call_arg(regs, 0), (unsigned long long)arch_call_arg(regs, 1),
        (unsigned long long)arch_call_arg(regs, 2), (unsigned long long)arch_call_arg(regs, 3));
}

static void raise_foreign_call(struct arch_frame *frame, uint64_t number)
{
    struct twz_fault fault = { .kind = TWZ_FAULT_CALL, .code = number };

    fault_raise(frame, &fault);
}

/* A number of another system, one that does not exist, or any number while calls are traced. */
static __attribute__((noinline)) int64_t call_rare(struct arch_frame *frame, uint64_t index)
{
    uint64_t number = arch_call_number(&frame->regs);

    if (number < TWZ_SYSCALL_BASE) {
        raise_foreign_call(frame, number);
        return SYS_KEEP;
    }
    if (index >= ARRAY_LEN(calls))
        return -TWZ_ENOSYS;
    log_syscall(&frame->regs, index, current()->id);
    return calls[index](frame);
}

/* SYS_KEEP is negative, too. */
static __attribute__((noinline)) void end_with_error(struct arch_frame *frame, int64_t result)
{
    if (result == SYS_KEEP)
        return;
    if (thread_takes_retry())
        arch_call_rewind(&frame->regs, arch_call_number(&frame->regs));
    else
        arch_call_set_result(&frame->regs, result);
}

void kernel_syscall(struct arch_frame *frame)
{
    uint64_t index = arch_call_number(&frame->regs) - TWZ_SYSCALL_BASE;
    int64_t result;

    if (__builtin_expect(index < ARRAY_LEN(calls) && !trace_call, 1))
        result = calls[index](frame);
    else
        result = call_rare(frame, index);
    if (result < 0)
        end_with_error(frame, result);
    else
        arch_call_set_result(&frame->regs, result);
}
