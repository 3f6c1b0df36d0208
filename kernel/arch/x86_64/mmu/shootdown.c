/* SPDX-License-Identifier: MIT */
/*
 * TLB shootdown. Each core has a mailbox of two counters, flush_wanted and flush_done.
 *
 *   1. The requesting core adds one to flush_wanted, keeps the sum as its ticket, and sends an
 *      interrupt.
 *   2. The target, in that interrupt or in arch_pause, reads flush_wanted, then flushes the user
 *      half of its TLB, then stores the number that it read in flush_done.
 *   3. The requesting core waits in arch_pause until flush_done has reached its ticket.
 *
 * Two cores that wait for each other serve in arch_pause. A core in the kernel that does not wait
 * serves when it next opens an interrupt window or returns to user mode, within a bounded time.
 */
#include "../x86.h"

#define BY_PAGE_MAX 16u /* flush everything for more pages than this */

/* Kernel translations are global, so they stay. */
static void flush_user_half(void)
{
    x86_write_cr3(x86_read_cr3());
}

void x86_shootdown_serve(struct x86_cpu *cpu)
{
    uint64_t wanted = atomic_load_explicit(&cpu->flush_wanted, memory_order_acquire);

    if (wanted == atomic_load_explicit(&cpu->flush_done, memory_order_relaxed))
        return;
    flush_user_half();
    atomic_store_explicit(&cpu->flush_done, wanted, memory_order_release);
}

void arch_pause(void)
{
    x86_relax();
    x86_shootdown_serve(x86_this());
}

static void flush_here(uint32_t slot, uint32_t page, uint32_t count)
{
    uint64_t addr = ((uint64_t)slot << 30) + ((uint64_t)page << 12);

    if (!count || count > BY_PAGE_MAX) {
        flush_user_half();
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

    /* The changed entry, before root->loaded is read. Pairs with set_loaded. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (has_loaded(root, self))
        flush_here(slot, page, count);
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
