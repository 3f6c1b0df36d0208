/* SPDX-License-Identifier: MIT */
/* Private to arch/x86_64: the state of a core, processor instructions, and the functions of each
 * file that the others call. */
#ifndef X86_H
#define X86_H

#include <kernel/arch.h>
#include <stdatomic.h>
#include "layout.h"

/* ---- instructions ---- */

static inline void x86_outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void x86_outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void x86_outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t x86_inb(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t x86_inw(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t x86_inl(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

#define MSR_APIC_BASE      0x1bu
#define MSR_MCG_CAP        0x179u
#define MSR_MCG_STATUS     0x17au
#define MSR_MC0_CTL        0x400u /* then STATUS, ADDR, MISC; four a bank */
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

static inline uint64_t x86_rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

struct x86_cpuid {
    uint32_t a, b, c, d;
};

static inline struct x86_cpuid x86_cpuid(uint32_t leaf, uint32_t sub)
{
    struct x86_cpuid r;

    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
    return r;
}

static inline uint64_t x86_read_cr0(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static inline void x86_write_cr0(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t x86_read_cr2(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

static inline uint64_t x86_read_cr3(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}

static inline void x86_write_cr3(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint64_t x86_read_cr4(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static inline void x86_write_cr4(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static inline void x86_invlpg(uint64_t addr)
{
    __asm__ volatile("invlpg (%0)" : : "r"(addr) : "memory");
}

static inline uint64_t x86_rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

static inline void x86_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* ---- a core ---- */

struct x86_tss {
    uint32_t reserved0;
    uint32_t rsp0_lo, rsp0_hi; /* 64-bit fields at odd offsets are split */
    uint32_t rsp12[4];
    uint32_t reserved1[2];
    uint32_t ist[14]; /* seven pairs */
    uint32_t reserved2[2];
    uint16_t reserved3;
    uint16_t iomap;
};
_Static_assert(sizeof(struct x86_tss) == 104, "tss size");

#define X86_MEDIA_ERRORS 4u

/* State of a core. GS points to it in the kernel. Assembly uses the first fields. */
struct x86_cpu {
    struct cpu *generic; /* arch_cpu_bind; arch.h reads it at offset 0 */
    uint64_t id;         /* arch_cpu_id; arch.h reads it at offset 8 */
    struct x86_cpu *self;
    struct arch_frame *frame; /* of the running thread (arch_frame_use) */
    uint64_t stack;           /* where the kernel's part of an entry begins, in the kernel stack */
    uint64_t scratch[2];      /* entry code only */
    uint32_t apic_id;
    struct arch_root *root; /* loaded; NULL: the kernel's own */
    /* Shootdown mailbox (shootdown.c): other cores raise wanted, this core raises done. */
    _Atomic uint64_t flush_wanted;
    _Atomic uint64_t flush_done;
    /* Memory errors that the #MC handler stored, and irq.c has not reported yet. */
    _Atomic uint32_t media_count;
    phys_t media_addr[X86_MEDIA_ERRORS];
    bool lost_read; /* an error has ended a read since arch_lost_read */
    uint64_t gdt[7];
    struct x86_tss tss;
    _Alignas(64) uint8_t ist_stack[3][4096];
};

static inline struct x86_cpu *x86_this(void)
{
    struct x86_cpu *cpu;

    __asm__("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(offsetof(struct x86_cpu, self)));
    return cpu;
}

/* Pushed by entry.S when the kernel was interrupted. */
struct x86_trap {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

#define VEC_NMI 2u
#define VEC_DF  8u
#define VEC_GP  13u
#define VEC_PF  14u
#define VEC_MC  18u

/* ---- boot/ ---- */

NORETURN void x86_start(uint32_t start_info); /* start.c, called by boot.S */
/* memmap.c: fills boot_info from the loader's block. The RSDP's address, or 0. */
uint64_t x86_memmap_read(uint64_t start_info);
NORETURN void x86_ap_start(struct x86_cpu *cpu); /* smp.c, called by the trampoline */

/* ---- cpu/ ---- */

/* features.c: the processor's features, read once by the first core. */
struct x86_features {
    bool nx, gb_pages, smep, smap, umip, fsgsbase, xsave, rdrand, pge, mce;
    bool wide;     /* AVX, which is enabled on each core before the core allocates */
    uint8_t flush; /* 0 clflush, 1 clflushopt, 2 clwb */
    uint64_t xcr0;
    uint32_t xsave_size;
};
extern struct x86_features x86_features;
void x86_features_read(void);
void x86_features_enable(void); /* control registers of this core */

/* desc.c: descriptor tables of a core. cpu must be zero but for id, apic_id and stack. */
extern struct x86_cpu x86_boot_cpu;
extern struct x86_cpu *x86_cpus[MAX_CPUS];
extern unsigned x86_cpu_running;
void x86_desc_load(struct x86_cpu *cpu);
void x86_syscall_init(void); /* SYSCALL entry of this core */

/* usercopy.S */
size_t x86_user_copy(void *dst, const void *src, size_t len, uint64_t *fault_addr);
int x86_xrstor(const void *area);
NORETURN void x86_leave(void); /* entry.S */

/* trap.c */
void x86_idt_init(void); /* builds the table, once */
void x86_idt_load(void);
void x86_trap_user(struct arch_frame *frame, uint64_t vector, uint64_t error);
void x86_trap_kernel(struct x86_trap *trap);
void x86_trap_ist(struct x86_trap *trap, struct x86_cpu *cpu);
NORETURN void x86_trap_panic(const struct x86_trap *trap, const char *what);

/* irq.c */
void x86_irq(unsigned vector); /* any vector >= 32 */

/* ---- mmu/ ---- */

#define PTE_P    (1ull << 0)
#define PTE_W    (1ull << 1)
#define PTE_U    (1ull << 2)
#define PTE_PWT  (1ull << 3)
#define PTE_PCD  (1ull << 4)
#define PTE_A    (1ull << 5)
#define PTE_D    (1ull << 6)
#define PTE_PS   (1ull << 7)
#define PTE_G    (1ull << 8)
#define PTE_SW0  (1ull << 9)
#define PTE_SW1  (1ull << 10)
#define PTE_SW2  (1ull << 11)
#define PTE_SW3  (1ull << 52)
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

/* kmap.c: the kernel's half. x86_kmap maps [phys, phys + len) at virt with the largest pages that
 * fit; flags are PTE_* of a leaf. Takes kmap.c's lock. -TWZ_ENOMEM: no frame for a table, or a page
 * of the range is mapped already; then a part of the range is mapped. */
void x86_kmap_init(void); /* maps image and DRAM, and loads the kernel's own root */
MUST_CHECK int x86_kmap(uint64_t virt, uint64_t phys, uint64_t len, uint64_t flags);
/* Makes [phys, phys + len) readable at arch_virt, for firmware tables. -TWZ_ENOMEM, -TWZ_ERANGE. */
MUST_CHECK int x86_kmap_read(uint64_t phys, uint64_t len);
uint64_t x86_kernel_root(void);     /* physical address of the kernel's PML4 */
uint64_t *x86_table(uint64_t phys); /* a page table, through the direct map */

/* shootdown.c */
void x86_shootdown_serve(struct x86_cpu *cpu);

/* ---- platform/ ---- */

struct x86_acpi {
    uint32_t lapic_phys;
    uint32_t cpus; /* usable cores in apic_id[] */
    uint32_t apic_id[MAX_CPUS];
    uint16_t pm1a_control, pm1b_control;
    uint16_t pm_timer;   /* I/O port, 0: none */
    uint16_t reset_port; /* 0: none */
    uint8_t reset_value;
    uint64_t dsdt;
};
extern struct x86_acpi x86_acpi;
/* acpi.c: fills x86_acpi, and the cores and NVDIMMs of boot_info. rsdp 0: searches the BIOS
 * area. */
void x86_acpi_read(uint64_t rsdp);

/* apic.c */
void x86_apic_init(void); /* this core's local APIC; the first call maps it */
void x86_apic_eoi(void);
void x86_apic_timer_start(uint32_t ticks); /* 0 stops it */
uint32_t x86_apic_timer_left(void);
void x86_apic_ipi(uint32_t apic_id, uint32_t command); /* command: low word of the ICR */
/* To this core. Must not change the destination register, because it may interrupt x86_apic_ipi. */
void x86_apic_ipi_self(uint32_t vector);
#define X86_ICR_INIT       0x4500u
#define X86_ICR_STARTUP    0x4600u
#define X86_ICR_NMI_OTHERS 0xc4400u

/* clock.c */
void x86_clock_init(void);
extern uint64_t x86_entry_tsc; /* TSC at the kernel's first instruction (boot.S) */

/* power.c: the NMI handler. Halts this core for good if another one stops the machine. */
void x86_stop_if_asked(void);

/* serial.c */
void x86_serial_init(void);

#endif
