/* SPDX-License-Identifier: MIT */
/* x86-64: the registers of a thread, in fault frames and in the thread's KSO. */
#ifndef TWZ_ARCH_REGS_H
#define TWZ_ARCH_REGS_H

#include <twz/types.h>

struct twz_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags;
    uint64_t fsbase, gsbase;
};
_Static_assert(sizeof(struct twz_regs) == 160, "regs size");

#endif
