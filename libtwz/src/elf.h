/* SPDX-License-Identifier: MIT */
/* The parts of ELF64 that a program of twz uses. */
#ifndef LIBTWZ_ELF_H
#define LIBTWZ_ELF_H

#include <stdint.h>

struct elf_head {
    uint8_t ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t phoff;
    uint64_t shoff;
    uint32_t flags;
    uint16_t ehsize;
    uint16_t phentsize;
    uint16_t phnum;
    uint16_t shentsize;
    uint16_t shnum;
    uint16_t shstrndx;
};
_Static_assert(sizeof(struct elf_head) == 64, "elf header size");

#define ELF_MAGIC          0x464c457fu /* 7f 'E' 'L' 'F' */
#define ELF_CLASS_64       2u
#define ELF_DATA_LITTLE    1u
#define ELF_TYPE_DYN       3u
#define ELF_MACHINE_X86_64 62u

struct elf_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t filesz;
    uint64_t memsz;
    uint64_t align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "elf segment size");

#define ELF_LOAD    1u
#define ELF_DYNAMIC 2u
#define ELF_INTERP  3u
#define ELF_X       1u
#define ELF_W       2u
#define ELF_R       4u

struct elf_dyn {
    uint64_t tag;
    uint64_t value;
};

#define ELF_DT_NULL     0u
#define ELF_DT_NEEDED   1u
#define ELF_DT_PLTRELSZ 2u
#define ELF_DT_RELA     7u
#define ELF_DT_RELASZ   8u
#define ELF_DT_RELAENT  9u
#define ELF_DT_REL      17u
#define ELF_DT_TEXTREL  22u
#define ELF_DT_RELR     36u

struct elf_rela {
    uint64_t offset;
    uint64_t info;
    uint64_t addend;
};

#define ELF_RELA_TYPE(info) ((uint32_t)(info))
#define ELF_RELA_NONE       0u
#define ELF_RELA_RELATIVE   8u

#endif
