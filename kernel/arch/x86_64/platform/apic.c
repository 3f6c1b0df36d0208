/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of a core: its local APIC (xAPIC, memory-mapped), its one-shot timer, messages to
 * other cores, and the table of device vectors. The old interrupt controllers are masked for
 * good.
 *
 * Device vectors: a slot of the table is filled before its message is handed out, and never freed.
 */
#include "../x86.h"
#include <kernel/lock.h>
#include <kernel/log.h>

#define REG_ID         0x20u
#define REG_TPR        0x80u
#define REG_EOI        0xb0u
#define REG_SVR        0xf0u
#define REG_ICR_LOW    0x300u
#define REG_ICR_HIGH   0x310u
#define REG_LVT_TIMER  0x320u
#define REG_LVT_LINT0  0x350u
#define REG_LVT_LINT1  0x360u
#define REG_LVT_ERROR  0x370u
#define REG_TIMER_INIT 0x380u
#define REG_TIMER_NOW  0x390u
#define REG_TIMER_DIV  0x3e0u

#define SVR_ENABLE  0x100u
#define LVT_MASKED  0x10000u
#define LVT_NMI     0x400u
#define DIV_BY_1    0xbu
#define ICR_BUSY    0x1000u
#define ICR_SELF    0x40000u
#define BASE_ENABLE (1ull << 11)

#define PIC1_MASK 0x21u
#define PIC2_MASK 0xa1u

#define MSI_ADDRESS 0xfee00000ull

struct irq {
    arch_irq_fn fn;
    void *arg;
};

static volatile uint32_t *lapic;
static struct irq irqs[VEC_MSI_COUNT];
static unsigned irqs_used;
static struct spinlock lock;

static uint32_t get(uint32_t reg)
{
    return lapic[reg / 4];
}

static void set(uint32_t reg, uint32_t value)
{
    lapic[reg / 4] = value;
}

static void map_once(void)
{
    if (lapic)
        return;
    x86_outb(PIC1_MASK, 0xff);
    x86_outb(PIC2_MASK, 0xff);
    lapic = arch_map_mmio((phys_t){ x86_acpi.lapic_phys }, 4096);
    if (!lapic)
        panic("no room to map the local APIC");
}

void x86_apic_init(void)
{
    map_once();
    x86_wrmsr(MSR_APIC_BASE, x86_rdmsr(MSR_APIC_BASE) | BASE_ENABLE);
    set(REG_SVR, SVR_ENABLE | VEC_SPURIOUS);
    set(REG_TPR, 0);
    set(REG_LVT_LINT0, LVT_MASKED);
    set(REG_LVT_LINT1, LVT_NMI);
    set(REG_LVT_ERROR, LVT_MASKED);
    set(REG_TIMER_DIV, DIV_BY_1);
    set(REG_LVT_TIMER, VEC_TIMER);
    x86_this()->apic_id = get(REG_ID) >> 24;
}

void x86_apic_eoi(void)
{
    set(REG_EOI, 0);
}

void x86_apic_timer_start(uint32_t ticks)
{
    set(REG_TIMER_INIT, ticks);
}

uint32_t x86_apic_timer_left(void)
{
    return get(REG_TIMER_NOW);
}

void x86_apic_ipi(uint32_t apic_id, uint32_t command)
{
    while (get(REG_ICR_LOW) & ICR_BUSY)
        x86_relax();
    set(REG_ICR_HIGH, apic_id << 24);
    set(REG_ICR_LOW, command);
}

void x86_apic_ipi_self(uint32_t vector)
{
    while (get(REG_ICR_LOW) & ICR_BUSY)
        x86_relax();
    set(REG_ICR_LOW, ICR_SELF | vector);
}

void arch_ipi_reschedule(unsigned cpu)
{
    x86_apic_ipi(x86_cpus[cpu]->apic_id, VEC_RESCHEDULE);
}

int arch_msi_alloc(arch_irq_fn fn, void *arg, uint64_t *address, uint32_t *data)
{
    int result = -TWZ_EFULL;

    spin_lock(&lock);
    if (irqs_used < VEC_MSI_COUNT) {
        irqs[irqs_used] = (struct irq){ fn, arg };
        *address = MSI_ADDRESS | (uint64_t)x86_boot_cpu.apic_id << 12;
        *data = VEC_MSI_FIRST + irqs_used;
        irqs_used++;
        result = 0;
    }
    spin_unlock(&lock);
    return result;
}

static void serve_media_errors(struct x86_cpu *cpu)
{
    uint32_t count = atomic_exchange_explicit(&cpu->media_count, 0, memory_order_acq_rel);

    for (uint32_t i = 0; i < count; i++)
        kernel_media_error(cpu->media_addr[i]);
}

void x86_irq(unsigned vector)
{
    struct x86_cpu *cpu = x86_this();
    const struct irq *irq;

    if (vector == VEC_SPURIOUS)
        return;
    x86_apic_eoi();
    if (atomic_load_explicit(&cpu->media_count, memory_order_relaxed))
        serve_media_errors(cpu);
    if (vector == VEC_TIMER) {
        kernel_timer();
    } else if (vector == VEC_RESCHEDULE) {
        kernel_reschedule();
    } else if (vector == VEC_SHOOTDOWN) {
        x86_shootdown_serve(cpu);
    } else {
        irq = &irqs[(vector - VEC_MSI_FIRST) % VEC_MSI_COUNT];
        if (irq->fn)
            irq->fn(irq->arg);
    }
}
