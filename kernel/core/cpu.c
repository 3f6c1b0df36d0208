/* SPDX-License-Identifier: MIT */
/*
 * Owns the array of per-core states. A core binds its own before it does anything else; from then
 * on cpu_this() is one load.
 */
#include <kernel/cpu.h>

struct cpu cpus[MAX_CPUS];

void cpu_init(void)
{
    struct cpu *cpu = &cpus[arch_cpu_id()];

    cpu->id = arch_cpu_id();
    cpu->armed = TIMER_NEVER;
    cpu->slice_end = TIMER_NEVER;
    arch_cpu_bind(cpu);
}
