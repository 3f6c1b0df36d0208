/* SPDX-License-Identifier: MIT */
/*
 * A page allocator over one 1 GiB of address space: a bit a page, 1 in use. Pure; the caller locks.
 */
#ifndef TWIX_ARENA_H
#define TWIX_ARENA_H

#include <twz/object.h>

#define ARENA_FIRST ((uint32_t)(TWZ_OBJ_BASE / TWZ_PAGE_SIZE))
#define ARENA_END   ((uint32_t)(TWZ_OBJ_DATA_TOP / TWZ_PAGE_SIZE)) /* first page past the data */

struct arena {
    uint32_t hint; /* where the next search starts; 0: not set up */
    uint32_t free; /* pages */
    uint64_t used[TWZ_OBJ_PAGES / 64];
};

/* Pages that hold `len` bytes. */
static inline uint64_t arena_pages(uint64_t len)
{
    return (len + TWZ_PAGE_SIZE - 1) / TWZ_PAGE_SIZE;
}

void arena_init(struct arena *a);

/* First page of `count` free ones in a row, now in use; 0: there are none. */
uint32_t arena_take(struct arena *a, uint32_t count);

/* Exactly these pages, if all are free: 1, else 0. */
int arena_take_at(struct arena *a, uint32_t page, uint32_t count);

/* Give pages back; those that are free already stay so. */
void arena_give(struct arena *a, uint32_t page, uint32_t count);

/* 1 if all of these pages lie within the data. */
int arena_inside(uint32_t page, uint32_t count);

#endif
