/* SPDX-License-Identifier: MIT */
/*
 * A program for a bare machine that makes the stores, flushes and fences below, to the NVDIMM at
 * 4 GiB. test.py compares its trace with a list of them.
 */
#define NVDIMM  0x100000000

    .macro flush insn, offset
    movb \offset(%rdi), %al
    \insn \offset(%rdi)
    .endm

    .text
    .code64
    .globl bare_main
bare_main:
    movabsq $NVDIMM, %rdi
    movabsq $0x1122334455667788, %rbx
    movq %cr4, %rax             /* enable XSAVE, and with it AVX, whose registers are zero */
    orl $0x40600, %eax
    movq %rax, %cr4
    xorl %ecx, %ecx
    xorl %edx, %edx
    movl $7, %eax
    xsetbv

    movq %rbx, (%rdi)           /* line 0: one word, flushed and fenced */
    flush clwb, 0
    sfence

    movb $0xa1, 64(%rdi)        /* line 1: three stores of three sizes, in order */
    movw $0xa2a2, 66(%rdi)
    movl $0xa3a3a3a3, 68(%rdi)
    flush clflushopt, 64
    movq %rbx, 128(%rdi)        /* line 2: clflush, the same fence for both */
    flush clflush, 128
    mfence

    movnti %rbx, 192(%rdi)      /* line 3: two words past the cache */
    movnti %rbx, 200(%rdi)
    vmovntdq %ymm0, 224(%rdi)   /* the same line: 32 bytes are four words */
    sfence

    movq %rbx, 4092(%rdi)       /* over the end of a page, a line and a word */
    movq %rbx, %xmm0
    punpcklqdq %xmm0, %xmm0
    movups %xmm0, 256(%rdi)     /* line 4: 16 bytes are two words */
    lock addq $1, 320(%rdi)     /* line 5 */
    xchgq %rbx, 384(%rdi)       /* line 6 */
    flush clwb, 0               /* needless: line 0 is clean */
    clwb 256(%rdi)              /* no load before it: lost */
    sfence

    movq $7, 512(%rdi)          /* line 8: flushed, but no fence follows: never certainly durable */
    flush clwb, 512

    movl $0x10, %eax
    ret

    .section .note.GNU-stack, "", @progbits
