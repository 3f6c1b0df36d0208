/* SPDX-License-Identifier: MIT */
/*
 * The free space of a directory: chunks, free lists and entries.
 *
 * A function that only reads may run without the lock. So it must check each word before it uses
 * the word. The caller of every other function must hold the lock, and op must be HIER_DIRTY.
 *
 * After a crash, hier_rebuild repairs lists and counts from the chunk words. So only chunk words
 * have an order. The word of a new chunk must be durable before bump moves beyond the chunk. If the
 * chunk was split off another chunk, its word must be durable before the other chunk becomes
 * shorter.
 *
 * An adversary may have written lists and lengths. So a chunk must end at or below bump to be
 * allocated, and a function must call twz_touch before it stores to a chunk.
 */
#include "inside.h"

#define LONG_LIST_TRIES 16u /* chunks tried in the list of long ones */

int hier_chunk_get(const struct hier *h, uint64_t off, uint32_t *kind, uint32_t *cells)
{
    uint64_t word;

    if (off % HIER_CELL || off < HIER_START || off > TWZ_OBJ_DATA_TOP - HIER_CELL)
        return -TWZ_EDAMAGED;
    word = hier_load(h, off);
    *kind = HIER_CHUNK_KIND(word);
    *cells = HIER_CHUNK_CELLS(word);
    if (*cells == 0 || *cells > (TWZ_OBJ_DATA_TOP - off) / HIER_CELL)
        return -TWZ_EDAMAGED;
    return 0;
}

int hier_entry_get(const struct hier *h, uint64_t off, const struct hier_entry **entry)
{
    const struct hier_entry *e;
    uint32_t kind, cells;
    int err = hier_chunk_get(h, off, &kind, &cells);

    if (err < 0 || kind != HIER_CHUNK_ENTRY)
        return -TWZ_EDAMAGED;
    e = (const struct hier_entry *)(const void *)(h->start + off);
    if (offsetof(struct hier_entry, bytes) + e->name_len + e->text_len >
        (uint64_t)cells * HIER_CELL)
        return -TWZ_EDAMAGED;
    *entry = e;
    return 0;
}

uint32_t hier_cells(const struct hier_new_entry *entry)
{
    size_t bytes = offsetof(struct hier_entry, bytes) + entry->name.len + entry->text_len;

    return (uint32_t)((bytes + HIER_CELL - 1) / HIER_CELL);
}

void hier_store32(uint32_t *half, uint32_t value)
{
    uint64_t *word = (uint64_t *)(void *)((uintptr_t)half & ~(uintptr_t)7);
    uint32_t shift = ((uintptr_t)half & 4) ? 32 : 0;
    uint64_t old = *word & ~((uint64_t)UINT32_MAX << shift);

    twz_persist_store64(word, old | (uint64_t)value << shift);
}

void hier_count_add(struct hier *h, int count, int used)
{
    hier_store32(&h->dir->count, h->dir->count + (uint32_t)count);
    hier_store32(&h->dir->used, h->dir->used + (uint32_t)used);
}

/* --- free lists ------------------------------------------------------------------------------- */

static uint32_t *list_for(const struct hier *h, uint32_t cells)
{
    return &h->dir->free[cells < HIER_LISTS ? cells : 0];
}

/* A chunk that cannot be stored to keeps its word. */
static int push_chunk(struct hier *h, uint64_t off, uint32_t cells)
{
    uint32_t *list = list_for(h, cells);
    uint64_t *word = hier_word(h, off);
    int err = twz_touch(word, 16);

    if (err < 0)
        return err;
    twz_persist_store64(&word[1], *list); /* next; the hash of a free chunk is unused */
    twz_persist_store64(&word[0], HIER_CHUNK(HIER_CHUNK_FREE, cells));
    twz_persist_flush(word, 16);
    hier_store32(list, (uint32_t)off);
    return 0;
}

void hier_chunk_free(struct hier *h, uint64_t off)
{
    uint32_t kind, cells;

    if (hier_chunk_get(h, off, &kind, &cells) == 0)
        (void)!push_chunk(h, off, cells);
}

