/* SPDX-License-Identifier: MIT */
/* The instructions of the kernel that may fault, with those of persist_copy_nt (store/x86). Each
 * has an entry in .fixup: after a page fault or a machine check the core continues at the address
 * given there, with the faulting address in rax. */

    .macro fixup from, to
    .pushsection .fixup, "a"
    .long \from - ., \to - .
    .popsection
    .endm

    .macro smap_site opcode
99: .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_sites, "a"
    .long 99b - ., \opcode
    .popsection
    .endm

    .text

/* size_t x86_user_copy(void *dst, const void *src, size_t len, uint64_t *fault_addr):
 * returns the number of bytes not copied; 4 or 8 bytes are one access. */
    .globl x86_user_copy
x86_user_copy:
    movq %rcx, %r8
    movq %rdx, %rcx
    smap_site 0xcb
    cmpq $4, %rdx
    je 3f
    shrq $3, %rcx
    andl $7, %edx
1:  rep movsq
    movl %edx, %ecx
2:  rep movsb
    smap_site 0xca
    xorl %eax, %eax
    ret
3:  movsl
    smap_site 0xca
    xorl %eax, %eax
    ret
fault_words:
    leaq (%rdx, %rcx, 8), %rcx
fault_bytes:
    smap_site 0xca
    movq %rax, (%r8)
    movq %rcx, %rax
    ret
    fixup 1b, fault_words
    fixup 2b, fault_bytes
    fixup 3b, fault_bytes

/* int arch_copy_frame_bytes(void *dst, const void *src, size_t len): 0, or 1 after an uncorrectable
 * memory error in the source. */
    .globl arch_copy_frame_bytes
arch_copy_frame_bytes:
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
5:  rep movsq
    movl %edx, %ecx
6:  rep movsb
    xorl %eax, %eax
    ret
lost:
    movl $1, %eax
    ret
    fixup 5b, lost
    fixup 6b, lost

/* bool arch_user_load64(uint64_t addr, uint64_t *value), arch_user_load32: false after a fault. */
    .globl arch_user_load64, arch_user_load32
arch_user_load64:
    smap_site 0xcb
7:  movq (%rdi), %rax
    smap_site 0xca
    movq %rax, (%rsi)
    movl $1, %eax
    ret
arch_user_load32:
    smap_site 0xcb
8:  movl (%rdi), %eax
    smap_site 0xca
    movq %rax, (%rsi)
    movl $1, %eax
    ret
load_faulted:
    smap_site 0xca
    xorl %eax, %eax
    ret
    fixup 7b, load_faulted
    fixup 8b, load_faulted

/* int x86_xrstor(const void *area): 0, or 1 if the processor rejected the image. */
    .globl x86_xrstor
x86_xrstor:
    movl $-1, %eax
    movl $-1, %edx
4:  xrstor64 (%rdi)
    xorl %eax, %eax
    ret
rejected:
    movl $1, %eax
    ret
    fixup 4b, rejected
