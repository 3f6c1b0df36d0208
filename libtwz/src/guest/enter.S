/* SPDX-License-Identifier: MIT */
/*
 * int64_t context_enter(struct twz_become *become, uint64_t size, uint64_t number): the call
 * thread_become, so that the thread returns to this function's caller with 0. Fills in the
 * registers that a C function must keep. Returns an error if the call fails.
 */
#define REGS 56 /* struct twz_become, regs */

    .text
    .globl context_enter
    .hidden context_enter
    .type context_enter, @function
context_enter:
    movq $0, REGS(%rdi)
    mov %rbx, REGS + 8(%rdi)
    mov %rbp, REGS + 48(%rdi)
    lea 8(%rsp), %rax
    mov %rax, REGS + 56(%rdi)
    mov %r12, REGS + 96(%rdi)
    mov %r13, REGS + 104(%rdi)
    mov %r14, REGS + 112(%rdi)
    mov %r15, REGS + 120(%rdi)
    mov (%rsp), %rax
    mov %rax, REGS + 128(%rdi)
    movq $0x202, REGS + 136(%rdi)
    mov %rdx, %rax
    syscall
    ret
    .size context_enter, . - context_enter

    .section .note.GNU-stack, "", @progbits
