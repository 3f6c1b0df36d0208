/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader against hostile files. A valid file must be accepted and relocated. A file with
 * random bytes changed, or cut short, must give an error or a plan that stays inside the file and
 * the data. File and data end at a page without access.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <twz/error.h>
#include <twz/program.h>

#include "../src/elfcheck.h"
#include "host.h"

#define ROUNDS 300000u
#define TEXT   0x1000u
#define DATA   0x100u
#define SIZE   (TEXT + DATA)
#define BSS    0x80u

struct image {
    struct elf_head head;
    struct elf_segment segment[4];
    struct elf_rela rela[4];
};

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* `len` bytes that end at a page without access. */
static uint8_t *guarded(size_t len)
{
    size_t space = (len + 4095) & ~(size_t)4095;
    uint8_t *p =
        mmap(NULL, space + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    CHECK(mprotect(p + space, 4096, PROT_NONE) == 0);
    return p + space - len;
}

static void guarded_free(uint8_t *p, size_t len)
{
    size_t space = (len + 4095) & ~(size_t)4095;

    munmap(p + len - space, space + 4096);
}

static void make_elf(uint8_t *file)
{
    struct image *m = (struct image *)(void *)file;
    struct elf_dyn *dyn = (struct elf_dyn *)(void *)(file + TEXT + 0x40);

    memset(file, 0, SIZE);
    m->head = (struct elf_head){
        .ident = { 0x7f, 'E', 'L', 'F', ELF_CLASS_64, ELF_DATA_LITTLE, 1 },
        .type = ELF_TYPE_DYN,
        .machine = ELF_MACHINE_X86_64,
        .entry = 0x400,
        .phoff = sizeof(struct elf_head),
        .phentsize = sizeof(struct elf_segment),
        .phnum = 3,
    };
    m->segment[0] = (struct elf_segment){ ELF_LOAD, ELF_R | ELF_X, 0, 0, 0, TEXT, TEXT, 4096 };
    m->segment[1] = (struct elf_segment){ .type = ELF_LOAD,
                                          .flags = ELF_R | ELF_W,
                                          .offset = TEXT,
                                          .vaddr = TWZ_PROGRAM_DATA,
                                          .filesz = DATA,
                                          .memsz = DATA + BSS };
    m->segment[2] = (struct elf_segment){ .type = ELF_DYNAMIC,
                                          .offset = TEXT + 0x40,
                                          .vaddr = TWZ_PROGRAM_DATA + 0x40,
                                          .filesz = 0x80,
                                          .memsz = 0x80 };
    m->rela[0] = (struct elf_rela){ TWZ_PROGRAM_DATA + 8, ELF_RELA_RELATIVE, 0x500 };
    m->rela[1] = (struct elf_rela){ TWZ_PROGRAM_DATA + DATA + BSS - 8, ELF_RELA_RELATIVE, 1 };
    dyn[0] = (struct elf_dyn){ ELF_DT_RELA, offsetof(struct image, rela) };
    dyn[1] = (struct elf_dyn){ ELF_DT_RELASZ, 2 * sizeof(struct elf_rela) };
    dyn[2] = (struct elf_dyn){ ELF_DT_RELAENT, sizeof(struct elf_rela) };
}

static void test_good(uint8_t *file)
{
    uint8_t *data = guarded(DATA + BSS);
    struct elf_plan plan;
    uint64_t word;

    make_elf(file);
    CHECK(elf_read(file, SIZE, &plan) == 0);
    CHECK(plan.entry == 0x400 && plan.rela_count == 2 && plan.data.memsz == DATA + BSS);
    CHECK(elf_relocate(file, &plan, 0x40001000, data) == 0);
    memcpy(&word, data + 8, 8);
    CHECK(word == 0x40001500);
    memcpy(&word, data + DATA + BSS - 8, 8);
    CHECK(word == 0x40001001);
    for (uint64_t size = 0; size < SIZE; size++)
        CHECK(elf_read(file, size, &plan) < 0);
}

/* Relocations that the loader does not know, or that lie outside of the data. */
static void check_relocation(uint8_t *file, struct elf_rela rela)
{
    uint8_t *data = guarded(DATA + BSS);
    struct elf_plan plan;

    make_elf(file);
    ((struct image *)(void *)file)->rela[1] = rela;
    CHECK(elf_read(file, SIZE, &plan) == 0);
    CHECK(elf_relocate(file, &plan, 0x40001000, data) == -TWZ_ETYPE);
    guarded_free(data, DATA + BSS);
}

static void test_relocations(uint8_t *file)
{
    const uint64_t end = TWZ_PROGRAM_DATA + DATA + BSS;

    check_relocation(file, (struct elf_rela){ TWZ_PROGRAM_DATA + 8, ELF_RELA_RELATIVE + 1, 1 });
    check_relocation(file, (struct elf_rela){ TWZ_PROGRAM_DATA + 8, 1, 1 });
    check_relocation(file, (struct elf_rela){ TWZ_PROGRAM_DATA - 8, ELF_RELA_RELATIVE, 1 });
    check_relocation(file, (struct elf_rela){ 0, ELF_RELA_RELATIVE, 1 });
    check_relocation(file, (struct elf_rela){ end - 7, ELF_RELA_RELATIVE, 1 });
    check_relocation(file, (struct elf_rela){ end, ELF_RELA_RELATIVE, 1 });
    check_relocation(file, (struct elf_rela){ UINT64_MAX, ELF_RELA_RELATIVE, 1 });
}

/* A table for calls may be named if it is empty. */
static void test_plt(uint8_t *file)
{
    struct elf_plan plan;
    struct elf_dyn *dyn;

    make_elf(file);
    dyn = (struct elf_dyn *)(void *)(file + ((struct image *)(void *)file)->segment[2].offset);
    CHECK(dyn[2].tag == ELF_DT_RELAENT && dyn[3].tag == 0);
    for (uint64_t size = 0; size < 3; size++) {
        dyn[3] = (struct elf_dyn){ ELF_DT_PLTRELSZ, size };
        CHECK(elf_read(file, SIZE, &plan) == (size == 0 ? 0 : -TWZ_ETYPE));
    }
}

static void check_refused(uint8_t *file, uint64_t off, uint64_t value, size_t len)
{
    struct elf_plan plan;

    make_elf(file);
    memcpy(file + off, &value, len);
    CHECK(elf_read(file, SIZE, &plan) < 0);
}

static void test_refused(uint8_t *file)
{
    check_refused(file, 0, 0, 4);
    check_refused(file, offsetof(struct elf_head, type), 2, 2);
    check_refused(file, offsetof(struct elf_head, machine), 3, 2);
    check_refused(file, offsetof(struct elf_head, entry), TEXT, 8);
    check_refused(file, offsetof(struct elf_head, phnum), 0, 2);
    check_refused(file, offsetof(struct elf_head, phoff), UINT64_MAX - 7, 8);
    check_refused(file, offsetof(struct image, segment[0].vaddr), 0x1000, 8);
    check_refused(file, offsetof(struct image, segment[0].flags), 7, 4);
    check_refused(file, offsetof(struct image, segment[1].vaddr), 0x2000, 8);
    check_refused(file, offsetof(struct image, segment[1].filesz), DATA + BSS + 1, 8);
    check_refused(file, offsetof(struct image, segment[1].memsz), TWZ_OBJ_SIZE, 8);
    check_refused(file, offsetof(struct image, segment[2].type), ELF_INTERP, 4);
    check_refused(file, TEXT + 0x40, ELF_DT_NEEDED, 8);
    check_refused(file, TEXT + 0x48, UINT64_MAX - 3, 8);
}

static void test_random(uint8_t *file)
{
    uint64_t read = 0, relocated = 0;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t size = rnd() % 4 ? SIZE : rnd() % SIZE;
        struct elf_plan plan;
        uint8_t *data;

        make_elf(file);
        for (uint64_t i = 0; i <= rnd() % 4; i++) {
            uint64_t off = rnd() % 2 ? rnd() % sizeof(struct image) : TEXT + rnd() % DATA;

            file[off] = rnd() % 3 ? (uint8_t)(1u << rnd() % 8) : (uint8_t)rnd();
        }
        if (elf_read(file + (SIZE - size), 0, &plan) == 0)
            CHECK(0);
        memmove(file + (SIZE - size), file, size);
        if (elf_read(file + (SIZE - size), size, &plan) < 0)
            continue;
        read++;
        if (plan.data.vaddr - TWZ_PROGRAM_DATA + plan.data.memsz > 65536)
            continue;
        data = guarded(plan.data.vaddr - TWZ_PROGRAM_DATA + plan.data.memsz);
        relocated += elf_relocate(file + (SIZE - size), &plan, rnd(), data) == 0;
        guarded_free(data, plan.data.vaddr - TWZ_PROGRAM_DATA + plan.data.memsz);
    }
    CHECK(read > 1000 && relocated > 1000 && relocated < read);
    printf("%u files, %llu accepted, %llu relocated\n", ROUNDS, (unsigned long long)read,
           (unsigned long long)relocated);
}

int main(void)
{
    uint8_t *file = guarded(SIZE);

    test_good(file);
    test_relocations(file);
    test_plt(file);
    test_refused(file);
    test_random(file);
    printf("5 passed, 0 failed\n");
    return 0;
}
