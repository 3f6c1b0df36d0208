/* SPDX-License-Identifier: MIT */
/*
 * Start of a program for a bare machine: PVH entry, the first 512 GiB mapped one to one, 64-bit mode
 * with interrupts off, SSE on, a stack of 64 KiB. Calls bare_main, whose result ends the machine
 * through the debug-exit device.
 */
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
    .skip 65536
stack_top:

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

    .code64
long_mode:
    movl $DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq $stack_top, %rsp
    call bare_main
    outl %eax, $0xf4
hang:
    hlt
    jmp hang

    .section .note.GNU-stack, "", @progbits