/* The chunk at `off` is free, ends below bump and can be stored to. */
static bool is_allocatable(const struct hier *h, uint64_t off, uint32_t *have)
{
    uint32_t kind;

    return hier_chunk_get(h, off, &kind, have) == 0 && kind == HIER_CHUNK_FREE &&
           off + (uint64_t)*have * HIER_CELL <= h->dir->bump &&
           twz_touch(hier_word(h, off), sizeof(struct hier_entry)) >= 0;
}

/* Unlink a chunk of at least `cells` from a list; 0: none. */
static uint64_t take_chunk(struct hier *h, uint32_t *list, uint32_t cells, uint32_t *have)
{
    uint32_t *link = list;

    for (uint32_t i = 0; i < LONG_LIST_TRIES && *link; i++) {
        uint64_t off = *link;
        struct hier_entry *e = (struct hier_entry *)(void *)(h->start + off);

        if (!is_allocatable(h, off, have))
            return 0;
        if (*have >= cells) {
            hier_store32(link, e->next);
            twz_persist_flush(link, sizeof(*link));
            return off;
        }
        link = &e->next;
    }
    return 0;
}

/* Append a chunk of `cells` at bump. */
static int append_chunk(struct hier *h, uint32_t cells, uint64_t *off)
{
    uint64_t at = h->dir->bump;
    int err;

    if (at < HIER_START || at > TWZ_OBJ_DATA_TOP || at % HIER_CELL)
        return -TWZ_EDAMAGED;
    if (cells > (TWZ_OBJ_DATA_TOP - at) / HIER_CELL)
        return -TWZ_EFULL;
    err = twz_touch(h->start + at, (uint64_t)cells * HIER_CELL);
    if (err < 0)
        return err;
    twz_persist_store64(hier_word(h, at), HIER_CHUNK(HIER_CHUNK_FREE, cells));
    twz_persist_flush(hier_word(h, at), 8);
    twz_persist_fence(); /* the chunk's word, before bump passes it */
    *off = at;
    at += (uint64_t)cells * HIER_CELL;
    twz_persist_store64(&h->dir->bump, at); /* on the line of op, which hier_end_change flushes */
    return 0;
}

/* Give the rest of a chunk of `have` cells back. Its pages exist before the first store to it. */
static int cut_chunk(struct hier *h, uint64_t off, uint32_t have, uint32_t cells)
{
    int err = twz_touch(h->start + off, (uint64_t)cells * HIER_CELL);

    if (err < 0 || have == cells)
        return err < 0 ? err : 0;
    err = push_chunk(h, off + (uint64_t)cells * HIER_CELL, have - cells);
    if (err < 0)
        return err;
    twz_persist_fence(); /* the word of the rest, before the chunk becomes shorter */
    twz_persist_store64(hier_word(h, off), HIER_CHUNK(HIER_CHUNK_FREE, cells));
    return 0; /* the caller fills the chunk and flushes it */
}

int hier_chunk_alloc(struct hier *h, uint32_t cells, uint64_t *off)
{
    uint32_t have = 0;
    int err;

    *off = 0;
    if (cells < HIER_LISTS)
        *off = take_chunk(h, list_for(h, cells), cells, &have);
    if (*off == 0)
        *off = take_chunk(h, &h->dir->free[0], cells, &have);
    if (*off == 0)
        return append_chunk(h, cells, off);
    err = cut_chunk(h, *off, have, cells);
    if (err < 0)
        (void)!push_chunk(h, *off, have);
    return err;
}

/* --- entries ---------------------------------------------------------------------------------- */

void hier_entry_write(struct hier *h, uint64_t off, const struct hier_new_entry *entry)
{
    uint32_t cells = hier_cells(entry);
    uint8_t *to = h->start + off;
    struct hier_entry head = {
        .chunk = HIER_CHUNK(HIER_CHUNK_ENTRY, cells),
        .attr = entry->attr,
        .hash = entry->hash,
        .id = entry->id,
        .kind = (uint8_t)entry->kind,
        .name_len = (uint8_t)entry->name.len,
        .text_len = (uint16_t)entry->text_len,
    };

    twz_persist_copy(to, &head, offsetof(struct hier_entry, bytes));
    to += offsetof(struct hier_entry, bytes);
    twz_persist_copy(to, entry->name.text, entry->name.len);
    if (entry->text_len)
        twz_persist_copy(to + entry->name.len, entry->text, entry->text_len);
    twz_persist_flush(h->start + off, (uint64_t)cells * HIER_CELL);
}
