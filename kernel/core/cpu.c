/* SPDX-License-Identifier: MIT */
/* Owns the array of per-core states. Once a core has bound its own, cpu_this() is one load. */
#include <kernel/cpu.h>

struct cpu cpus[MAX_CPUS];
_Atomic uint64_t idle_cpus;
_Atomic uint64_t online_cpus;

void cpu_init(void)
{
    struct cpu *cpu = &cpus[arch_cpu_id()];

    cpu->id = arch_cpu_id();
    cpu->armed = TIMER_NEVER;
    cpu->slice_end = TIMER_NEVER;
    atomic_fetch_or(&online_cpus, 1ull << cpu->id); /* before the core is counted */
    arch_cpu_bind(cpu);
}
