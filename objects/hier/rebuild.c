/* SPDX-License-Identifier: MIT */
/*
 * Recomputes lists, counts and bump after a crash, from the chunk words, the table and the old
 * bump. A chunk is in use if it holds the table, or an entry to which a bucket refers. Every other
 * chunk becomes free.
 */
#include "inside.h"

/* The table, if its chunk has the right kind and length. This bounds the work on a table that an
 * adversary wrote. */
static int find_whole_table(const struct hier *h, uint64_t *buckets, uint32_t *bits)
{
    uint32_t kind, cells;
    int err = hier_table_get(h, buckets, bits);

    if (err >= 0)
        err = hier_chunk_get(h, *buckets - HIER_CELL, &kind, &cells);
    if (err < 0)
        return err;
    return kind == HIER_CHUNK_TABLE && cells == 1 + (8ull << *bits) / HIER_CELL ? 0 : -TWZ_EDAMAGED;
}

/* Store count and used. *end: the end of the chunks, the largest of bump and the ends of the table
 * and all entries. */
static int rebuild_counts(struct hier *h, uint64_t *end)
{
    uint64_t buckets;
    uint32_t bits, count = 0, used = 0, kind, cells;
    int err = find_whole_table(h, &buckets, &bits);

    if (err < 0)
        return err;
    *end = h->dir->bump;
    if (buckets + (8ull << bits) > *end)
        *end = buckets + (8ull << bits);
    for (uint64_t i = 0; i < 1ull << bits; i++) {
        uint64_t value = *hier_word(h, buckets + i * 8);
        uint64_t off = HIER_BUCKET_OFF(value);

        used += value != 0;
        if (value <= HIER_TOMB)
            continue;
        err = hier_chunk_get(h, off, &kind, &cells);
        if (err < 0)
            return err;
        count++;
        if (off + (uint64_t)cells * HIER_CELL > *end)
            *end = off + (uint64_t)cells * HIER_CELL;
    }
    hier_store32(&h->dir->count, count);
    hier_store32(&h->dir->used, used);
    /* A dead thread's stores may not be durable. The table, before the chunks that it no longer
     * refers to become free; op, which finish_change_locked flushed, before any chunk changes. */
    twz_persist_flush(&h->dir->table, sizeof(h->dir->table));
    twz_persist(hier_word(h, buckets), 8ull << bits);
    return 0;
}

static bool is_chunk_used(const struct hier *h, uint64_t off, uint32_t kind)
{
    const struct hier_entry *e;

    if (kind == HIER_CHUNK_TABLE)
        return off == HIER_TABLE_OFF(h->dir->table);
    return kind == HIER_CHUNK_ENTRY && hier_entry_get(h, off, &e) == 0 &&
           hier_is_live(h, off, e->hash);
}

int hier_rebuild(struct hier *h)
{
    uint32_t kind, cells;
    uint64_t end;
    int err = rebuild_counts(h, &end);

    if (err < 0)
        return err;
    twz_persist_store64(&h->dir->bump, end);
    for (uint32_t i = 0; i < HIER_LISTS; i++)
        hier_store32(&h->dir->free[i], 0);
    for (uint64_t off = HIER_START; off < end; off += (uint64_t)cells * HIER_CELL) {
        err = hier_chunk_get(h, off, &kind, &cells);
        if (err < 0)
            return err;
        if (!is_chunk_used(h, off, kind))
            hier_chunk_free(h, off);
    }
    return 0;
}
