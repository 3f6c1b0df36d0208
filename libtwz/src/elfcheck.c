/* SPDX-License-Identifier: MIT */
/*
 * Reading a program's ELF file. The bytes are untrusted and may change meanwhile. So each field is
 * copied once and validated in the copy. No sum can overflow.
 */
#include <stdbool.h>

#include <twz/error.h>
#include <twz/program.h>

#include "elfcheck.h"

static bool is_inside(uint64_t off, uint64_t len, uint64_t size)
{
    return off <= size && len <= size - off;
}

/* Validate the ELF header, and that the program headers lie in the file. */
static int read_head(const uint8_t *file, uint64_t size, struct elf_plan *plan)
{
    struct elf_head head;
    uint32_t magic;

    if (size < sizeof(head))
        return -TWZ_ESHORT;
    __builtin_memcpy(&head, file, sizeof(head));
    __builtin_memcpy(&magic, head.ident, sizeof(magic));
    if (magic != ELF_MAGIC || head.ident[4] != ELF_CLASS_64 || head.ident[5] != ELF_DATA_LITTLE ||
        head.type != ELF_TYPE_DYN || head.machine != ELF_MACHINE_X86_64 ||
        head.phentsize != sizeof(struct elf_segment) || head.phnum == 0 ||
        head.phnum > ELF_SEGMENTS)
        return -TWZ_ETYPE;
    plan->entry = head.entry;
    plan->phoff = head.phoff;
    plan->phnum = head.phnum;
    if (head.phoff % 8 || !is_inside(head.phoff, head.phnum * sizeof(struct elf_segment), size))
        return -TWZ_ETYPE;
    return 0;
}

/* The text is used in place, so its address must be its file offset. */
static int text_segment(const struct elf_segment *s, struct elf_plan *plan)
{
    if (s->vaddr != s->offset || s->filesz != s->memsz)
        return -TWZ_ETYPE;
    if ((s->flags & ELF_X) && plan->entry >= s->vaddr && plan->entry - s->vaddr < s->filesz)
        plan->entry_good = 1;
    return 0;
}

static int data_segment(const struct elf_segment *s, struct elf_plan *plan)
{
    uint64_t off = s->vaddr - TWZ_PROGRAM_DATA;

    if ((s->flags & ELF_X) || plan->data.memsz != 0 || s->vaddr < TWZ_PROGRAM_DATA ||
        s->filesz > s->memsz || !is_inside(off, s->memsz, TWZ_OBJ_DATA_MAX))
        return -TWZ_ETYPE;
    plan->data = *s;
    return 0;
}

/* Find the data and dynamic segments. The entry must lie in an executable text segment. */
static int read_segments(const uint8_t *file, uint64_t size, struct elf_plan *plan)
{
    for (uint32_t i = 0; i < plan->phnum; i++) {
        struct elf_segment s;
        int err = 0;

        __builtin_memcpy(&s, file + plan->phoff + i * sizeof(s), sizeof(s));
        if (s.type != ELF_LOAD && s.type != ELF_DYNAMIC && s.type != ELF_INTERP)
            continue;
        if (s.type == ELF_INTERP || !is_inside(s.offset, s.filesz, size))
            return s.type == ELF_INTERP ? -TWZ_ETYPE : -TWZ_ESHORT;
        if (s.type == ELF_DYNAMIC)
            plan->dynamic = s;
        else if (s.memsz != 0)
            err = s.flags & ELF_W ? data_segment(&s, plan) : text_segment(&s, plan);
        if (err < 0)
            return err;
    }
    return plan->entry_good ? 0 : -TWZ_ETYPE;
}

/* Find the table of relocations. A tag that needs a dynamic linker is refused. */
static int read_dynamic(const uint8_t *file, uint64_t size, struct elf_plan *plan)
{
    uint64_t entry = sizeof(struct elf_rela);

    for (uint64_t off = 0; off + sizeof(struct elf_dyn) <= plan->dynamic.filesz;
         off += sizeof(struct elf_dyn)) {
        struct elf_dyn d;

        __builtin_memcpy(&d, file + plan->dynamic.offset + off, sizeof(d));
        if (d.tag == ELF_DT_NULL)
            break;
        if (d.tag == ELF_DT_RELA)
            plan->rela = d.value;
        else if (d.tag == ELF_DT_RELASZ)
            plan->rela_count = d.value / sizeof(struct elf_rela);
        else if (d.tag == ELF_DT_RELAENT)
            entry = d.value;
        else if (d.tag == ELF_DT_NEEDED || d.tag == ELF_DT_REL || d.tag == ELF_DT_TEXTREL ||
                 d.tag == ELF_DT_RELR || (d.tag == ELF_DT_PLTRELSZ && d.value != 0))
            return -TWZ_ETYPE;
    }
    /* The table lies in the text, whose addresses are file offsets. */
    if (entry != sizeof(struct elf_rela) ||
        !is_inside(plan->rela, plan->rela_count * sizeof(struct elf_rela), size))
        return -TWZ_ETYPE;
    return 0;
}

int elf_read(const uint8_t *file, uint64_t size, struct elf_plan *plan)
{
    int err;

    *plan = (struct elf_plan){ 0 };
    err = read_head(file, size, plan);
    if (err >= 0)
        err = read_segments(file, size, plan);
    if (err >= 0)
        err = read_dynamic(file, size, plan);
    return err;
}

int elf_relocate(const uint8_t *file, const struct elf_plan *plan, uint64_t bias, uint8_t *data)
{
    for (uint64_t i = 0; i < plan->rela_count; i++) {
        struct elf_rela rela;
        uint64_t value, off;

        __builtin_memcpy(&rela, file + plan->rela + i * sizeof(rela), sizeof(rela));
        if (ELF_RELA_TYPE(rela.info) == ELF_RELA_NONE)
            continue;
        if (ELF_RELA_TYPE(rela.info) != ELF_RELA_RELATIVE || rela.offset < plan->data.vaddr)
            return -TWZ_ETYPE;
        off = rela.offset - plan->data.vaddr;
        if (!is_inside(off, sizeof(value), plan->data.memsz))
            return -TWZ_ETYPE;
        value = bias + rela.addend;
        __builtin_memcpy(data + (plan->data.vaddr - TWZ_PROGRAM_DATA) + off, &value, sizeof(value));
    }
    return 0;
}
