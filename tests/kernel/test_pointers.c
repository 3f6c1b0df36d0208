/* SPDX-License-Identifier: MIT */
/*
 * Bad pointers in every pointer argument of syscall.def: in the null page, of the kernel's half,
 * not canonical, at the end of user memory, in unmapped memory, at the end of the last page before
 * a hole; for what the kernel writes, also on pages that the caller may only read. Each call must
 * end with an error and change nothing. Then the sizes of every struct that may grow. Addresses of
 * words, which the table has as values, are tried in the same way.
 */
#include <format.h>

#include "user.h"

enum arg_kind { ARG_NONE, ARG_VALUE, ARG_ID, ARG_POINTER, ARG_SIZED, ARG_SIZE };

struct arg {
    uint8_t kind;
    uint8_t in; /* the kernel only reads it */
    uint16_t size;
    char name[12];
};

struct call {
    uint32_t number;
    char name[20];
    struct arg arg[6];
};

#define ARG(...)    \
    {               \
        __VA_ARGS__ \
    }

#define IS_CONST(type) __builtin_types_compatible_p(type *, const __typeof__(type) *)

#define V(type, name) ARG(ARG_VALUE, 1, 8, #name)
#define P(type, name) ARG(ARG_POINTER, IS_CONST(type), sizeof(type), #name)
#define S(type, name) ARG(ARG_SIZED, IS_CONST(type), sizeof(type), #name), ARG(ARG_SIZE, 0, 0, "")
#define ID(name)      ARG(ARG_ID, 0, 0, ""), ARG(ARG_ID, 1, 0, "")

#define SYSCALL(number, name, effect, run, count, ...) { number, #name, { __VA_ARGS__ } },

