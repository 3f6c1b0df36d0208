/* SPDX-License-Identifier: MIT */
/*
 * All entries from user mode into the kernel, and the exits. The registers are saved in the running
 * thread's record, a struct arch_frame (CPU_FRAME in struct x86_cpu); kernel_exit may put another
 * thread's in its place. The top of a core's stack, downwards:
 *
 *   top - 40    rip cs rflags rsp ss    pushed by the processor, or filled in before IRET
 *   top - 48    error code              0 where the processor pushes none
 *   top - 56    vector
 *   top - 64    rdi, for a moment; below it the kernel's functions (CPU_STACK)
 *
 * While registers are saved and loaded, rsp may point to the record. Nothing is pushed there, because
 * interrupts are off from entry to exit. GS holds the user's base in user mode, and struct x86_cpu
 * in the kernel. Vectors with a stack of their own (NMI, #DF, #MC) may arrive at any instruction,
 * with either base in GS. They find struct x86_cpu at the top of that stack, and return to the
 * interrupted instruction with GS as it was.
 */
#include "../layout.h"
#include "offsets.h"

/* Where these lie, from CPU_STACK. */
#define TRAP_VECTOR 8
#define TRAP_ERROR  16
#define TRAP_RIP    24
#define TRAP_CS     32
#define TRAP_RFLAGS 40
#define TRAP_RSP    48
#define TRAP_SS     56

/* A 3-byte NOP that features.c replaces by CLAC or STAC where the processor has SMAP. */
    .macro smap_site opcode
99: .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_sites, "a"
    .long 99b - ., \opcode
    .popsection
    .endm

/* All but rdi and rsp, into the frame at `base`. */
    .macro save_regs base
    movq %rax, REG_RAX(\base)
    movq %rbx, REG_RBX(\base)
    movq %rcx, REG_RCX(\base)
    movq %rdx, REG_RDX(\base)
    movq %rsi, REG_RSI(\base)
    movq %rbp, REG_RBP(\base)
    movq %r8, REG_R8(\base)
    movq %r9, REG_R9(\base)
    movq %r10, REG_R10(\base)
    movq %r11, REG_R11(\base)
    movq %r12, REG_R12(\base)
    movq %r13, REG_R13(\base)
    movq %r14, REG_R14(\base)
    movq %r15, REG_R15(\base)
    .endm

/* All but rcx, r11 and rsp. */
    .macro load_regs
    movq REG_RAX(%rsp), %rax
    movq REG_RBX(%rsp), %rbx
    movq REG_RDX(%rsp), %rdx
    movq REG_RSI(%rsp), %rsi
    movq REG_RDI(%rsp), %rdi
    movq REG_RBP(%rsp), %rbp
    movq REG_R8(%rsp), %r8
    movq REG_R9(%rsp), %r9
    movq REG_R10(%rsp), %r10
    movq REG_R12(%rsp), %r12
    movq REG_R13(%rsp), %r13
    movq REG_R14(%rsp), %r14
    movq REG_R15(%rsp), %r15
    .endm

    .text

/* SYSCALL: rcx = user rip, r11 = user rflags, rsp is the user's, flags masked (SFMASK). */
    .globl x86_syscall_entry
    .balign 16
x86_syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_SCRATCH0
    movq %gs:CPU_FRAME, %rsp
    movq %rdi, REG_RDI(%rsp)
    save_regs %rsp
    movq %gs:CPU_SCRATCH0, %rax
    movq %rax, REG_RSP(%rsp)
    movq %rcx, REG_RIP(%rsp)
    movq %r11, REG_RFLAGS(%rsp)
    movq $0, FRAME_FLAGS(%rsp)
    movq %rsp, %rdi
    movq %gs:CPU_STACK, %rsp
    call kernel_syscall

/* The kernel chooses a thread, and the core leaves with the registers in its frame. */
x86_exit:
    call kernel_exit
    movq %gs:CPU_FRAME, %rsp
    testb $FRAME_FULL, FRAME_FLAGS(%rsp)
    jnz exit_iret
    movq REG_RIP(%rsp), %rcx
    movq %rcx, %rax
    shrq $47, %rax              /* SYSRET to a non-canonical address faults in kernel mode */
    jnz exit_iret
    movq REG_RFLAGS(%rsp), %r11
    load_regs
    movq REG_RSP(%rsp), %rsp
    swapgs
    sysretq

