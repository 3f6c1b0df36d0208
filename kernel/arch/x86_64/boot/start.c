/* SPDX-License-Identifier: MIT */
/*
 * From the first C instruction to kernel_main, on the first core. Owns the order of the machine's
 * start: relocation, traps, the processor's features, the memory map, the kernel's own page tables,
 * firmware tables, local APIC, clock.
 */
#include "../x86.h"
#include <kernel/init.h>

struct rela {
    uint64_t offset;
    uint64_t info;
    uint64_t addend;
};
#define R_X86_64_RELATIVE 8u

extern const struct rela x86_rela_start[], x86_rela_end[];
extern char x86_boot_stack_top[];

/* The kernel is a position-independent executable that runs at its link address, so the slide is
 * zero. Its data still needs the pointers filled in. */
static void relocate_image(void)
{
    for (const struct rela *r = x86_rela_start; r < x86_rela_end; r++) {
        if ((uint32_t)r->info == R_X86_64_RELATIVE)
            *(uint64_t *)r->offset = r->addend;
    }
}

void x86_start(uint32_t start_info)
{
    uint64_t rsdp;

    relocate_image();
    x86_serial_init();
    x86_boot_cpu.stack = (uint64_t)x86_boot_stack_top - X86_ENTRY_BYTES;
    x86_desc_load(&x86_boot_cpu);
    x86_idt_init();
    x86_idt_load();
    x86_features_read();
    x86_features_enable();
    rsdp = x86_memmap_read(start_info);
    x86_kmap_init();
    x86_acpi_read(rsdp);
    x86_apic_init();
    x86_clock_init();
    x86_syscall_init();
    kernel_main();
}
