/* SPDX-License-Identifier: MIT */
/*
 * Dispatches interrupts: to the generic kernel (timer, reschedule), to the shootdown mailbox, or to
 * a device's handler.
 *
 * An entry of the handler table is complete before its message is returned, and is never freed.
 * `lock` guards the allocation of entries; x86_irq reads them without it.
 */
#include "../x86.h"
#include <kernel/lock.h>

#define MSI_ADDRESS 0xfee00000ull

struct irq {
    arch_irq_fn fn;
    void *arg;
};

static struct irq irqs[VEC_MSI_COUNT];
static unsigned irqs_used;
static SHARED_LOCK struct spinlock lock;

int arch_msi_alloc(arch_irq_fn fn, void *arg, uint64_t *address, uint32_t *data)
{
    int err = -TWZ_EFULL;

    spin_lock(&lock);
    if (irqs_used < VEC_MSI_COUNT) {
        irqs[irqs_used] = (struct irq){ fn, arg };
        *address = MSI_ADDRESS | (uint64_t)x86_boot_cpu.apic_id << 12;
        *data = VEC_MSI_FIRST + irqs_used;
        irqs_used++;
        err = 0;
    }
    spin_unlock(&lock);
    return err;
}

/* Reports the errors that the #MC handler has stored. */
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
