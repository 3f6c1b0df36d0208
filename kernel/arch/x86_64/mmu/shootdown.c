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

__attribute__((no_caller_saved_registers)) void arch_wait_word(const _Atomic uint32_t *word,
                                                               uint32_t value)
{
    while (atomic_load_explicit(word, memory_order_acquire) != value)
        arch_pause();
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

/* Does steps 1 and 3 for the cores of a bit set, of which this core is none. */
static void flush_cores(const uint64_t *set)
{
    unsigned cores = arch_cpu_count();
    uint64_t ticket[MAX_CPUS];

    for (unsigned i = 0; i < cores; i++) {
        ticket[i] = 0;
        if ((set[i / 64] >> (i % 64) & 1) == 0)
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

void arch_shootdown(struct arch_root *root, uint32_t slot, uint32_t page, uint32_t count)
{
    uint64_t set[(MAX_CPUS + 63) / 64], others = 0;
    unsigned self = arch_cpu_id();

    /* The changed entry, before root->loaded is read. Pairs with set_loaded. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (has_loaded(root, self))
        flush_here(slot, page, count);
    for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
        set[i] = __atomic_load_n(&root->loaded[i], __ATOMIC_SEQ_CST);
        if (self / 64 == i)
            set[i] &= ~(1ull << (self % 64));
        others |= set[i];
    }
    if (others)
        flush_cores(set);
}

void arch_shootdown_all(void)
{
    uint64_t set[(MAX_CPUS + 63) / 64];
    unsigned self = arch_cpu_id();

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the changed entries, before the flushes */
    flush_user_half();
    for (unsigned i = 0; i < ARRAY_LEN(set); i++)
        set[i] = UINT64_MAX;
    set[self / 64] &= ~(1ull << (self % 64));
    if (arch_cpu_count() > 1)
        flush_cores(set);
}