exit_iret:
    movq %gs:CPU_STACK, %rdi
    movq REG_RIP(%rsp), %rax
    movq REG_RFLAGS(%rsp), %rcx
    movq REG_RSP(%rsp), %rdx
    movq %rax, TRAP_RIP(%rdi)
    movq $SEL_USER_CODE, TRAP_CS(%rdi)
    movq %rcx, TRAP_RFLAGS(%rdi)
    movq %rdx, TRAP_RSP(%rdi)
    movq $SEL_USER_DATA, TRAP_SS(%rdi)
    load_regs
    movq REG_RCX(%rsp), %rcx
    movq REG_R11(%rsp), %r11
    movq %gs:CPU_STACK, %rsp
    addq $TRAP_RIP, %rsp
    swapgs
    .globl x86_iret
x86_iret:
    iretq

/* The first exit of a core. */
    .globl x86_leave
x86_leave:
    movq %gs:CPU_STACK, %rsp
    jmp x86_exit

/* A stub of 16 bytes for each vector: pushes an error code if the processor did not, and the
 * vector. */
    .globl x86_stubs
    .balign 16
x86_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector == 8) || (vector == 17) || (vector == 21) || ((vector >= 10) && (vector <= 14))
    .else
    pushq $0
    .endif
    pushq $vector
    .if (vector == 2) || (vector == 8) || (vector == 18)
    jmp trap_ist
    .else
    jmp trap
    .endif
    .set vector, vector + 1
    .endr

    .balign 16
trap:
    testb $3, 24(%rsp)
    jz trap_kernel
    swapgs
trap_user:
    smap_site 0xca
    pushq %rdi
    movq %gs:CPU_FRAME, %rdi
    save_regs %rdi
    movq (%rsp), %rax
    movq TRAP_RIP(%rsp), %rbx
    movq TRAP_RFLAGS(%rsp), %rcx
    movq TRAP_RSP(%rsp), %rbp
    movq TRAP_VECTOR(%rsp), %rsi
    movq TRAP_ERROR(%rsp), %rdx
    movq %rax, REG_RDI(%rdi)
    movq %rbx, REG_RIP(%rdi)
    movq %rcx, REG_RFLAGS(%rdi)
    movq %rbp, REG_RSP(%rdi)
    movq $FRAME_FULL, FRAME_FLAGS(%rdi)
    cld
    call x86_trap_user
    jmp x86_exit

    .macro push_regs
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

    .macro pop_regs
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    .endm

/* The kernel was interrupted: in an interrupt window, in a user copy, at IRET to user mode, or by a
 * bug. */
trap_kernel:
    pushq %rax
    leaq x86_iret(%rip), %rax
    cmpq %rax, 24(%rsp)
    popq %rax
    je trap_iret
    smap_site 0xca
    push_regs
    cld
    movq %rsp, %rdi
    call x86_trap_kernel
    pop_regs
    addq $16, %rsp
    iretq

/*
 * IRET faulted on the values that it loads. The user's registers are in place and its frame lies at
 * the stack's top, so this becomes a fault of the user at the address in the frame.
 */
trap_iret:
    swapgs
    popq %gs:CPU_SCRATCH0       /* vector */
    popq %gs:CPU_SCRATCH1       /* error */
    movq 24(%rsp), %rsp         /* the frame that IRET read */
    pushq $0
    pushq %gs:CPU_SCRATCH0
    jmp trap_user

/* On a stack of its own. The word above what the processor pushed is the address of this core's
 * struct x86_cpu. */
trap_ist:
    smap_site 0xca
    push_regs
    cld
    movl $0xc0000101, %ecx      /* GS base: the user's or the kernel's */
    rdmsr
    shlq $32, %rdx
    leaq (%rax, %rdx), %rbx
    movq 22 * 8(%rsp), %rsi
    movq %rsi, %rax
    movq %rsi, %rdx
    shrq $32, %rdx
    wrmsr
    movq %rsp, %rdi
    call x86_trap_ist
    movq %rbx, %rax
    movq %rbx, %rdx
    shrq $32, %rdx
    movl $0xc0000101, %ecx
    wrmsr
    pop_regs
    addq $16, %rsp
    iretq
