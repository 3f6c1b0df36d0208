/* SPDX-License-Identifier: MIT */
/*
 * A machine program with a known history: boots by PVH, maps the first 512 GiB one to one, does the
 * stores, flushes and fences below to the NVDIMM at 4 GiB, and ends the machine. test.py knows what
 * the trace of it must hold, line by line.
 */
#define NVDIMM  0x100000000
#define CODE64  0x08
#define DATA    0x10

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18          /* name size, value size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start

    .section .bss
    .balign 4096
pml4:
    .skip 4096
pdpt:
    .skip 4096

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

    .text
    .code32
    .globl start
start:
    movl $pdpt + 3, pml4
    xorl %ecx, %ecx
map_next:                       /* entry i: i GiB, writable, 1 GiB page */
    movl %ecx, %eax
    shll $30, %eax
    orl $0x83, %eax
    movl %eax, pdpt(, %ecx, 8)
    movl %ecx, %eax
    shrl $2, %eax
    movl %eax, pdpt + 4(, %ecx, 8)
    incl %ecx
    cmpl $512, %ecx
    jne map_next

    movl %cr4, %eax
    orl $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx      /* EFER.LME */
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $CODE64, $long_mode

    .macro flush insn, offset
    movb \offset(%rdi), %al
    \insn \offset(%rdi)
    .endm

    .code64
long_mode:
    movl $DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movabsq $NVDIMM, %rdi
    movabsq $0x1122334455667788, %rbx

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

    movnti %rbx, 192(%rdi)      /* line 3: two words around the cache */
    movnti %rbx, 200(%rdi)
    sfence

    movq %rbx, 4092(%rdi)       /* over the end of a page, a line and a word */
    movq %rbx, %xmm0
    punpcklqdq %xmm0, %xmm0
    movups %xmm0, 256(%rdi)     /* line 4: 16 bytes are two words */
    lock addq $1, 320(%rdi)     /* line 5 */
    xchgq %rbx, 384(%rdi)       /* line 6 */
    flush clwb, 0               /* needless: line 0 is clean */
    clwb 256(%rdi)              /* nothing announces it: lost */
    sfence

    movq $7, 512(%rdi)          /* line 8: flushed, no fence follows: never durable for sure */
    flush clwb, 512

    movl $0x10, %eax            /* the debug-exit device */
    outl %eax, $0xf4
hang:
    hlt
    jmp hang

    .section .note.GNU-stack, "", @progbits
