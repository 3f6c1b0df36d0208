/* SPDX-License-Identifier: MIT */
/*
 * Reads the firmware tables: cores (MADT), persistent memory (NFIT), power and PM timer ports
 * (FADT). Each length of a sub-table is checked against the rest of its table.
 */
#include "../x86.h"
#include "acpi_tables.h"
#include <kernel/boot.h>
#include <lib/string.h>

#define LAPIC_DEFAULT 0xfee00000u

#define MADT_START    44u
#define MADT_LAPIC    0u
#define MADT_OVERRIDE 5u
#define MADT_ENABLED  1u

#define NFIT_START  40u
#define NFIT_SPA    0u
#define NFIT_MEMDEV 1u

struct x86_acpi x86_acpi = { .lapic_phys = LAPIC_DEFAULT };

struct madt_lapic {
    uint8_t type, len;
    uint8_t processor;
    uint8_t apic_id;
    uint32_t flags;
} __attribute__((packed));

struct madt_override {
    uint8_t type, len;
    uint16_t reserved;
    uint64_t address;
} __attribute__((packed));

struct nfit_head {
    uint16_t type, len;
} __attribute__((packed));

struct nfit_spa {
    struct nfit_head head;
    uint16_t index;
    uint16_t flags;
    uint32_t reserved;
    uint32_t proximity;
    uint8_t guid[16];
    uint64_t base;
    uint64_t len;
    uint64_t attributes;
} __attribute__((packed));
_Static_assert(sizeof(struct nfit_spa) == 56, "NFIT range size");

struct nfit_memdev {
    struct nfit_head head;
    uint32_t handle;
    uint16_t physical_id;
    uint16_t region_id;
    uint16_t spa_index;
    uint16_t control_index;
    uint64_t region_len;
    uint64_t region_offset;
    uint64_t dpa_base;
    uint16_t interleave_index;
    uint16_t interleave_ways;
    uint16_t state;
    uint16_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct nfit_memdev) == 48, "NFIT mapping size");

/* Offsets in the FADT. Old versions are shorter. */
#define FADT_DSDT        40u
#define FADT_PM1A        64u
#define FADT_PM1B        68u
#define FADT_PM_TIMER    76u
#define FADT_FLAGS       112u
#define FADT_RESET       116u /* generic address, 12 bytes, then the value */
#define FADT_RESET_VALUE 128u
#define FADT_X_DSDT      140u
#define FADT_FLAG_RESET  (1u << 10)
#define SPACE_IO         1u

static uint16_t spa_index[BOOT_NVDIMMS];

static void add_madt_entry(const uint8_t *at, uint8_t len)
{
    const struct madt_lapic *lapic = (const void *)at;
    const struct madt_override *over = (const void *)at;

    if (at[0] == MADT_LAPIC && len >= sizeof(*lapic)) {
        if ((lapic->flags & MADT_ENABLED) && x86_acpi.cpus < MAX_CPUS)
            x86_acpi.apic_id[x86_acpi.cpus++] = lapic->apic_id;
    } else if (at[0] == MADT_OVERRIDE && len >= sizeof(*over)) {
        x86_acpi.lapic_phys = (uint32_t)over->address;
    }
}

static void read_madt(void)
{
    const struct acpi_header *madt = x86_acpi_find("APIC");
    const uint8_t *bytes = (const uint8_t *)madt;

    if (!madt || madt->len < MADT_START)
        return;
    memcpy(&x86_acpi.lapic_phys, bytes + sizeof(*madt), 4);
    for (uint32_t at = MADT_START; at + 2 <= madt->len;) {
        uint8_t len = bytes[at + 1];

        if (len < 2 || len > madt->len - at)
            break;
        add_madt_entry(bytes + at, len);
        at += len;
    }
}

static void add_nvdimm(const struct nfit_spa *spa)
{
    static const uint8_t pmem[16] = { 0x79, 0xd3, 0xf0, 0x66, 0xf3, 0xb4, 0x74, 0x40,
                                      0xac, 0x43, 0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb };
    unsigned n = boot_info.nnvdimm;

    if (memcmp(spa->guid, pmem, sizeof(pmem)) != 0 || n == BOOT_NVDIMMS)
        return;
    if (!spa->len || spa->base + spa->len < spa->base)
        return;
    boot_info.nvdimm[n] = (struct boot_range){ { spa->base }, spa->len };
    spa_index[n] = spa->index;
    boot_info.nnvdimm++;
}

static void add_nvdimm_state(const struct nfit_memdev *dev)
{
    for (unsigned i = 0; i < boot_info.nnvdimm; i++) {
        if (spa_index[i] == dev->spa_index)
            boot_info.nvdimm_flags[i] |= dev->state;
    }
}

/* A mapping names its range by index and may precede it in the table, so there are two passes. */
static void scan_nfit(const struct acpi_header *nfit, uint16_t type)
{
    const uint8_t *bytes = (const uint8_t *)nfit;

    for (uint32_t at = NFIT_START; at + sizeof(struct nfit_head) <= nfit->len;) {
        const struct nfit_head *head = (const void *)(bytes + at);

        if (head->len < sizeof(*head) || head->len > nfit->len - at)
            break;
        if (head->type == type && type == NFIT_SPA && head->len >= sizeof(struct nfit_spa))
            add_nvdimm((const void *)head);
        if (head->type == type && type == NFIT_MEMDEV && head->len >= sizeof(struct nfit_memdev))
            add_nvdimm_state((const void *)head);
        at += head->len;
    }
}

static void read_nfit(void)
{
    const struct acpi_header *nfit = x86_acpi_find("NFIT");

    if (!nfit)
        return;
    scan_nfit(nfit, NFIT_SPA);
    scan_nfit(nfit, NFIT_MEMDEV);
}

static uint64_t read_fadt_field(const struct acpi_header *table, uint32_t offset, uint32_t len)
{
    uint64_t value = 0;

    if (offset + len <= table->len)
        memcpy(&value, (const uint8_t *)table + offset, len);
    return value;
}

static void read_fadt(void)
{
    const struct acpi_header *fadt = x86_acpi_find("FACP");

    if (!fadt)
        return;
    x86_acpi.pm1a_control = (uint16_t)read_fadt_field(fadt, FADT_PM1A, 4);
    x86_acpi.pm1b_control = (uint16_t)read_fadt_field(fadt, FADT_PM1B, 4);
    x86_acpi.pm_timer = (uint16_t)read_fadt_field(fadt, FADT_PM_TIMER, 4);
    x86_acpi.dsdt = read_fadt_field(fadt, FADT_X_DSDT, 8);
    if (!x86_acpi.dsdt)
        x86_acpi.dsdt = read_fadt_field(fadt, FADT_DSDT, 4);
    if ((read_fadt_field(fadt, FADT_FLAGS, 4) & FADT_FLAG_RESET) &&
        read_fadt_field(fadt, FADT_RESET, 1) == SPACE_IO) {
        x86_acpi.reset_port = (uint16_t)read_fadt_field(fadt, FADT_RESET + 4, 8);
        x86_acpi.reset_value = (uint8_t)read_fadt_field(fadt, FADT_RESET_VALUE, 1);
    }
}

void x86_acpi_read(uint64_t rsdp)
{
    x86_acpi_open(rsdp);
    read_madt();
    boot_info.ncpus = x86_acpi.cpus ? x86_acpi.cpus : 1;
    read_nfit();
    read_fadt();
}
