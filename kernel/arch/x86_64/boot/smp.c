/* SPDX-License-Identifier: MIT */
/*
 * Starts the other cores, one after the other, by INIT and STARTUP messages. A core runs the
 * trampoline (boot.S) with the boot page tables and finds its state, stack and root in the x86_ap_
 * words. It is counted once it can take interrupts. A core that does not answer in time, and all
 * after it, are left out.
 */
#include "../x86.h"
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/phys.h>
#include <lib/string.h>

#define STACK_ORDER 2u
#define STACK_SPAN  (2ull * STACK_BYTES) /* addresses of one stack: guard below, stack above */
#define ANSWER_NS   10000000000ull
#define SECOND_NS   1000000ull

_Static_assert(STACK_BYTES == 4096 << STACK_ORDER, "stack order");

extern const char x86_trampoline[], x86_trampoline_end[];
extern uint64_t x86_boot_pml4[512];

/* Read by the trampoline. */
struct x86_cpu *x86_ap_cpu;
uint64_t x86_ap_stack;
uint64_t x86_ap_root;

void x86_ap_start(struct x86_cpu *cpu)
{
    x86_desc_load(cpu);
    x86_idt_load();
    x86_features_enable();
    x86_apic_init();
    x86_syscall_init();
    kernel_cpu_main();
}

/* Allocates the state and the guarded stack of core `id`. NULL: no memory. */
static struct x86_cpu *prepare_core(unsigned id, uint32_t apic_id)
{
    uint64_t virt = STACK_VIRT + id * STACK_SPAN + STACK_BYTES;
    struct x86_cpu *cpu = kmem_alloc(sizeof(*cpu));
    phys_t stack = phys_alloc(STACK_ORDER);

    if (!cpu || phys_is_none(stack) || x86_kmap(virt, stack.addr, STACK_BYTES, PTE_W | PTE_NX))
        return NULL;
    cpu->id = id;
    cpu->apic_id = apic_id;
    cpu->stack = virt + STACK_BYTES - X86_ENTRY_BYTES;
    x86_cpus[id] = cpu;
    x86_ap_cpu = cpu;
    x86_ap_stack = cpu->stack;
    return cpu;
}

static bool has_started(unsigned id, uint64_t wait_ns)
{
    uint64_t deadline = arch_clock_ns() + wait_ns;

    while (arch_cpu_count() <= id) {
        if (arch_clock_ns() > deadline)
            return false;
        arch_pause();
    }
    return true;
}

static bool wake_core(unsigned id, uint32_t apic_id)
{
    uint32_t startup = X86_ICR_STARTUP | TRAMPOLINE_PHYS >> 12;

    x86_apic_ipi(apic_id, X86_ICR_INIT);
    x86_apic_ipi(apic_id, startup);
    if (has_started(id, SECOND_NS))
        return true;
    x86_apic_ipi(apic_id, startup);
    return has_started(id, ANSWER_NS);
}

void arch_smp_start(void)
{
    uint32_t self = x86_boot_cpu.apic_id;

    x86_ap_root = x86_kernel_root();
    memcpy(arch_virt((phys_t){ TRAMPOLINE_PHYS }), x86_trampoline,
           (size_t)(x86_trampoline_end - x86_trampoline));
    for (uint32_t i = 0; i < x86_acpi.cpus; i++) {
        unsigned id = arch_cpu_count();

        if (x86_acpi.apic_id[i] == self)
            continue;
        if (!prepare_core(id, x86_acpi.apic_id[i]) || !wake_core(id, x86_acpi.apic_id[i])) {
            log_printf("cpu: core with APIC id %u does not start", x86_acpi.apic_id[i]);
            break;
        }
    }
    memset(x86_boot_pml4, 0, sizeof(x86_boot_pml4));
}
