/* SPDX-License-Identifier: MIT */
/*
 * The few kernel calls that libtwix makes itself, as typed functions; the rest goes through libtwz.
 * Results are >= 0 or -TWZ_E*. Only sys_sync may block.
 */
#ifndef TWIX_SYS_H
#define TWIX_SYS_H

#include <twz/obj.h>
#include <twz/syscall.h>

static inline int64_t sys_raw(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                              uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    int64_t result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

static inline int64_t sys_range(objid_t id, uint64_t op, uint64_t start, uint64_t len)
{
    return sys_raw(TWZ_SYS_obj_range, id.lo, id.hi, op, start, len);
}

static inline int64_t sys_dev_ctl(objid_t id, uint64_t op, uint64_t arg)
{
    return sys_raw(TWZ_SYS_dev_ctl, id.lo, id.hi, op, arg, 0);
}

static inline int64_t sys_sync(struct twz_sync *ops, uint64_t count, uint64_t deadline)
{
    return sys_raw(TWZ_SYS_thread_sync, (uint64_t)(uintptr_t)ops, count, deadline, 0, 0);
}

static inline int64_t sys_spawn(const struct twz_spawn *args)
{
    return sys_raw(TWZ_SYS_thread_spawn, (uint64_t)(uintptr_t)args, 0, 0, 0, 0);
}

static inline int64_t sys_signal(objid_t thread, uint64_t signal, uint64_t value)
{
    return sys_raw(TWZ_SYS_thread_signal, thread.lo, thread.hi, signal, value, 0);
}

static inline int64_t sys_yield(void)
{
    return sys_raw(TWZ_SYS_thread_ctl, 0, 0, TWZ_THREAD_YIELD, 0, 0);
}

static inline int64_t sys_random(void *buf, uint64_t len)
{
    return sys_raw(TWZ_SYS_random, (uint64_t)(uintptr_t)buf, len, 0, 0, 0);
}

static inline int64_t sys_log(const char *text, uint64_t len)
{
    return sys_raw(TWZ_SYS_log_write, (uint64_t)(uintptr_t)text, len, 0, 0, 0);
}

static inline int64_t sys_fault_return(const struct twz_fault_frame *frame)
{
    return sys_raw(TWZ_SYS_fault_return, (uint64_t)(uintptr_t)frame, 0, 0, 0, 0);
}

#endif
