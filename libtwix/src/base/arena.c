/* SPDX-License-Identifier: MIT */
/* Next fit over a bitmap; see arena.h. */
#include "arena.h"

static bool is_used(const struct arena *a, uint32_t page)
{
    return (a->used[page / 64] >> (page % 64) & 1) != 0;
}

static void mark_used(struct arena *a, uint32_t page, uint32_t count)
{
    for (uint32_t p = page; p < page + count; p++)
        a->used[p / 64] |= 1ull << (p % 64);
    a->free -= count;
}

void arena_init(struct arena *a)
{
    *a = (struct arena){ .hint = ARENA_FIRST, .free = ARENA_END - ARENA_FIRST };
}

bool arena_has_range(uint32_t page, uint32_t count)
{
    return page >= ARENA_FIRST && page <= ARENA_END && count <= ARENA_END - page;
}

/* Returns the first page of a run of `count` free pages that starts in [from, to), or 0. Words that
 * are all used or all free are passed in one step. */
static uint32_t find_run(const struct arena *a, uint32_t from, uint32_t to, uint32_t count)
{
    uint32_t run = 0;

    for (uint32_t p = from; p < ARENA_END; p++) {
        if (run == 0 && p >= to)
            return 0;
        if (p % 64 == 0 && a->used[p / 64] == ~0ull) {
            run = 0;
            p += 63;
        } else if (p % 64 == 0 && a->used[p / 64] == 0 && count - run > 64 && p + 64 <= ARENA_END) {
            run += 64;
            p += 63;
        } else if (is_used(a, p)) {
            run = 0;
        } else if (++run == count) {
            return p + 1 - count;
        }
    }
    return 0;
}

uint32_t arena_alloc(struct arena *a, uint32_t count)
{
    uint32_t page;

    if (count == 0 || count > a->free)
        return 0;
    page = find_run(a, a->hint, ARENA_END, count);
    if (page == 0)
        page = find_run(a, ARENA_FIRST, a->hint, count);
    if (page == 0)
        return 0;
    mark_used(a, page, count);
    a->hint = page + count < ARENA_END ? page + count : ARENA_FIRST;
    return page;
}

bool arena_alloc_at(struct arena *a, uint32_t page, uint32_t count)
{
    if (!arena_has_range(page, count))
        return false;
    for (uint32_t p = page; p < page + count; p++)
        if (is_used(a, p))
            return false;
    mark_used(a, page, count);
    return true;
}

void arena_free(struct arena *a, uint32_t page, uint32_t count)
{
    for (uint32_t p = page; p < page + count; p++) {
        if (!is_used(a, p))
            continue;
        a->used[p / 64] &= ~(1ull << (p % 64));
        a->free++;
    }
    if (page < a->hint)
        a->hint = page;
}
