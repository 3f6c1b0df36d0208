/* SPDX-License-Identifier: MIT */
/* Compiled to assembly only. The build makes a header for the .S files of its "#define" lines. */
#include "x86.h"

#define DEFINE(name, value) __asm__("\n#define " #name " %0" : : "i"(value))

void offsets(void);
void offsets(void)
{
    DEFINE(CPU_FRAME, offsetof(struct x86_cpu, frame));
    DEFINE(CPU_STACK, offsetof(struct x86_cpu, stack));
    DEFINE(CPU_SCRATCH0, offsetof(struct x86_cpu, scratch));
    DEFINE(CPU_SCRATCH1, offsetof(struct x86_cpu, scratch) + 8);
    DEFINE(REG_RAX, offsetof(struct arch_frame, regs.rax));
    DEFINE(REG_RBX, offsetof(struct arch_frame, regs.rbx));
    DEFINE(REG_RCX, offsetof(struct arch_frame, regs.rcx));
    DEFINE(REG_RDX, offsetof(struct arch_frame, regs.rdx));
    DEFINE(REG_RSI, offsetof(struct arch_frame, regs.rsi));
    DEFINE(REG_RDI, offsetof(struct arch_frame, regs.rdi));
    DEFINE(REG_RBP, offsetof(struct arch_frame, regs.rbp));
    DEFINE(REG_RSP, offsetof(struct arch_frame, regs.rsp));
    DEFINE(REG_R8, offsetof(struct arch_frame, regs.r8));
    DEFINE(REG_R9, offsetof(struct arch_frame, regs.r9));
    DEFINE(REG_R10, offsetof(struct arch_frame, regs.r10));
    DEFINE(REG_R11, offsetof(struct arch_frame, regs.r11));
    DEFINE(REG_R12, offsetof(struct arch_frame, regs.r12));
    DEFINE(REG_R13, offsetof(struct arch_frame, regs.r13));
    DEFINE(REG_R14, offsetof(struct arch_frame, regs.r14));
    DEFINE(REG_R15, offsetof(struct arch_frame, regs.r15));
    DEFINE(REG_RIP, offsetof(struct arch_frame, regs.rip));
    DEFINE(REG_RFLAGS, offsetof(struct arch_frame, regs.rflags));
    DEFINE(FRAME_FLAGS, offsetof(struct arch_frame, flags));
    DEFINE(FRAME_FULL, ARCH_FRAME_FULL);
}
