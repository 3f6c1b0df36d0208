/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol of filling: whole pages are added to a provisional object. Wherever the process
 * ends, recovery deletes the object or finds it complete.
 */
#include "content.h"

#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "window.h"

#define CHUNK_PAGES 512u
#define CHUNK       ((uint64_t)CHUNK_PAGES * TWZ_PAGE_SIZE)

static const uint8_t zero_page[TWZ_PAGE_SIZE];

int content_page(const struct pool *pool, uint32_t row, uint32_t page, const uint8_t **bytes)
{
    const uint8_t *changed = window_page(row, page);
    struct store_page at;
    int err = store_page_get(pool->store, row, page, &at);

    if (err < 0)
        return err;
    switch (at.state) {
    case STORE_ABSENT: *bytes = zero_page; return 0;
    case STORE_PRESENT:
    case STORE_SHARED:
        *bytes = changed ? changed : store_frame_ptr(pool->store, at.frame);
        return 0;
    case STORE_POISONED: return -TWZ_EPOISON;
    default: return -TWZ_EFAULT;
    }
}

int content_read(const struct pool *pool, uint32_t row, uint64_t off, void *out, uint64_t len)
{
    uint8_t *to = out;

    while (len > 0) {
        const uint8_t *page;
        uint64_t in = off % TWZ_PAGE_SIZE;
        uint64_t n = TWZ_PAGE_SIZE - in < len ? TWZ_PAGE_SIZE - in : len;
        int err = content_page(pool, row, (uint32_t)(off / TWZ_PAGE_SIZE), &page);

        if (err < 0)
            return err;
        memcpy(to, page + in, n);
        to += n;
        off += n;
        len -= n;
    }
    return 0;
}

int content_meta(const struct pool *pool, uint32_t row, struct twz_meta *meta)
{
    const uint8_t *page;
    int err = content_page(pool, row, TWZ_PAGE_META, &page);

    if (err < 0)
        return err;
    memcpy(meta, page, sizeof(*meta));
    if ((meta->magic != 0 && meta->magic != TWZ_META_MAGIC) || meta->size > TWZ_OBJ_DATA_MAX ||
        meta->fot_count > TWZ_FOT_MAX)
        return -TWZ_EDAMAGED;
    return 0;
}

int content_fot(const struct pool *pool, uint32_t row, uint32_t index, struct twz_fot_entry *out)
{
    if (index == 0 || index > TWZ_FOT_MAX)
        return -TWZ_EINVAL;
    return content_read(pool, row, TWZ_OBJ_META - (uint64_t)index * TWZ_FOT_ENTRY, out,
                        sizeof(*out));
}

int content_next(const struct pool *pool, uint32_t row, const struct twz_meta *meta, uint32_t *next)
{
    struct twz_fot_entry entry;
    uint64_t index;
    int err;

    *next = STORE_NO_ROW;
    if (meta->next == 0)
        return 0;
    index = TWZ_PPTR_FOT(meta->next);
    if (index == 0 || index > meta->fot_count)
        return -TWZ_EDAMAGED;
    err = content_fot(pool, row, (uint32_t)index, &entry);
    if (err < 0)
        return err;
    if (!(entry.flags & TWZ_FOT_VALID) || (entry.flags & TWZ_FOT_NAME))
        return -TWZ_EDAMAGED;
    return store_lookup(pool->store, entry.id, next);
}

/* No file has more objects than this (1 TiB): a limit for files that form a circle. */
#define PARTS_MAX 1024u

int content_length(const struct pool *pool, uint32_t row, uint64_t *length)
{
    *length = 0;
    for (unsigned part = 0; row != STORE_NO_ROW; part++) {
        struct twz_meta meta;
        int err = part < PARTS_MAX ? content_meta(pool, row, &meta) : -TWZ_EDAMAGED;

        if (err < 0)
            return err;
        *length += meta.size;
        err = content_next(pool, row, &meta, &row);
        if (err < 0)
            return err;
    }
    return 0;
}

/* The number of absent pages from `page` on, up to `end`. */
static uint32_t count_absent(const struct pool *pool, uint32_t row, uint32_t page, uint32_t end)
{
    struct store_page at = { .page = page };

    if (store_page_next(pool->store, row, &at) < 0 || at.page > end)
        return end - page;
    return at.page - page;
}

/* The number of pages from `page` on, up to `end`, whose frames follow `bytes` directly. */
static uint32_t count_contiguous(const struct pool *pool, uint32_t row, uint32_t page, uint32_t end,
                                 const uint8_t *bytes)
{
    const uint8_t *next;
    uint32_t run = 1;

    while (page + run < end && content_page(pool, row, page + run, &next) == 0 &&
           next == bytes + (uint64_t)run * TWZ_PAGE_SIZE)
        run++;
    return run;
}

