/* SPDX-License-Identifier: MIT */
/*
 * Handles all vectors.
 *   - From user mode: the generic kernel handles the fault, irq.c the interrupt.
 *   - From the kernel, interrupt: it arrived in the window of arch_idle or arch_preemption_point.
 *   - From the kernel, fault at an instruction of the fix-up table: the core continues at the
 *     address given there. Any other exception is a bug of the kernel: panic.
 *   - A machine check may arrive between any two instructions, so its handler only stores the
 *     address, and requests an interrupt in which irq.c reports it.
 */
#include "../x86.h"
#include <kernel/log.h>
#include <kernel/panic.h>

#define GATE_PRESENT 0x8e00u /* interrupt gate */
#define GATE_USER    0x6000u

#define MC_VALID      (1ull << 63)
#define MC_ADDR_VALID (1ull << 58)
#define MC_ACTION     (1ull << 55) /* the core cannot go on with the data */
#define MCG_EIPV      2u           /* the error belongs to the interrupted instruction */

/* Page-fault error code. */
#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_EXEC    16u

struct gate {
    uint16_t offset0;
    uint16_t selector;
    uint16_t ist; /* low three bits of the low byte */
    uint16_t offset1;
    uint32_t offset2;
    uint32_t zero;
};

struct gate_word {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct fixup {
    int32_t where; /* both relative to their own field */
    int32_t landing;
};
extern const struct fixup x86_fixup_start[], x86_fixup_end[];

extern char x86_stubs[], x86_text_start[], x86_text_end[];

static struct gate idt[256];
static uint32_t panicking;

static void set_gate(unsigned vector, unsigned ist, unsigned flags)
{
    uint64_t at = (uint64_t)x86_stubs + vector * 16;

    idt[vector] = (struct gate){
        .offset0 = (uint16_t)at,
        .selector = SEL_KERNEL_CODE,
        .ist = (uint16_t)(ist | GATE_PRESENT | flags),
        .offset1 = (uint16_t)(at >> 16),
        .offset2 = (uint32_t)(at >> 32),
    };
}

void x86_idt_init(void)
{
    for (unsigned v = 0; v < VEC_MSI_FIRST + VEC_MSI_COUNT; v++)
        set_gate(v, 0, v == 3 || v == 4 ? GATE_USER : 0);
    set_gate(VEC_NMI, 1, 0);
    set_gate(VEC_DF, 2, 0);
    set_gate(VEC_MC, 3, 0);
    for (unsigned v = VEC_RESCHEDULE; v <= VEC_SPURIOUS; v++)
        set_gate(v, 0, 0);
}

void x86_idt_load(void)
{
    struct gate_word idtr = { sizeof(idt) - 1, (uint64_t)idt };

    __asm__ volatile("lidt %0" : : "m"(idtr));
}

void x86_trap_user(struct arch_frame *frame, uint64_t vector, uint64_t error)
{
    unsigned access;

    if (vector >= VEC_MSI_FIRST) {
        x86_irq((unsigned)vector);
    } else if (vector == VEC_PF) {
        access = error & PF_WRITE ? ARCH_ACCESS_WRITE : 0;
        access |= error & PF_EXEC ? ARCH_ACCESS_EXEC : 0;
        access |= error & PF_PRESENT ? ARCH_ACCESS_PRESENT : 0;
        access |= error & PF_USER ? 0 : ARCH_ACCESS_KERNEL;
        kernel_page_fault(frame, x86_read_cr2(), access);
    } else {
        kernel_exception(frame, (unsigned)vector, error);
    }
}

/* True: the trap was at a listed instruction, and returns to its landing address. */
static bool apply_fixup(struct x86_trap *trap)
{
    for (const struct fixup *f = x86_fixup_start; f < x86_fixup_end; f++) {
        if (trap->rip != (uint64_t)((intptr_t)&f->where + f->where))
            continue;
        trap->rip = (uint64_t)((intptr_t)&f->landing + f->landing);
        trap->rax = trap->vector == VEC_PF ? x86_read_cr2() : 0;
        return true;
    }
    return false;
}

void x86_trap_kernel(struct x86_trap *trap)
{
    if (trap->vector >= VEC_MSI_FIRST)
        x86_irq((unsigned)trap->vector);
    else if ((trap->vector != VEC_PF && trap->vector != VEC_GP) || !apply_fixup(trap))
        x86_trap_panic(trap, "exception in the kernel");
}

/* The kernel reads the frame of `addr` at an instruction that has a fixup: rsi is its source. */
static bool is_reading(const struct x86_trap *trap, phys_t addr)
{
    uint64_t source = trap->rsi;

    if ((trap->cs & 3) != 0 || source < DIRECT_VIRT)
        return false;
    return arch_phys((const void *)source).addr >> 12 == addr.addr >> 12 ||
           arch_phys((const void *)(source - 8)).addr >> 12 == addr.addr >> 12;
}

/*
 * Ends the read that an uncorrectable error has hit. The processor says that the error belongs to
 * the interrupted instruction (EIPV), or the instruction reads the frame. Elsewhere the kernel
 * cannot go on without the data.
 */
static void end_read(struct x86_trap *trap, struct x86_cpu *cpu, bool exact, phys_t addr)
{
    if ((trap->cs & 3) != 0 || (!exact && !is_reading(trap, addr)))
        return;
    if (apply_fixup(trap))
        cpu->lost_read = true;
    else if (exact)
        x86_trap_panic(trap, "uncorrectable memory error in the kernel");
}

bool arch_lost_read(void)
{
    struct x86_cpu *cpu = x86_this();
    bool lost = cpu->lost_read;

    cpu->lost_read = false;
    return lost;
}

static void store_media_errors(struct x86_trap *trap, struct x86_cpu *cpu)
{
    uint32_t banks = (uint32_t)x86_rdmsr(MSR_MCG_CAP) & 0xff;
    bool exact = (x86_rdmsr(MSR_MCG_STATUS) & MCG_EIPV) != 0;

    for (uint32_t i = 0; i < banks; i++) {
        uint64_t status = x86_rdmsr(MSR_MC0_CTL + i * 4 + 1);
        uint32_t n = cpu->media_count;

        if ((status & MC_VALID) && (status & MC_ADDR_VALID) && n < X86_MEDIA_ERRORS) {
            cpu->media_addr[n].addr = x86_rdmsr(MSR_MC0_CTL + i * 4 + 2);
            cpu->media_count = n + 1;
            if (status & MC_ACTION)
                end_read(trap, cpu, exact, cpu->media_addr[n]);
        }
        x86_wrmsr(MSR_MC0_CTL + i * 4 + 1, 0);
    }
    x86_wrmsr(MSR_MCG_STATUS, 0);
    x86_apic_ipi_self(VEC_RESCHEDULE);
}

void x86_trap_ist(struct x86_trap *trap, struct x86_cpu *cpu)
{
    kassert(x86_this() == cpu);
    if (trap->vector == VEC_MC) {
        store_media_errors(trap, cpu);
        return;
    }
    if (trap->vector == VEC_DF)
        x86_trap_panic(trap, "double fault");
    x86_stop_if_asked();
}

/* ---- panic ---- */

/* Whether the instruction before addr is a call. */
static bool follows_call(uint64_t addr)
{
    const uint8_t *code = (const uint8_t *)addr;

    if (addr < (uint64_t)x86_text_start + 8 || addr >= (uint64_t)x86_text_end)
        return false;
    if (code[-5] == 0xe8)
        return true;
    for (int len = 2; len <= 7; len++) {
        if (code[-len] == 0xff && (code[-len + 1] & 0x38) == 0x10)
            return true;
    }
    return false;
}

/* The end of the stack that sp is on. Moves an sp in the guard page up to the stack's bottom. */
static uint64_t stack_end(uint64_t *sp)
{
    uint64_t top = x86_this()->stack + X86_ENTRY_BYTES;
    uint64_t bottom = top - STACK_BYTES;

    if (*sp >= top || *sp < bottom - 4096)
        return (*sp | 4095) + 1; /* one of the single-page stacks */
    if (*sp < bottom)
        *sp = bottom;
    return top;
}

/* Logs the words of the stack that look like return addresses: they point behind a call instruction
 * in the text. There are no frame pointers, so some may be stale. */
static void log_backtrace(uint64_t sp)
{
    uint64_t end = stack_end(&sp);
    uint64_t before = 0;

    if (sp < DIRECT_VIRT)
        return;
    for (unsigned shown = 0; sp + 8 <= end && shown < 24; sp += 8) {
        uint64_t word = *(const uint64_t *)sp;

        if (word == before || !follows_call(word))
            continue;
        log_printf("  from 0x%llx", (unsigned long long)word);
        before = word;
        shown++;
    }
}

void arch_backtrace(void)
{
    log_backtrace((uint64_t)__builtin_frame_address(0));
}

void x86_trap_panic(const struct x86_trap *t, const char *what)
{
    static const char *const name[] = { "r15", "r14", "r13", "r12", "r11", "r10", "r9 ", "r8 ",
                                        "rbp", "rdi", "rsi", "rdx", "rcx", "rbx", "rax" };
    const uint64_t *reg = &t->r15;

    log_panicking();
    if (__atomic_exchange_n(&panicking, 1, __ATOMIC_ACQ_REL) != 0)
        arch_halt_all();
    log_printf("panic: %s: vector %llu error 0x%llx rip 0x%llx cr2 0x%llx core %u", what,
               (unsigned long long)t->vector, (unsigned long long)t->error,
               (unsigned long long)t->rip, (unsigned long long)x86_read_cr2(), arch_cpu_id());
    for (unsigned i = 0; i < ARRAY_LEN(name); i += 3) {
        log_printf("  %s %016llx  %s %016llx  %s %016llx", name[i], (unsigned long long)reg[i],
                   name[i + 1], (unsigned long long)reg[i + 1], name[i + 2],
                   (unsigned long long)reg[i + 2]);
    }
    log_printf("  rsp %016llx  cs  %04llx  rflags %llx  cr3 %llx", (unsigned long long)t->rsp,
               (unsigned long long)t->cs, (unsigned long long)t->rflags,
               (unsigned long long)x86_read_cr3());
    log_backtrace(t->rsp & ~7ull);
    arch_halt_all();
}
