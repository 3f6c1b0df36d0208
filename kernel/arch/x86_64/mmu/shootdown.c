/* SPDX-License-Identifier: MIT */
/*
 * Making every core forget translations. Each core has a mailbox: two counters. Who asks adds one
 * to `wanted`, sends an interrupt and waits until `done` has reached the number it got. A core
 * that serves its mailbox (by that interrupt, or in arch_pause) reads `wanted`, drops all it
 * holds of the user half, then publishes the number it read. Two cores that ask each other serve
 * while they wait. A core with interrupts off that does not spin serves when it leaves the
 * kernel, which is soon.
 */
#include "../x86.h"

#define BY_PAGE_MAX 16u /* more single pages than this: drop everything */

static void drop_all(void)
{
    x86_write_cr3(x86_read_cr3());
}

void x86_shootdown_serve(struct x86_cpu *cpu)
{
    uint64_t wanted = atomic_load_explicit(&cpu->flush_wanted, memory_order_acquire);

    if (wanted == atomic_load_explicit(&cpu->flush_done, memory_order_relaxed))
        return;
    drop_all();
    atomic_store_explicit(&cpu->flush_done, wanted, memory_order_release);
}

void arch_pause(void)
{
    x86_relax();
    x86_shootdown_serve(x86_this());
}

static void drop_here(uint32_t slot, uint32_t page, uint32_t count)
{
    uint64_t addr = ((uint64_t)slot << 30) + ((uint64_t)page << 12);

    if (!count || count > BY_PAGE_MAX) {
        drop_all();
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        x86_invlpg(addr + ((uint64_t)i << 12));
}

static bool has_loaded(const struct arch_root *root, unsigned core)
{
    return (__atomic_load_n(&root->loaded[core / 64], __ATOMIC_SEQ_CST) >> (core % 64) & 1) != 0;
}

void arch_shootdown(struct arch_root *root, uint32_t slot, uint32_t page, uint32_t count)
{
    unsigned cores = arch_cpu_count();
    unsigned self = arch_cpu_id();
    uint64_t ticket[MAX_CPUS];

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the change of the entry, before who has it loaded */
    if (has_loaded(root, self))
        drop_here(slot, page, count);
    for (unsigned i = 0; i < cores; i++) {
        ticket[i] = 0;
        if (i == self || !has_loaded(root, i))
            continue;
        ticket[i] =
            atomic_fetch_add_explicit(&x86_cpus[i]->flush_wanted, 1, memory_order_acq_rel) + 1;
        x86_apic_ipi(x86_cpus[i]->apic_id, VEC_SHOOTDOWN);
    }
    for (unsigned i = 0; i < cores; i++) {
        if (!ticket[i])
            continue;
        while (atomic_load_explicit(&x86_cpus[i]->flush_done, memory_order_acquire) < ticket[i])
            arch_pause();
    }
}
