/* SPDX-License-Identifier: MIT */
/* A process begins here: rdi = struct twz_args, rsp = top of its stack, aligned to 16. */
    .text
    .globl _start
    .type _start, @function
_start:
    xor %ebp, %ebp
    call twix_main
    ud2
    .size _start, . - _start

/* enter_program(stack pointer, entry): jumps to the program's entry. rbp and rdx are 0, as on
 * Linux; the other registers keep libtwix's values. */
    .globl enter_program
    .hidden enter_program
    .type enter_program, @function
enter_program:
    mov %rdi, %rsp
    xor %ebp, %ebp
    xor %edx, %edx
    jmp *%rsi
    .size enter_program, . - enter_program

    .section .note.GNU-stack, "", @progbits
