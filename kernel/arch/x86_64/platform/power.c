/* SPDX-License-Identifier: MIT */
/*
 * Ends the machine: power-off by ACPI, reset, an exit code for the host, and halt. The sleep type
 * for the power-off is in the _S5_ package of the DSDT, which a bounded scan for its bytes finds
 * when it is needed.
 */
#include "../x86.h"
#include "acpi_tables.h"
#include <lib/string.h>
#include <twz/hostlink.h>

#define SLP_EN     0x2000u
#define SLP_TYP(n) (((n)&7u) << 10)

#define AML_PACKAGE  0x12u
#define AML_BYTE     0x0au
#define PKG_LEAD_MAX 4u

#define KBD_COMMAND 0x64u
#define KBD_RESET   0xfeu
#define RESET_PORT  0xcf9u
#define RESET_HARD  0x06u

static uint32_t stopping; /* 1: a core that receives an NMI halts */

static NORETURN void halt_core(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void stop_other_cores(void)
{
    __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
    if (arch_cpu_count() > 1)
        x86_apic_ipi(0, X86_ICR_NMI_OTHERS);
}

void x86_stop_if_asked(void)
{
    if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE))
        halt_core();
}

/* Parses one integer of a package: ZeroOp, OneOp or a byte constant. Returns the address after it.
 * NULL: none of these. */
static const uint8_t *parse_small_integer(const uint8_t *at, const uint8_t *end, uint16_t *value)
{
    if (at < end && *at <= 1) {
        *value = *at;
        return at + 1;
    }
    if (end - at < 2 || *at != AML_BYTE)
        return NULL;
    *value = at[1];
    return at + 2;
}

/* Parses the package after the bytes "_S5_". */
static bool parse_sleep_package(const uint8_t *at, const uint8_t *end, uint16_t type[2])
{
    unsigned lead;

    if (end - at < 8 || *at != AML_PACKAGE)
        return false;
    lead = at[1] >> 6;  /* number of further bytes of the length */
    at += 2 + lead + 1; /* operator, length, count of elements */
    at = at < end ? parse_small_integer(at, end, &type[0]) : NULL;
    return at && parse_small_integer(at, end, &type[1]);
}

static bool find_sleep_type(uint16_t type[2])
{
    const struct acpi_header *dsdt = x86_acpi_table(x86_acpi.dsdt);
    const uint8_t *at = (const uint8_t *)(dsdt + 1);
    const uint8_t *end = (const uint8_t *)dsdt + (dsdt ? dsdt->len : 0);

    for (; dsdt && end - at > 4; at++) {
        if (memcmp(at, "_S5_", 4) == 0 && parse_sleep_package(at + 4, end, type))
            return true;
    }
    return false;
}

void arch_power_off(void)
{
    uint16_t type[2];

    if (x86_acpi.pm1a_control && find_sleep_type(type)) {
        x86_outw(x86_acpi.pm1a_control, (uint16_t)(SLP_EN | SLP_TYP(type[0])));
        if (x86_acpi.pm1b_control)
            x86_outw(x86_acpi.pm1b_control, (uint16_t)(SLP_EN | SLP_TYP(type[1])));
    }
    stop_other_cores();
    halt_core();
}

void arch_reboot(void)
{
    if (x86_acpi.reset_port)
        x86_outb(x86_acpi.reset_port, x86_acpi.reset_value);
    x86_outb(RESET_PORT, RESET_HARD);
    x86_outb(KBD_COMMAND, KBD_RESET);
    stop_other_cores();
    halt_core();
}

void arch_stop(uint32_t code)
{
    x86_outl(TWZ_HOST_STOP_PORT, code);
    arch_power_off();
}

void arch_halt_all(void)
{
    stop_other_cores();
    x86_outl(TWZ_HOST_STOP_PORT, TWZ_HOST_STOP_PANIC);
    halt_core();
}
