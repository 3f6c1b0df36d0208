/* SPDX-License-Identifier: MIT */
/*
 * Segment descriptors and the task state of each core: the stack for entries, and stacks for the
 * vectors that must not rely on the current one. A core's tables lie in its struct x86_cpu.
 */
#include "../x86.h"

#define DESC_KERNEL_CODE 0x00af9b000000ffffull
#define DESC_KERNEL_DATA 0x00cf93000000ffffull
#define DESC_USER_DATA   0x00cff3000000ffffull
#define DESC_USER_CODE   0x00affb000000ffffull
#define DESC_TSS         0x0000890000000000ull

/* Flags that SYSCALL clears: the user's own, IF, IOPL, NT and RF. */
#define SFMASK 0x257fd5ull

struct descriptor {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern char x86_syscall_entry[];

struct x86_cpu x86_boot_cpu;
struct x86_cpu *x86_cpus[MAX_CPUS] = { &x86_boot_cpu };
unsigned x86_cpu_running = 1;

/* The last 16 bytes of the stack hold the address of the core's state, where entry.S reads it. */
static void set_ist(struct x86_cpu *cpu, unsigned index, uint8_t *stack)
{
    uint64_t top = (uint64_t)stack + sizeof(cpu->ist_stack[0]) - 16;

    *(struct x86_cpu **)top = cpu;
    cpu->tss.ist[(index - 1) * 2] = (uint32_t)top;
    cpu->tss.ist[(index - 1) * 2 + 1] = (uint32_t)(top >> 32);
}

static void fill_tables(struct x86_cpu *cpu)
{
    uint64_t tss = (uint64_t)&cpu->tss;
    uint64_t top = cpu->stack + X86_ENTRY_BYTES;

    cpu->gdt[1] = DESC_KERNEL_CODE;
    cpu->gdt[2] = DESC_KERNEL_DATA;
    cpu->gdt[3] = DESC_USER_DATA;
    cpu->gdt[4] = DESC_USER_CODE;
    cpu->gdt[5] =
        DESC_TSS | (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[6] = tss >> 32;
    cpu->tss.rsp0_lo = (uint32_t)top;
    cpu->tss.rsp0_hi = (uint32_t)(top >> 32);
    cpu->tss.iomap = sizeof(cpu->tss);
    for (unsigned i = 0; i < ARRAY_LEN(cpu->ist_stack); i++)
        set_ist(cpu, i + 1, cpu->ist_stack[i]);
}

void x86_desc_load(struct x86_cpu *cpu)
{
    struct descriptor gdtr = { sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt };
    uint64_t scratch;

    cpu->self = cpu;
    fill_tables(cpu);
    __asm__ volatile("lgdt %1\n\t"
                     "pushq %2\n\t"
                     "leaq 1f(%%rip), %0\n\t"
                     "pushq %0\n\t"
                     "lretq\n"
                     "1:\tmovl %3, %%ss\n\t"
                     "movl %4, %%ds\n\t"
                     "movl %4, %%es\n\t"
                     "movl %4, %%fs\n\t"
                     "movl %4, %%gs\n\t"
                     "lldt %w4\n\t"
                     "ltr %5"
                     : "=&r"(scratch)
                     : "m"(gdtr), "i"(SEL_KERNEL_CODE), "r"(SEL_KERNEL_DATA), "r"(0),
                       "r"((uint16_t)SEL_TSS)
                     : "memory");
    x86_wrmsr(MSR_GS_BASE, (uint64_t)cpu);
    x86_wrmsr(MSR_KERNEL_GS_BASE, 0);
}

void x86_syscall_init(void)
{
    x86_wrmsr(MSR_STAR, (uint64_t)(SEL_USER_DATA - 8) << 48 | (uint64_t)SEL_KERNEL_CODE << 32);
    x86_wrmsr(MSR_LSTAR, (uint64_t)x86_syscall_entry);
    x86_wrmsr(MSR_SFMASK, SFMASK);
}

unsigned arch_cpu_count(void)
{
    return __atomic_load_n(&x86_cpu_running, __ATOMIC_ACQUIRE);
}

void arch_cpu_bind(struct cpu *cpu)
{
    unsigned count = (unsigned)arch_cpu_id() + 1;

    x86_this()->generic = cpu;
    if (x86_cpu_running < count) /* the cores start one after the other */
        __atomic_store_n(&x86_cpu_running, count, __ATOMIC_RELEASE);
}

void arch_idle(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* STI opens the window only after the next instruction, hence the NOP. */
void arch_preemption_point(void)
{
    __asm__ volatile("sti; nop; cli" : : : "memory");
}
