/* SPDX-License-Identifier: MIT */
/* The only instructions of the kernel that may fault. Each has an entry in .fixup: the core
 * continues at the address given there, with the faulting address in rax. */

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
