/* SPDX-License-Identifier: MIT */
/*
 * int twz_catch(struct twz_catch *c): saves the callee-saved registers, the stack pointer after the
 * return, and the return address in c. Then twz_catch_begin puts c on the thread's list of catches
 * and returns 0. twz_catch_resume(c) returns there again, with 1.
 */
    .text
    .globl twz_catch
    .type twz_catch, @function
twz_catch:
    mov %rbx, 0(%rdi)
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rax
    mov %rax, 48(%rdi)
    mov (%rsp), %rax
    mov %rax, 56(%rdi)
    jmp twz_catch_begin
    .size twz_catch, . - twz_catch

    .globl twz_catch_resume
    .hidden twz_catch_resume
    .type twz_catch_resume, @function
twz_catch_resume:
    cld
    mov 0(%rdi), %rbx
    mov 8(%rdi), %rbp
    mov 16(%rdi), %r12
    mov 24(%rdi), %r13
    mov 32(%rdi), %r14
    mov 40(%rdi), %r15
    mov 48(%rdi), %rsp
    mov $1, %eax
    jmp *56(%rdi)
    .size twz_catch_resume, . - twz_catch_resume

    .section .note.GNU-stack, "", @progbits
