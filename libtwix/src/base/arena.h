/* SPDX-License-Identifier: MIT */
/*
 * A page allocator over the data of one object: one bit for each page, 1 in use. The allocator does
 * not touch the object's memory. The caller must serialise all calls with a lock.
 */
#ifndef TWIX_ARENA_H
#define TWIX_ARENA_H

#include <stdbool.h>
#include <twz/object.h>

#define ARENA_FIRST ((uint32_t)(TWZ_OBJ_BASE / TWZ_PAGE_SIZE))
#define ARENA_END   ((uint32_t)(TWZ_OBJ_DATA_TOP / TWZ_PAGE_SIZE)) /* first page past the data */

struct arena {
    uint32_t hint; /* the next search starts at this page; 0: arena_init was not called */
    uint32_t free; /* pages */
    uint64_t used[TWZ_OBJ_PAGES / 64];
};

/* Returns the number of pages that hold `len` bytes. */
static inline uint64_t arena_pages(uint64_t len)
{
    return (len + TWZ_PAGE_SIZE - 1) / TWZ_PAGE_SIZE;
}

void arena_init(struct arena *a);

/* Allocate `count` pages in a row. Returns the first page, or 0 if there is no such run. */
uint32_t arena_alloc(struct arena *a, uint32_t count);

/* Allocate exactly these pages. Returns false, and allocates none, if not all of them are free. */
bool arena_alloc_at(struct arena *a, uint32_t page, uint32_t count);

/* Free `count` pages from `page` on. All must lie within the data; some may be free already. */
void arena_free(struct arena *a, uint32_t page, uint32_t count);

/* Returns whether all of these pages lie within the data. */
bool arena_has_range(uint32_t page, uint32_t count);

#endif
