/* SPDX-License-Identifier: MIT */
/*
 * Finds ACPI tables: the RSDP (revision 0 with an RSDT of 32-bit addresses, later ones with an XSDT
 * of 64-bit addresses), then a table by its signature. A table is used only after its length was
 * bounded, its memory mapped and its checksum verified.
 */
#include "../x86.h"
#include "acpi_tables.h"
#include <kernel/log.h>
#include <kernel/panic.h>
#include <lib/string.h>
#include <twz/hostlink.h>

#define TABLE_MAX  (1u << 20)
#define ROOT_MAX   256u
#define RSDP_V1    20u
#define BIOS_START 0xe0000ull
#define BIOS_END   0x100000ull

struct rsdp {
    char signature[8];
    uint8_t sum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t len; /* from revision 2 on */
    uint64_t xsdt;
    uint8_t sum_all;
    uint8_t reserved[3];
} __attribute__((packed));

static const uint8_t *entries; /* of the root table: physical addresses of tables */
static uint32_t entry_count;
static uint32_t entry_size;

static uint8_t byte_sum(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint8_t total = 0;

    for (size_t i = 0; i < len; i++)
        total = (uint8_t)(total + bytes[i]);
    return total;
}

const struct acpi_header *x86_acpi_table(uint64_t phys)
{
    const struct acpi_header *table = arch_virt((phys_t){ phys });

    if (!phys || x86_kmap_read(phys, sizeof(*table)))
        return NULL;
    if (table->len < sizeof(*table) || table->len > TABLE_MAX || x86_kmap_read(phys, table->len))
        return NULL;
    return byte_sum(table, table->len) ? NULL : table;
}

static uint64_t root_entry(uint32_t i)
{
    uint64_t phys = 0;

    memcpy(&phys, entries + (size_t)i * entry_size, entry_size);
    return phys;
}

/* Compares the signature before the checksum, because few tables are needed. */
const struct acpi_header *x86_acpi_find(const char *signature)
{
    for (uint32_t i = 0; i < entry_count; i++) {
        uint64_t phys = root_entry(i);
        const struct acpi_header *table = arch_virt((phys_t){ phys });

        if (!phys || x86_kmap_read(phys, sizeof(*table)))
            continue;
        if (memcmp(table->signature, signature, sizeof(table->signature)) != 0)
            continue;
        table = x86_acpi_table(phys);
        if (!table)
            log_printf("acpi: table %s is damaged", signature);
        return table;
    }
    return NULL;
}

static const struct rsdp *check_rsdp(uint64_t phys)
{
    const struct rsdp *rsdp = arch_virt((phys_t){ phys });

    if (x86_kmap_read(phys, sizeof(*rsdp)) || memcmp(rsdp->signature, "RSD PTR ", 8) != 0)
        return NULL;
    return byte_sum(rsdp, RSDP_V1) ? NULL : rsdp;
}

static const struct rsdp *find_rsdp(uint64_t phys)
{
    const struct rsdp *found = phys ? check_rsdp(phys) : NULL;

    for (uint64_t at = BIOS_START; !found && at < BIOS_END; at += 16)
        found = check_rsdp(at);
    return found;
}

void x86_acpi_open(uint64_t rsdp_phys)
{
    const struct rsdp *rsdp = find_rsdp(rsdp_phys);
    const struct acpi_header *root = NULL;

    if (!rsdp)
        fatal(TWZ_HOST_STOP_PANIC, "no ACPI root pointer");
    if (rsdp->revision >= 2 && rsdp->len == sizeof(*rsdp) && !byte_sum(rsdp, sizeof(*rsdp)))
        root = x86_acpi_table(rsdp->xsdt);
    entry_size = root ? 8 : 4;
    if (!root)
        root = x86_acpi_table(rsdp->rsdt);
    if (!root || memcmp(root->signature, root && entry_size == 8 ? "XSDT" : "RSDT", 4) != 0)
        fatal(TWZ_HOST_STOP_PANIC, "the ACPI root table is damaged");
    entries = (const uint8_t *)(root + 1);
    entry_count = (root->len - (uint32_t)sizeof(*root)) / entry_size;
    if (entry_count > ROOT_MAX)
        entry_count = ROOT_MAX;
}