/* Pass the data of one object, `size` bytes, to the sink. */
static int visit_part(const struct pool *pool, uint32_t row, uint64_t size, content_sink sink,
                      void *ctx)
{
    uint32_t end = 1 + (uint32_t)((size + TWZ_PAGE_SIZE - 1) / TWZ_PAGE_SIZE);

    for (uint32_t page = 1; page < end;) {
        uint64_t left = size - (uint64_t)(page - 1) * TWZ_PAGE_SIZE;
        uint32_t run = count_absent(pool, row, page, end);
        const uint8_t *bytes = zero_page;
        bool zero = run > 0;
        int err = zero ? 0 : content_page(pool, row, page, &bytes);
        uint64_t len;

        if (err < 0)
            return err;
        if (!zero)
            run = count_contiguous(pool, row, page,
                                   end < page + CHUNK_PAGES ? end : page + CHUNK_PAGES, bytes);
        len = (uint64_t)run * TWZ_PAGE_SIZE;
        err = sink(ctx, zero ? NULL : bytes, len < left ? len : left);
        if (err != 0)
            return err;
        page += run;
    }
    return 0;
}

int content_each(const struct pool *pool, uint32_t row, content_sink sink, void *ctx)
{
    for (unsigned part = 0; row != STORE_NO_ROW; part++) {
        struct twz_meta meta;
        int err = part < PARTS_MAX ? content_meta(pool, row, &meta) : -TWZ_EDAMAGED;

        if (err < 0)
            return err;
        err = visit_part(pool, row, meta.size, sink, ctx);
        if (err != 0)
            return err;
        err = content_next(pool, row, &meta, &row);
        if (err < 0)
            return err;
    }
    return 0;
}

/* --- filling ------------------------------------------------------------------------------- */

struct chunk {
    uint32_t first; /* page number of bytes[0] */
    uint8_t *bytes;
};

static const void *chunk_page(void *ctx, uint32_t page)
{
    const struct chunk *chunk = ctx;

    return chunk->bytes + (uint64_t)(page - chunk->first) * TWZ_PAGE_SIZE;
}

static bool is_zero_page(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, zero_page, TWZ_PAGE_SIZE) == 0;
}

/* Add the pages of a chunk that are not all zero. */
static int add_chunk(struct pool *pool, uint32_t row, struct chunk *chunk, uint32_t pages)
{
    for (uint32_t i = 0; i < pages;) {
        uint32_t run = 0;
        int err = 0;

        while (i + run < pages && !is_zero_page(chunk->bytes + (uint64_t)(i + run) * TWZ_PAGE_SIZE))
            run++;
        if (run > 0)
            err = store_page_add_many(pool->store, row, chunk->first + i, run, chunk_page, chunk);
        if (err < 0)
            return err;
        i += run > 0 ? run : 1;
    }
    return 0;
}

int content_fill(struct pool *pool, uint32_t row, content_source source, void *ctx, uint64_t *size)
{
    struct chunk chunk = { .first = 1, .bytes = malloc(CHUNK) };
    int err = 0;

    if (!chunk.bytes)
        return -TWZ_ENOMEM;
    *size = 0;
    while (*size < TWZ_OBJ_DATA_MAX) {
        uint64_t want = TWZ_OBJ_DATA_MAX - *size < CHUNK ? TWZ_OBJ_DATA_MAX - *size : CHUNK;
        int64_t n = source(ctx, chunk.bytes, want);
        uint64_t pages;

        err = n < 0 ? 1 : 0;
        if (n <= 0)
            break;
        pages = ((uint64_t)n + TWZ_PAGE_SIZE - 1) / TWZ_PAGE_SIZE;
        memset(chunk.bytes + n, 0, pages * TWZ_PAGE_SIZE - (uint64_t)n);
        err = add_chunk(pool, row, &chunk, (uint32_t)pages);
        if (err < 0)
            break;
        *size += (uint64_t)n;
        chunk.first += (uint32_t)pages;
        if ((uint64_t)n < want)
            break;
    }
    free(chunk.bytes);
    return err;
}

static const void *supply_page(void *ctx, uint32_t page)
{
    (void)page;
    return ctx;
}

int content_meta_add(struct pool *pool, uint32_t row, const struct twz_meta *meta, objid_t next)
{
    _Alignas(8) uint8_t page[TWZ_PAGE_SIZE] = { 0 };
    struct twz_meta full = *meta;

    full.magic = TWZ_META_MAGIC;
    if (!objid_is_none(next)) {
        struct twz_fot_entry entry = {
            .flags = TWZ_FOT_VALID | TWZ_READ | TWZ_WRITE,
            .id = next,
        };
        int err;

        full.fot_count = 1;
        full.next = TWZ_PPTR(1, TWZ_OBJ_BASE);
        memcpy(page + TWZ_PAGE_SIZE - TWZ_FOT_ENTRY, &entry, sizeof(entry));
        err = store_page_add_many(pool->store, row, TWZ_PAGE_META - 1, 1, supply_page, page);
        if (err < 0)
            return err;
        memset(page, 0, sizeof(page));
    }
    memcpy(page, &full, sizeof(full));
    return store_page_add_many(pool->store, row, TWZ_PAGE_META, 1, supply_page, page);
}
