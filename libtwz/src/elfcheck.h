/* SPDX-License-Identifier: MIT */
/* The validated contents of a program's ELF file. */
#ifndef LIBTWZ_ELFCHECK_H
#define LIBTWZ_ELFCHECK_H

#include "elf.h"

#define ELF_SEGMENTS 16u

struct elf_plan {
    uint64_t entry; /* link-time address, inside an executable segment */
    uint32_t entry_good;
    uint32_t phnum;
    uint64_t phoff;
    struct elf_segment data; /* memsz 0: none */
    struct elf_segment dynamic;
    uint64_t rela; /* file offset of relocations */
    uint64_t rela_count;
};

/* Validate `size` bytes of untrusted input. -TWZ_ETYPE not a program of this kind, -TWZ_ESHORT
 * truncated. */
int elf_read(const uint8_t *file, uint64_t size, struct elf_plan *plan);

/* Apply the relocations to `data`, the bytes that will lie at TWZ_PROGRAM_DATA + bias. -TWZ_ETYPE
 * if one is not RELATIVE or lies outside of the data. */
int elf_relocate(const uint8_t *file, const struct elf_plan *plan, uint64_t bias, uint8_t *data);

#endif
