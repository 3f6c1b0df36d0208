/* SPDX-License-Identifier: MIT */
/* Loading a program into a view: the text in place, the data in a new object. */
#include "../elfcheck.h"
#include "guest.h"

/* A new object with the program's data, relocated. On an error nothing is left behind. */
static int load_data(const twzobj *view, objid_t holder, objid_t account, const uint8_t *file,
                     const struct elf_plan *plan, uint64_t bias, objid_t *id)
{
    uint8_t *base;
    twzobj data;
    int err = guest_create_volatile(TWZ_KIND_DATA, view->id, holder, account, id);

    if (err < 0)
        return err;
    err = twz_object_init_guid(&data, *id, TWZ_READ | TWZ_WRITE);
    if (err >= 0) {
        base = twz_object_base(&data);
        __builtin_memcpy(base + (plan->data.vaddr - TWZ_PROGRAM_DATA), file + plan->data.offset,
                         plan->data.filesz);
        err = elf_relocate(file, plan, bias, base);
        twz_object_release(&data);
    }
    if (err < 0)
        twz_object_delete_guid(*id, TWZ_DELETE_NOW);
    return err;
}

int guest_load_program(const twzobj *view, objid_t holder, objid_t account, objid_t program,
                       uint32_t text_slot, struct twz_loaded *out)
{
    uint64_t bias = TWZ_SLOT_ADDR(text_slot) + TWZ_OBJ_BASE;
    struct elf_plan plan;
    uint64_t size;
    twzobj file;
    int err = twz_object_init_guid(&file, program, TWZ_READ);

    if (err < 0)
        return err;
    *out = (struct twz_loaded){ .data_end = bias + TWZ_PROGRAM_DATA };
    size = twz_object_size(&file);
    err = size > TWZ_OBJ_DATA_MAX ? -TWZ_ETYPE : elf_read(twz_object_base(&file), size, &plan);
    if (err >= 0 && plan.data.memsz)
        err = load_data(view, holder, account, twz_object_base(&file), &plan, bias, &out->data);
    twz_object_release(&file);
    if (err < 0)
        return err;
    out->entry = bias + plan.entry;
    out->phdr = bias + plan.phoff;
    out->phnum = plan.phnum;
    out->phent = sizeof(struct elf_segment);
    view_entry_write(view_table(view->start) + text_slot, program,
                     TWZ_VE_VALID | TWZ_READ | TWZ_EXEC);
    if (plan.data.memsz) {
        out->data_end = bias + plan.data.vaddr + plan.data.memsz;
        view_entry_write(view_table(view->start) + text_slot + 1, out->data,
                         TWZ_VE_VALID | TWZ_READ | TWZ_WRITE);
    }
    return 0;
}

int twz_program_load(const twzobj *view, objid_t holder, objid_t program, uint32_t text_slot,
                     struct twz_loaded *out)
{
    return guest_load_program(view, holder, TWZ_OBJID_NONE, program, text_slot, out);
}
