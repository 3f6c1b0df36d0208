/* SPDX-License-Identifier: MIT */
/*
 * The first instructions, in two places: the loader's 32-bit entry (PVH: paging off, flat segments,
 * EBX = address of hvm_start_info), and the real-mode page where other cores start. Both load the
 * page tables below, which map the first GiB at 0, at DIRECT_VIRT and at KERNEL_VIRT, and continue
 * in C in the upper half. The code must not need relocation: its addresses are offsets from the
 * start of a section, whose physical address the linker script fixes.
 */
#include "../layout.h"

#define ENTRY_PHYS(sym)  (KERNEL_PHYS + 0x5000 + (sym) - boot_text)
#define AP_LONG_MODE     0x40 /* offset of long_mode in .boot.text */
#define TABLE_PHYS(page) (KERNEL_PHYS + (page) * 0x1000)

    .section .note.pvh, "a", @note
    .balign 4
    .long 4                     /* name size */
    .long 8                     /* descriptor size */
    .long 18                    /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad KERNEL_PHYS + 0x5000

/* Five pages at KERNEL_PHYS: top table, two second-level ones, the 2 MiB entries, and the GDT. */
    .section .boot.data, "aw", @progbits
    .balign 4096
    .globl x86_boot_pml4
x86_boot_pml4:
    .quad TABLE_PHYS(1) + 3
    .fill 255, 8, 0
    .quad TABLE_PHYS(1) + 3
    .fill 254, 8, 0
    .quad TABLE_PHYS(2) + 3
/* page 1 */
    .quad TABLE_PHYS(3) + 3
    .fill 511, 8, 0
/* page 2 */
    .fill 510, 8, 0
    .quad TABLE_PHYS(3) + 3
    .quad 0
/* page 3 */
    .set at, 0
    .rept 512
    .quad at * 0x200000 + 0x83
    .set at, at + 1
    .endr
/* page 4 */
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* 0x08: 64-bit code */
    .quad 0x00cf93000000ffff    /* 0x10: data */
    .quad 0x00cf9b000000ffff    /* 0x18: 32-bit code, for cores that start */
boot_gdt_end:
    .globl x86_entry_tsc
    .balign 8
x86_entry_tsc:
    .quad 0
    .balign 4096

    .section .boot.text, "ax", @progbits
    .code32
boot_text:
    rdtsc
    movl %eax, KERNEL_PHYS + 0x4000 + x86_entry_tsc - boot_gdt
    movl %edx, KERNEL_PHYS + 0x4004 + x86_entry_tsc - boot_gdt
    cld
    movl %ebx, %edi             /* the C function's first argument */
    lgdtl ENTRY_PHYS(boot_gdtr)
    xorl %esi, %esi             /* not a started core */
    jmp long_mode

/* From 32-bit protected mode, GDT loaded, to long mode. Keeps EDI. ESI = 1: a started core. */
    .org boot_text + AP_LONG_MODE
long_mode:
    movl $TABLE_PHYS(0), %eax
    movl %eax, %cr3
    movl $0x20, %eax            /* PAE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x900, %eax            /* LME NXE */
    wrmsr
    movl $0x80010033, %eax      /* PG WP NE ET MP PE */
    movl %eax, %cr0
    ljmpl $SEL_KERNEL_CODE, $ENTRY_PHYS(entry64)

    .balign 8
boot_gdtr:
    .word boot_gdt_end - boot_gdt - 1
    .long TABLE_PHYS(4)

    .code64
entry64:
    movl $SEL_KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $KERNEL_VIRT, %rbx
    leaq 1f(%rip), %rax
    addq %rbx, %rax
    jmp *%rax
1:  testl %esi, %esi
    jnz 2f
    leaq x86_boot_stack_top(%rip), %rsp
    subq $256, %rsp             /* the entry frame stays free */
    xorl %ebp, %ebp
    call x86_start
2:  movq x86_ap_cpu(%rip), %rdi
    movq x86_ap_stack(%rip), %rsp
    movq x86_ap_root(%rip), %rax
    movq %rax, %cr3             /* only the kernel's own map has the stack */
    xorl %ebp, %ebp
    call x86_ap_start

/* Copied to TRAMPOLINE_PHYS. A core starts here with CS:IP = TRAMPOLINE_PHYS >> 4 : 0. */
    .section .rodata.trampoline, "a", @progbits
    .globl x86_trampoline, x86_trampoline_end
    .code16
x86_trampoline:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl ap_gdtr - x86_trampoline
    movl $0x11, %eax
    movl %eax, %cr0
    ljmpl $0x18, $TRAMPOLINE_PHYS + ap32 - x86_trampoline
    .code32
ap32:
    movl $SEL_KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $1, %esi
    movl $KERNEL_PHYS + 0x5000 + AP_LONG_MODE, %eax
    jmp *%eax
    .balign 8
ap_gdtr:
    .word 31
    .long TABLE_PHYS(4)
x86_trampoline_end:

/* Aligned to its size, like all kernel stacks. The kernel's own map has no page below it. */
    .section .bss.boot_stack, "aw", @nobits
    .balign STACK_BYTES
    .globl x86_boot_stack_guard, x86_boot_stack_top
    .skip STACK_BYTES - 4096
x86_boot_stack_guard:
    .skip 4096
    .skip STACK_BYTES
x86_boot_stack_top:

    .section .kernel_hash, "a", @progbits
    .globl x86_kernel_hash
x86_kernel_hash:
    .fill 32, 1, 0
