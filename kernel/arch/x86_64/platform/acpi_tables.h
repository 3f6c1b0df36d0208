/* SPDX-License-Identifier: MIT */
/* Finds and checks ACPI tables. Private to this folder; for the first core at boot. */
#ifndef X86_ACPI_TABLES_H
#define X86_ACPI_TABLES_H

#include <stdint.h>

struct acpi_header {
    char signature[4];
    uint32_t len;
    uint8_t revision;
    uint8_t sum;
    char oem[6];
    char oem_table[8];
    uint32_t oem_revision;
    uint32_t creator;
    uint32_t creator_revision;
} __attribute__((packed)); /* tables lie at any address */
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI header size");

/* Must be called first, once. Finds the root table; panics without one. rsdp 0: searches the BIOS
 * area. */
void x86_acpi_open(uint64_t rsdp);
/* The table with that signature, or at that address: complete, mapped for reading, with a correct
 * checksum. NULL: there is none. */
const struct acpi_header *x86_acpi_find(const char *signature);
const struct acpi_header *x86_acpi_table(uint64_t phys);

#endif
