/* SPDX-License-Identifier: MIT */
/*
 * Both sides of a gate.
 *
 * int64_t gate_enter(uint64_t number, const uint64_t arg[6], uint64_t *value): the call gate_call.
 * It comes back with cleared registers, so what C functions must keep lies on the stack meanwhile,
 * MXCSR and the x87 control word too.
 *
 * gate_entries: one entry of 16 bytes for each gate. The kernel enters with the arguments in place
 * and rsp as behind a call instruction. The frame's thread page, at gs:0, names the table of the
 * gated functions. Its words of an earlier call on the frame, which may have been killed, are
 * cleared first.
 */
#define USER_WORDS 256 /* struct twz_thread, user */
#define USER_GATES (USER_WORDS + 3 * 8) /* TWZ_USER_GATES */

    .text
    .globl gate_enter
    .hidden gate_enter
    .type gate_enter, @function
gate_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdx
    sub $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    mov %rdi, %rax
    mov %rsi, %r11
    mov 0(%r11), %rdi
    mov 8(%r11), %rsi
    mov 16(%r11), %rdx
    mov 24(%r11), %r10
    mov 32(%r11), %r8
    mov 40(%r11), %r9
    syscall
    fldcw 4(%rsp)
    ldmxcsr (%rsp)
    add $8, %rsp
    pop %rcx
    mov %rdx, (%rcx)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size gate_enter, . - gate_enter

    .balign 16
    .globl gate_entries
    .hidden gate_entries
gate_entries:
    .set index, 0
    .rept 64 /* TWZ_GATES_MAX */
    .balign 16
    mov $index, %eax
    jmp gate_common
    .set index, index + 1
    .endr

gate_common:
    movq $0, %gs:USER_WORDS
    movq $0, %gs:USER_WORDS + 8
    movq $0, %gs:USER_WORDS + 16
    mov %gs:USER_GATES, %r11
    sub $8, %rsp
    call *(%r11, %rax, 8)
    mov %rax, %rdi
    call gate_leave
    ud2

    .section .note.GNU-stack, "", @progbits
