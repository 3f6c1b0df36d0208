/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a core (xAPIC, memory-mapped): its one-shot timer, and messages to other cores.
 * The first call masks the legacy interrupt controllers for good.
 */
#include "../x86.h"
#include <kernel/panic.h>

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

static volatile uint32_t *lapic;

static uint32_t read_apic(uint32_t reg)
{
    return lapic[reg / 4];
}

static void write_apic(uint32_t reg, uint32_t value)
{
    lapic[reg / 4] = value;
}

static void map_apic_once(void)
{
    if (lapic)
        return;
    x86_outb(PIC1_MASK, 0xff);
    x86_outb(PIC2_MASK, 0xff);
    lapic = arch_map_mmio((phys_t){ x86_acpi.lapic_phys }, 4096);
    if (!lapic)
        panic("no memory to map the local APIC");
}

void x86_apic_init(void)
{
    map_apic_once();
    x86_wrmsr(MSR_APIC_BASE, x86_rdmsr(MSR_APIC_BASE) | BASE_ENABLE);
    write_apic(REG_SVR, SVR_ENABLE | VEC_SPURIOUS);
    write_apic(REG_TPR, 0);
    write_apic(REG_LVT_LINT0, LVT_MASKED);
    write_apic(REG_LVT_LINT1, LVT_NMI);
    write_apic(REG_LVT_ERROR, LVT_MASKED);
    write_apic(REG_TIMER_DIV, DIV_BY_1);
    write_apic(REG_LVT_TIMER, VEC_TIMER);
    x86_this()->apic_id = read_apic(REG_ID) >> 24;
}

void x86_apic_eoi(void)
{
    write_apic(REG_EOI, 0);
}

void x86_apic_timer_start(uint32_t ticks)
{
    write_apic(REG_TIMER_INIT, ticks);
}

uint32_t x86_apic_timer_left(void)
{
    return read_apic(REG_TIMER_NOW);
}

void x86_apic_ipi(uint32_t apic_id, uint32_t command)
{
    while (read_apic(REG_ICR_LOW) & ICR_BUSY)
        x86_relax();
    write_apic(REG_ICR_HIGH, apic_id << 24);
    write_apic(REG_ICR_LOW, command);
}

void x86_apic_ipi_self(uint32_t vector)
{
    while (read_apic(REG_ICR_LOW) & ICR_BUSY)
        x86_relax();
    write_apic(REG_ICR_LOW, ICR_SELF | vector);
}

void arch_ipi_reschedule(unsigned cpu)
{
    x86_apic_ipi(x86_cpus[cpu]->apic_id, VEC_RESCHEDULE);
}
