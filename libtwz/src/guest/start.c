/* SPDX-License-Identifier: MIT */
/*
 * The start of a program without a C library. If the kernel starts it (no args), it has no data
 * yet: until load_self returns, no function may access a global variable.
 */
#include "../elf.h"
#include "guest.h"

int main(int argc, char **argv, char **envp);
_Noreturn void twz_start(struct twz_args *args);

extern const uint8_t __twz_image[] __attribute__((visibility("hidden")));
extern const struct elf_rela __twz_rela_start[] __attribute__((visibility("hidden")));
extern const struct elf_rela __twz_rela_end[] __attribute__((visibility("hidden")));

static const struct twz_args *given;

__asm__(".text\n"
        ".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call twz_start\n"
        "    hlt\n"
        ".size _start, . - _start\n");

static void copy_own_data(uint8_t *base)
{
    const struct elf_head *head = (const void *)__twz_image;
    const struct elf_segment *s = (const void *)(__twz_image + head->phoff);

    for (uint32_t i = 0; i < head->phnum; i++, s++) {
        const uint8_t *from = __twz_image + s->offset;
        uint8_t *to = base + (s->vaddr - TWZ_PROGRAM_DATA);

        if (s->type != ELF_LOAD || !(s->flags & ELF_W))
            continue;
        for (uint64_t b = 0; b < s->filesz; b++)
            to[b] = from[b];
    }
}

static void relocate_self(uint8_t *base)
{
    uint64_t bias = (uint64_t)(uintptr_t)__twz_image;

    for (const struct elf_rela *r = __twz_rela_start; r < __twz_rela_end; r++) {
        if (ELF_RELA_TYPE(r->info) == ELF_RELA_RELATIVE)
            *(uint64_t *)(void *)(base + (r->offset - TWZ_PROGRAM_DATA)) = bias + r->addend;
    }
}

static void load_self(void)
{
    struct twz_create create = { .perms = twz_private_perms() };
    uint32_t slot = (uint32_t)((uint64_t)(uintptr_t)__twz_image >> TWZ_OBJ_SHIFT) + 1;
    uint8_t *base = (uint8_t *)slot_start(slot) + TWZ_OBJ_BASE;
    struct twz_view_entry *entry = view_entry(slot);
    objid_t data;

    if (twz_sys_obj_create(&create, &data) < 0)
        (void)twz_sys_thread_exit(125);
    entry->id = data;
    __atomic_store_n(&entry->flags, TWZ_VE_VALID | TWZ_READ | TWZ_WRITE, __ATOMIC_RELEASE);
    copy_own_data(base);
    relocate_self(base);
}

const struct twz_args *twz_program_args(void)
{
    return given;
}

/* Build argv and *envp in the args object, behind its contents. */
static char **build_vectors(struct twz_args *args, char ***envp)
{
    uint64_t end = args->strings + args->strings_len;
    char *text = (char *)args + args->strings;
    char **argv, **v;

    if (args->opaque + args->opaque_len > end)
        end = args->opaque + args->opaque_len;
    argv = (char **)(void *)((char *)args + ((end + 15) & ~15ull));
    v = argv;
    for (uint32_t i = 0; i < args->argc + args->envc; i++) {
        if (i == args->argc)
            *v++ = NULL;
        *v++ = text;
        while (*text++)
            ;
    }
    if (args->envc == 0)
        *v++ = NULL;
    *v = NULL;
    *envp = argv + args->argc + 1;
    return argv;
}

_Noreturn void twz_start(struct twz_args *args)
{
    char *none[] = { NULL, NULL };
    char **argv = none;
    char **envp = none;

    if (args) {
        argv = build_vectors(args, &envp);
        given = args;
    } else {
        load_self();
    }
    twz_thread_exit((uint64_t)(uint32_t)main(args ? (int)args->argc : 0, argv, envp));
}