static const struct call calls[] = {
#include <twz/syscall.def>
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

#define VALUE       16u /* every plain number: a count, a length, a deadline that has passed */
#define PAGE        TWZ_PAGE_SIZE
#define WHOLE       SLOT_TEST       /* an object with two pages, then a hole */
#define READ_ONLY   (SLOT_TEST + 1) /* the same one, mapped for reading */
#define UNMAPPED    (SLOT_TEST + 2)
#define PROTECTED   (SLOT_TEST + 3) /* an object whose pages are protected */
#define PATTERN     0x7061747465726e21ull
#define USER_LIMIT  (1ull << 47)
#define KERNEL_HALF 0xffff800000000000ull
#define KERNEL_TEXT 0xffffffff80000000ull

struct target {
    const struct call *call;
    unsigned at;     /* the register of the pointer */
    uint64_t size;   /* of its struct */
    objid_t id;      /* an object that the caller may do anything with */
    uint64_t *block; /* a page of zeros */
    uint64_t failed; /* calls that did not return an error */
};

static bool begins_with(const char *name, const char *word)
{
    while (*word && *name == *word)
        name++, word++;
    return !*word;
}

static bool is_pointer(const struct arg *arg)
{
    if (arg->kind == ARG_VALUE)
        return begins_with(arg->name, "addr") || begins_with(arg->name, "wake");
    return arg->kind == ARG_POINTER || arg->kind == ARG_SIZED;
}

/* A good value for a register, if it is not the one under test. */
static uint64_t good_value(const struct target *t, unsigned i)
{
    const struct arg *arg = &t->call->arg[i];

    if (is_pointer(arg))
        return (uint64_t)(uintptr_t)t->block + PAGE / 2;
    switch (arg->kind) {
    case ARG_VALUE: return begins_with(arg->name, "flags") ? TWZ_SYNC_64 : VALUE;
    case ARG_ID: return arg->in ? t->id.hi : t->id.lo;
    case ARG_SIZE: return arg[-1].size;
    default: return 0;
    }
}

/* Makes the call with good arguments, except the pointer and, unless it is 0, the size. */
static long call_with(const struct target *t, uint64_t pointer, uint64_t size)
{
    long reg[6];

    for (unsigned i = 0; i < 6; i++)
        reg[i] = (long)good_value(t, i);
    reg[t->at] = (long)pointer;
    if (size)
        reg[t->at + 1] = (long)size;
    return user_call((long)(TWZ_SYSCALL_BASE + t->call->number), reg[0], reg[1], reg[2], reg[3],
                     reg[4], reg[5]);
}

static void expect_error(struct target *t, uint64_t pointer)
{
    if (call_with(t, pointer, 0) >= 0 && t->failed++ < 3) {
        user_log(t->call->name);
        user_log_value("takes a bad pointer", pointer);
    }
}

/* A call that read kernel memory would find values that it refuses for another reason. */
static void expect_fault(struct target *t, uint64_t pointer)
{
    long ret = call_with(t, pointer, 0);

    if (ret != -TWZ_EFAULT && t->failed++ < 3) {
        user_log(t->call->name);
        user_log_value("takes a bad pointer", pointer);
        user_log_value("returns", (uint64_t)ret);
    }
}

/* Addresses that no program has, in steps over the kernel's half. */
static void try_foreign_addresses(struct target *t)
{
    static const uint64_t odd[] = { 0,
                                    1,
                                    8,
                                    PAGE - 1,
                                    PAGE,
                                    TWZ_OBJ_SIZE - 8,
                                    USER_LIMIT,
                                    USER_LIMIT + 1,
                                    USER_LIMIT + PAGE,
                                    1ull << 48,
                                    1ull << 62,
                                    1ull << 63,
                                    KERNEL_HALF - 1,
                                    KERNEL_HALF - 8,
                                    ~0ull,
                                    ~7ull,
                                    ~0ull - PAGE + 1 };

    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        expect_error(t, odd[i]);
    for (uint64_t i = 1; i <= t->size + 8; i += i < 16 ? 1 : 8)
        expect_error(t, USER_LIMIT - i);
    for (uint64_t i = 0; i < 256; i++) { /* one for each entry of the top page table */
        expect_fault(t, KERNEL_HALF + (i << 39));
        expect_fault(t, KERNEL_HALF + (i << 39) + (64 << 20));
    }
    for (uint64_t at = KERNEL_TEXT; at < KERNEL_TEXT + (4 << 20); at += 16 * PAGE)
        expect_fault(t, at + 8);
}

/* Addresses in slots of the program that have no page, or end in one that has none. */
static void try_own_addresses(struct target *t)
{
    expect_error(t, TWZ_SLOT_ADDR(UNMAPPED) + TWZ_OBJ_BASE);
    expect_error(t, TWZ_SLOT_ADDR(WHOLE) + 8);
    expect_error(t, TWZ_SLOT_ADDR(WHOLE) + 3 * PAGE);
    for (uint64_t i = 1; i < t->size; i += i < 16 ? 1 : 8)
        expect_error(t, TWZ_SLOT_ADDR(WHOLE) + 3 * PAGE - i);
}

/* Pages that the caller may only read. */
static void try_read_only_pages(struct target *t)
{
    expect_error(t, TWZ_SLOT_ADDR(READ_ONLY) + PAGE);
    expect_error(t, TWZ_SLOT_ADDR(PROTECTED) + PAGE);
    expect_error(t, TWZ_SLOT_ADDR(WHOLE) + TWZ_OBJ_RECORD);
    expect_error(t, TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
    expect_error(t, TWZ_SLOT_ADDR(SLOT_TEXT) + TWZ_OBJ_BASE + PAGE);
    for (unsigned i = 0; i < PAGE / 8; i++) {
        CHECK_IS(user_page(READ_ONLY, 1)[i], PATTERN);
        CHECK_IS(user_page(PROTECTED, 1)[i], PATTERN);
    }
}

/* Sizes that the kernel must refuse, and bytes that it does not know. */
static void try_sizes(struct target *t, bool in)
{
    const uint64_t odd[] = { 1,           4,           7,
                             t->size + 1, t->size + 4, TWZ_SIZED_MAX + 8,
                             1ull << 32,  1ull << 63,  ~0ull,
                             ~7ull,       8,           USER_LIMIT };
    uint64_t at = (uint64_t)(uintptr_t)t->block;

    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        CHECK_IS(call_with(t, at, odd[i]), -TWZ_EINVAL);
    t->block[t->size / 8] = 1;
    if (in)
        CHECK_IS(call_with(t, at, t->size + 8), -TWZ_EINVAL);
    else if (call_with(t, at, t->size + 8) >= 0)
        CHECK_IS(t->block[t->size / 8], 0);
    for (unsigned i = 0; i < PAGE / 8; i++)
        t->block[i] = 0;
}

static void try_argument(const struct call *call, unsigned at, objid_t id)
{
    const struct arg *arg = &call->arg[at];
    struct target t = { .call = call,
                        .at = at,
                        .size = arg->size,
                        .id = id,
                        .block = (uint64_t *)(uintptr_t)user_page(SLOT_TEST + 4, 1) };

    try_foreign_addresses(&t);
    if (arg->kind != ARG_VALUE) /* a word is a location: no page need be there */
        try_own_addresses(&t);
    if (!arg->in)
        try_read_only_pages(&t);
    if (arg->kind == ARG_SIZED)
        try_sizes(&t, arg->in != 0);
    CHECK_IS(t.failed, 0);
}

/* An object with the pattern on pages 1 and 2. */
static objid_t make_object(uint32_t slot)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(slot, id, TWZ_READ | TWZ_WRITE);
    for (unsigned i = 0; i < 2 * PAGE / 8; i++)
        user_page(slot, 1)[i] = PATTERN;
    return id;
}

void test_main(void)
{
    objid_t id = make_object(WHOLE), closed = make_object(PROTECTED), block;
    unsigned pointers = 0;

    user_handlers();
    block = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    user_map(SLOT_TEST + 4, block, TWZ_READ | TWZ_WRITE);
    user_map(READ_ONLY, id, TWZ_READ);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 3, 1), 0);
    CHECK_IS(user_range(closed, TWZ_RANGE_PROTECT, 1, 2), 0);
    for (unsigned n = 0; n < CALLS; n++)
        for (unsigned i = 0; i < 6; i++) {
            if (!is_pointer(&calls[n].arg[i]))
                continue;
            try_argument(&calls[n], i, id);
            pointers++;
        }
    CHECK_IS(pointers, 16);
    CHECK_IS(CALL(null, 0), 0);
}
