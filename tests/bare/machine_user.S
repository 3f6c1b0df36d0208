/* SPDX-License-Identifier: MIT */
/*
 * User-mode routines of the machine test, copied to one page. Each ends in a fault, or in a call of
 * CALL_DONE with a result in rdi. r15 holds the address of the data slot's first page.
 */
#define CALL_NULL 0
#define CALL_DONE 1
#define CALL_KERN 2

    .section .rodata.user, "a", @progbits
    .globl user_start, user_end
    .balign 16
user_start:

    .macro routine name
    .globl \name
    .balign 16
\name:
    .endm

    .macro done
    movl $CALL_DONE, %eax
    syscall
    .endm

/* rdi = number of registers that a call changed. */
    .macro set_registers
    movq $0x1111, %rbx
    movq $0x2222, %rdx
    movq $0x3333, %rsi
    movq $0x5555, %rbp
    movq $0x6666, %r8
    movq $0x7777, %r9
    movq $0x8888, %r10
    movq $0x9999, %r12
    movq $0xaaaa, %r13
    movq $0xbbbb, %r14
    movq %rsp, %rdi
    .endm

    .macro expect value, reg
    cmpq $\value, \reg
    je 1f
    incq %rdi
1:
    .endm

    .macro expect_registers
    subq %rsp, %rdi
    expect 0x1111, %rbx
    expect 0x2222, %rdx
    expect 0x3333, %rsi
    expect 0x5555, %rbp
    expect 0x6666, %r8
    expect 0x7777, %r9
    expect 0x8888, %r10
    expect 0x9999, %r12
    expect 0xaaaa, %r13
    expect 0xbbbb, %r14
    .endm

routine user_registers
    set_registers
    movl $CALL_NULL, %eax
    syscall
    expect_registers
    done

/* The same for a trap that the kernel ignores: all registers survive. */
routine user_registers_trap
    set_registers
    movq $0xcccc, %rax
    movq $0xdddd, %rcx
    movq $0xeeee, %r11
    int3
    expect_registers
    expect 0xcccc, %rax
    expect 0xdddd, %rcx
    expect 0xeeee, %r11
    done

/* rdi = TSC ticks of 1000 null calls. */
routine user_null_calls
    movl $1000, %ebx
    rdtsc
    shlq $32, %rdx
    leaq (%rax, %rdx), %rdi
1:  xorl %eax, %eax
    syscall
    decl %ebx
    jnz 1b
    rdtsc
    shlq $32, %rdx
    addq %rdx, %rax
    subq %rdi, %rax
    movq %rax, %rdi
    done

/* Sets AC, NT, DF and ID: the kernel must run with them clear, and restore them. */
routine user_flags
    pushq $0x244602
    popfq
    movl $CALL_KERN, %eax
    syscall
    pushfq
    popq %rdi
    pushq $2
    popfq
    done

routine user_flags_trap
    pushq $0x244602
    popfq
    ud2

/* Single steps over a call. */
routine user_trace
    pushq $0x102
    popfq
    nop
    nop

routine user_trace_call
    xorl %eax, %eax
    pushq $0x102
    popfq
    syscall
    nop
    nop

routine user_divide
    xorl %edx, %edx
    xorl %ecx, %ecx
    divl %ecx
    done

routine user_jump_far
    movq $0x8000000000000000, %rax
    jmp *%rax

routine user_breakpoint
    int3
    done

routine user_int80
    int $0x80
    done

routine user_cli
    cli
    done

routine user_port
    inb $0x61, %al
    done

routine user_rdmsr
    movl $0xc0000080, %ecx
    rdmsr
    done

routine user_sgdt
    sgdt (%r15)
    done

routine user_read_kernel
    movq $0xffffffff80200000, %rax
    movq (%rax), %rdi
    done

routine user_read_absent
    movq 0x100000(%r15), %rdi
    done

routine user_write_absent
    movq $7, 0x100008(%r15)
    done

routine user_write_readonly
    movq $7, 0x1000(%r15)
    done

routine user_write_text
    movq $7, user_write_text(%rip)
    done

routine user_run_data
    jmp *%r15

/* Segment bases through a call: rdi = the offsets of both. */
routine user_bases
    leaq 0x10(%r15), %rax
    wrfsbase %rax
    leaq 0x20(%r15), %rbx
    wrgsbase %rbx
    movl $CALL_KERN, %eax
    syscall
    rdfsbase %rdi
    rdgsbase %rax
    subq %r15, %rdi
    subq %r15, %rax
    shlq $16, %rdi
    orq %rax, %rdi
    done

/* User code may set a base in the kernel's half: interrupts and calls must still work. */
routine user_bad_base
    movq $0xffffffff80206000, %rax
    wrgsbase %rax
    movl $CALL_KERN, %eax
    syscall
    ud2

/* Vector registers survive the kernel. */
routine user_vector
    movq $0x123456789abcdef, %rax
    movq %rax, %xmm7
    movl $CALL_KERN, %eax
    syscall
    movq %xmm7, %rdi
    done

routine user_kern
    movl $CALL_KERN, %eax
    syscall
    movq %rax, %rdi
    done

/* Waits until the kernel changes the word at r15, with a GS base in the kernel's half. */
routine user_wait
    movq $0xffffffff80206000, %rax
    wrgsbase %rax
    movq (%r15), %rbx
    movl $CALL_KERN, %eax
    syscall
1:  pause
    cmpq (%r15), %rbx
    je 1b
    movq (%r15), %rdi
    done

/* On another core: reads the word at r15 + 0x2000 until that at r15 is 1. rdi = number of wrong
 * values. */
routine user_reader
    xorl %edi, %edi
1:  pause
    incq 8(%r15)
    cmpl $0x600d, 0x2000(%r15)
    je 2f
    incq %rdi
2:  cmpq $1, (%r15)
    jne 1b
    done

user_end:

/* The last two bytes of the user half. */
    .globl user_last
user_last:
    syscall
