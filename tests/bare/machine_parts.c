/* SPDX-License-Identifier: MIT */
/* Frames, small allocations, page-table subtrees, random bytes and formatting, each alone. */
#include <kernel/arch.h>
#include <kernel/kmem.h>
#include <kernel/phys.h>
#include <kernel/random.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <twz/object.h>
#include "machine.h"

/* Allocates all frames, which form a list through themselves, and frees them. */
static bool drain_frames(uint64_t free_before)
{
    phys_t first = PHYS_NONE, p;
    uint64_t count = 0;
    bool good;

    for (p = phys_alloc(0); !phys_is_none(p); p = phys_alloc(0)) {
        *(phys_t *)arch_virt(p) = first;
        first = p;
        count++;
    }
    good = count == free_before && phys_free_frames() == 0 && phys_is_none(phys_alloc_zeroed());
    while (!phys_is_none(first)) {
        p = first;
        first = *(phys_t *)arch_virt(p);
        phys_free(p, 0);
    }
    return good && phys_free_frames() == free_before;
}

static void test_frames_are_counted_and_shared(void)
{
    uint64_t before = phys_free_frames();
    bool is_large = before > 1 << 18; /* 1 GiB: too large to touch every frame */
    unsigned order = is_large ? PHYS_MAX_ORDER : 14;
    bool good = is_large || drain_frames(before);
    phys_t p = phys_alloc(order); /* freed frames have merged */

    good &= !phys_is_none(p) && !(p.addr & ((4096ull << order) - 1));
    phys_free(p, order);
    p = phys_alloc(0);
    good &= phys_ref(p);
    good &= phys_refs(p) == 2;
    phys_unref(p);
    good &= phys_free_frames() == before - 1;
    phys_unref(p);
    add_result("frames: counted, merged and shared", good && phys_free_frames() == before);
}

/* 600 blocks of different sizes, twice, so that freed ones are used again. */
static void test_small_allocations_are_zeroed_and_aligned(void)
{
    static void *blocks[600];
    bool good = true;

    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
            size_t size = i * 11 + 1;
            uint8_t *p = blocks[i] = kmem_alloc(size);

            good &= p && !((uintptr_t)p & (size >= 64 ? 63 : 15));
            for (size_t at = 0; p && at < size; at++)
                good &= p[at] == 0;
            memset(p, 0xee, size);
        }
        for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
            kmem_free(blocks[i], i * 11 + 1);
    }
    add_result("small allocations: zeroed and aligned", good);
}

/* Leaves in three tables: mapped, a hole, and at the end of the object. */
static void test_ptree_maps_and_walks(void)
{
    struct arch_ptree pt = { .payer = NULL };
    uint32_t page = 0;
    unsigned flags;
    phys_t frame;
    bool good = !arch_ptree_init(&pt);

    good &= !arch_ptree_map(&pt, 5, (phys_t){ 0x5000 }, ARCH_PT_WRITE | ARCH_PT_COW);
    good &= !arch_ptree_map(&pt, 600, PHYS_NONE, ARCH_PT_HOLE);
    good &= !arch_ptree_map(&pt, TWZ_OBJ_PAGES - 1, (phys_t){ 0x7000 }, ARCH_PT_PROTECT);
    good &= arch_ptree_map(&pt, TWZ_OBJ_PAGES, (phys_t){ 0x7000 }, 0) != 0 && pt.tables == 3;
    good &= arch_ptree_lookup(&pt, 5, &flags).addr == 0x5000;
    good &= flags == (ARCH_PT_WRITE | ARCH_PT_COW);
    good &= phys_is_none(arch_ptree_lookup(&pt, 600, &flags)) && flags == ARCH_PT_HOLE;
    good &= phys_is_none(arch_ptree_lookup(&pt, 6, &flags)) && flags == 0;
    good &= arch_ptree_next(&pt, &page, TWZ_OBJ_PAGES, &frame, &flags) && page == 5;
    page++;
    good &= arch_ptree_next(&pt, &page, TWZ_OBJ_PAGES, &frame, &flags) && page == 600 &&
            phys_is_none(frame) && flags == ARCH_PT_HOLE;
    page++;
    good &= !arch_ptree_next(&pt, &page, TWZ_OBJ_PAGES - 1, &frame, &flags);
    good &= arch_ptree_next(&pt, &page, TWZ_OBJ_PAGES, &frame, &flags) && frame.addr == 0x7000;
    arch_ptree_unmap(&pt, 0, TWZ_OBJ_PAGES);
    page = 0;
    good &= !arch_ptree_next(&pt, &page, TWZ_OBJ_PAGES, &frame, &flags);
    good &= arch_ptree_destroy_some(&pt, 1) && !arch_ptree_destroy_some(&pt, UINT32_MAX);
    add_result("page-table subtrees: map, look up, walk, unmap", good);
}

static unsigned count_same_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
    unsigned same = 0;

    for (size_t i = 0; i < len; i++)
        same += a[i] == b[i];
    return same;
}

/* The lengths exceed one refill of the generator. */
static void test_random_bytes_do_not_repeat(void)
{
    static uint8_t a[320], b[320], zero[320];
    bool good = true;

    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    for (size_t at = 0; at < sizeof(a); at += 64)
        good &= count_same_bytes(a + at, b, sizeof(a) - at) < 10;
    random_mix("x", 1);
    random_bytes(b, sizeof(b));
    good &= count_same_bytes(a, b, sizeof(a)) < 10 && count_same_bytes(a, zero, sizeof(a)) < 10;
    add_result("random bytes do not repeat", good);
}

static void test_formatting_pads_and_cuts(void)
{
    char text[64];
    bool good = fmt_print(text, sizeof(text), "%5d|%-4s|%04x|%.2s|%llu|%c%%", -42, "ab", 0xbeu,
                          "xyz", 18446744073709551615ull, 'q') == 42;

    good &= memcmp(text, "  -42|ab  |00be|xy|18446744073709551615|q%", 42) == 0;
    good &= fmt_print(text, 4, "%s", "longer") == 6 && memcmp(text, "lon", 4) == 0;
    add_result("formatting pads and cuts", good);
}

void test_parts(void)
{
    test_frames_are_counted_and_shared();
    test_small_allocations_are_zeroed_and_aligned();
    test_ptree_maps_and_walks();
    test_random_bytes_do_not_repeat();
    test_formatting_pads_and_cuts();
}
