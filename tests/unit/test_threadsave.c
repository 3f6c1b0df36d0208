/* SPDX-License-Identifier: MIT */
/* Records of threads: what makes one valid, and which of two slots counts. */
#include <stdlib.h>
#include <string.h>

#include <lib/threadsave.h>

#include "units.h"

#define XSAVE 2688u /* bytes: an image with the registers of AVX-512 */

static const objid_t self = { 0x1111, 0x2222 }, other = { 0x1111, 0x2223 };

static struct twz_thread_save *make_save(uint64_t epoch)
{
    struct twz_thread_save *save = aligned_alloc(64, THREADSAVE_SLOT);

    memset(save, 0xa5, THREADSAVE_SLOT);
    memset(save, 0, sizeof(*save));
    save->magic = TWZ_SAVE_MAGIC;
    save->version = TWZ_SAVE_VERSION;
    save->header = sizeof(*save);
    save->size = sizeof(*save) + XSAVE;
    save->epoch = epoch;
    save->thread = self;
    save->regs.rip = 0x401000;
    save->xsave_size = XSAVE;
    save->xsave_off = sizeof(*save);
    save->check = threadsave_check(save);
    return save;
}

START_TEST(test_every_bit_counts)
{
    struct twz_thread_save *save = make_save(7);
    uint8_t *byte = (uint8_t *)save;

    ck_assert(threadsave_is_valid(save, self));
    for (size_t i = 0; i < save->size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            byte[i] ^= (uint8_t)(1 << bit);
            ck_assert(!threadsave_is_valid(save, self));
            byte[i] ^= (uint8_t)(1 << bit);
        }
    }
    byte[save->size] ^= 1; /* behind the record */
    ck_assert(threadsave_is_valid(save, self) && !threadsave_is_valid(save, other));
    free(save);
}
END_TEST

/* Records lie on media: the check of one is the same in each version of the kernel. */
START_TEST(test_known_value)
{
    struct twz_thread_save *save = make_save(7);

    ck_assert_uint_eq(save->check, 10320064940234416647ull);
    free(save);
}
END_TEST

START_TEST(test_order_counts)
{
    struct twz_thread_save *save = make_save(7);

    save->regs.rax = 1;
    save->regs.rbx = 2;
    save->check = threadsave_check(save);
    save->regs.rax = 2;
    save->regs.rbx = 1;
    ck_assert(!threadsave_is_valid(save, self));
    free(save);
}
END_TEST

/* A record with a right check, and one word as no kernel writes it. */
static void expect(bool valid, size_t word, uint64_t value)
{
    struct twz_thread_save *save = make_save(7);

    memcpy((uint8_t *)save + word, &value, sizeof(value));
    if (save->size <= THREADSAVE_SLOT)
        save->check = threadsave_check(save);
    if (threadsave_is_valid(save, self) != valid)
        ck_abort_msg("word at %zu, value %llx", word, (unsigned long long)value);
    free(save);
}

START_TEST(test_sizes)
{
    const size_t size = offsetof(struct twz_thread_save, size);
    const size_t off = offsetof(struct twz_thread_save, xsave_off);
    const size_t len = offsetof(struct twz_thread_save, xsave_size);
    const uint64_t whole = sizeof(struct twz_thread_save) + XSAVE;

    expect(true, offsetof(struct twz_thread_save, ngates), TWZ_GATE_DEPTH);
    expect(false, offsetof(struct twz_thread_save, ngates), TWZ_GATE_DEPTH + 1);
    expect(false, offsetof(struct twz_thread_save, ngates), UINT64_MAX);
    expect(true, offsetof(struct twz_thread_save, nattached), TWZ_ATTACHED_MAX);
    expect(false, offsetof(struct twz_thread_save, nattached), TWZ_ATTACHED_MAX + 1);
    expect(true, size, whole);
    expect(true, size, THREADSAVE_SLOT);
    expect(false, size, THREADSAVE_SLOT + 64);
    expect(false, size, UINT64_MAX - 63);
    expect(false, size, whole + 8);
    expect(false, size, whole - 64); /* it would cut the image */
    expect(false, size, sizeof(struct twz_thread_save) - 64);
    expect(false, size, 0);
    expect(false, off, sizeof(struct twz_thread_save) - 64);
    expect(false, off, sizeof(struct twz_thread_save) + 64); /* the image would end outside */
    expect(false, off, whole + 64);
    expect(false, off, UINT64_MAX - 63);
    expect(true, len, 0);
    expect(false, len, XSAVE + 1);
    expect(false, len, UINT64_MAX);
}
END_TEST

START_TEST(test_names)
{
    const uint64_t version = TWZ_SAVE_VERSION, header = sizeof(struct twz_thread_save);
    const size_t at = offsetof(struct twz_thread_save, version);

    expect(true, at, version | header << 32);
    expect(false, at, (version + 1) | header << 32);
    expect(false, at, (version - 1) | header << 32);
    expect(false, at, version | (header + 8) << 32);
    expect(false, offsetof(struct twz_thread_save, magic), TWZ_SAVE_MAGIC + 1);
    expect(false, offsetof(struct twz_thread_save, thread), 0);
    expect(false, offsetof(struct twz_thread_save, thread) + 8, 0);
}
END_TEST

/* The check is never 0, so a slot of zeroes is none. */
START_TEST(test_zeroes)
{
    void *slot = calloc(1, THREADSAVE_SLOT);

    ck_assert(threadsave_check(slot) != 0);
    ck_assert(!threadsave_is_valid(slot, TWZ_OBJID_NONE));
    free(slot);
}
END_TEST

static int choose(const struct twz_thread_save *a, const struct twz_thread_save *b,
                  uint64_t committed)
{
    const struct twz_thread_save *const slot[TWZ_THREAD_SLOTS] = { a, b };

    return threadsave_choose(slot, self, committed);
}

START_TEST(test_choose)
{
    struct twz_thread_save *a = make_save(7), *b = make_save(8);

    assert_same(choose(a, b, 9), 1);
    assert_same(choose(b, a, 9), 0);
    assert_same(choose(a, b, 8), 1);
    assert_same(choose(a, b, 7), 0); /* the record of 8 was not committed */
    assert_same(choose(a, b, 6), -1);
    assert_same(choose(NULL, b, 8), 1);
    assert_same(choose(NULL, b, 7), -1);
    assert_same(choose(NULL, NULL, 9), -1);
    b->check++;
    assert_same(choose(a, b, 9), 0);
    a->thread = other;
    a->check = threadsave_check(a);
    assert_same(choose(a, b, 9), -1);
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_every_bit_counts, test_known_value, test_order_counts, test_sizes, test_names,
        test_zeroes,           test_choose
    };

    return units_run("threadsave", tests, sizeof(tests) / sizeof(tests[0]));
}
