/* SPDX-License-Identifier: MIT */
/*
 * The layout of the kernel's half of every address space, and the numbers that C, assembly and the
 * linker script share. Preprocessor only.
 *
 *   ffff8000 00000000  all physical memory at its address: DRAM read-write, NVM read-only
 *   ffffc000 00000000  NVM a second time, read-write, for the store
 *   ffffe000 00000000  device registers
 *   ffffe800 00000000  kernel stacks of all cores but the first, each above a guard page
 *   ffffffff 80000000  the kernel image (physical address + this)
 */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

#define KERNEL_PHYS 0x200000
#define KERNEL_VIRT 0xffffffff80000000

#define DIRECT_VIRT 0xffff800000000000
#define NVM_VIRT    0xffffc00000000000
#define MMIO_VIRT   0xffffe00000000000
#define STACK_VIRT  0xffffe80000000000

#define STACK_BYTES 16384

/* Bytes at the top of a kernel stack for the processor and for entry.S, which draws them. */
#define X86_ENTRY_BYTES 64

/* Selectors. SYSRET takes user stack = base + 8 and user code = base + 16 from one base. */
#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_USER_DATA   0x1b
#define SEL_USER_CODE   0x23
#define SEL_TSS         0x28

/* A started core begins here in real mode: a page below 640 KiB. */
#define TRAMPOLINE_PHYS 0x8000

/* Interrupt vectors. */
#define VEC_MSI_FIRST  0x20
#define VEC_MSI_COUNT  32
#define VEC_RESCHEDULE 0xfb
#define VEC_SHOOTDOWN  0xfc
#define VEC_TIMER      0xfd
#define VEC_SPURIOUS   0xff

#endif
