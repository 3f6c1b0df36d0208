/* SPDX-License-Identifier: MIT */
/*
 * The hash table of a directory. A function that only reads may run without the lock, concurrently
 * with changes and with an adversary. So it must check the word `table` and bound its probes. The
 * caller of every other function must hold the lock, and op must be HIER_DIRTY. A new table must be
 * durable before the word `table` publishes it.
 */
#include "inside.h"

#define TABLE_BITS_MIN 5u
#define TABLE_BITS_MAX 26u
_Static_assert(1u << TABLE_BITS_MIN == HIER_BUCKETS_MIN, "smallest table");

int hier_table_get(const struct hier *h, uint64_t *buckets, uint32_t *bits)
{
    uint64_t word = __atomic_load_n(&h->dir->table, __ATOMIC_RELAXED);
    uint64_t off = HIER_TABLE_OFF(word);

    *bits = HIER_TABLE_BITS(word);
    *buckets = off + HIER_CELL;
    if (off % HIER_CELL || off < HIER_START || *bits < TABLE_BITS_MIN || *bits > TABLE_BITS_MAX ||
        *buckets + (8ull << *bits) > TWZ_OBJ_DATA_TOP)
        return -TWZ_EDAMAGED;
    return 0;
}

/* The number of buckets that may hold a name, from its hash on. */
static uint64_t probe_count(uint32_t bits)
{
    return 1ull << bits < HIER_PROBE ? 1ull << bits : HIER_PROBE;
}

static bool has_name(const struct hier_entry *e, struct hier_name name)
{
    return e->name_len == name.len && __builtin_memcmp(e->bytes, name.text, name.len) == 0;
}

/* Probe from the name's hash to the first bucket that was never used. */
int hier_find(const struct hier *h, struct hier_name name, struct hier_bucket *hit)
{
    const struct hier_entry *e;
    uint32_t hash = hier_hash(name);
    uint64_t buckets, mask;
    uint32_t bits;
    int err = hier_table_get(h, &buckets, &bits);

    if (err < 0)
        return err;
    mask = (1ull << bits) - 1;
    for (uint64_t i = 0; i < probe_count(bits); i++) {
        uint64_t off = buckets + ((hash + i) & mask) * 8;
        uint64_t value = hier_load(h, off);

        if (value == 0)
            return -TWZ_ENONAME;
        if (value == HIER_TOMB || HIER_BUCKET_HASH(value) != hash)
            continue;
        err = hier_entry_get(h, HIER_BUCKET_OFF(value), &e);
        if (err < 0)
            return err;
        if (!has_name(e, name))
            continue;
        if (e->kind < HIER_OBJECT || e->kind > HIER_SYMLINK)
            return -TWZ_EDAMAGED;
        *hit = (struct hier_bucket){
            .off = off,
            .value = value,
            .found = { .id = e->id,
                       .kind = e->kind,
                       .text_len = e->text_len,
                       .attr = e->attr,
                       .cookie = HIER_BUCKET_OFF(value) },
        };
        return 0;
    }
    return -TWZ_ENONAME;
}

bool hier_is_live(const struct hier *h, uint64_t chunk, uint32_t hash)
{
    uint64_t buckets, mask;
    uint32_t bits;

    if (hier_table_get(h, &buckets, &bits) < 0)
        return false;
    mask = (1ull << bits) - 1;
    for (uint64_t i = 0; i < probe_count(bits); i++) {
        uint64_t value = hier_load(h, buckets + ((hash + i) & mask) * 8);

        if (value == HIER_BUCKET(hash, chunk))
            return true;
        if (value == 0)
            return false;
    }
    return false;
}

int hier_bucket_check(const struct hier *h, uint64_t off)
{
    uint64_t buckets;
    uint32_t bits;
    int err = hier_table_get(h, &buckets, &bits);

    if (err < 0)
        return err;
    if (off < buckets || off >= buckets + (8ull << bits) || off % 8)
        return -TWZ_EDAMAGED;
    err = twz_touch(hier_word(h, off), 8);
    return err < 0 ? err : 0;
}

static uint64_t live_count(const struct hier *h, uint64_t buckets, uint32_t bits)
{
    uint64_t live = 0;

    for (uint64_t i = 0; i < 1ull << bits; i++)
        live += hier_load(h, buckets + i * 8) > HIER_TOMB;
    return live;
}

bool hier_is_empty(const struct hier *h)
{
    uint64_t buckets;
    uint32_t bits;

    return hier_table_get(h, &buckets, &bits) == 0 && live_count(h, buckets, bits) == 0;
}

/* --- adding ----------------------------------------------------------------------------------- */

/* -TWZ_EFULL: too many entries have this hash, or an adversary filled the table. */
static int find_free_bucket(const struct hier *h, uint64_t buckets, uint32_t bits, uint32_t hash,
                            uint64_t *bucket)
{
    uint64_t mask = (1ull << bits) - 1;

    for (uint64_t i = 0; i < probe_count(bits); i++) {
        *bucket = buckets + ((hash + i) & mask) * 8;
        if (hier_load(h, *bucket) <= HIER_TOMB)
            return 0;
    }
    return -TWZ_EFULL;
}

static int copy_buckets(struct hier *h, uint64_t to, uint32_t to_bits, uint64_t from,
                        uint32_t from_bits)
{
    for (uint64_t i = 0; i < 1ull << from_bits; i++) {
        uint64_t value = hier_load(h, from + i * 8);
        uint64_t bucket;
        int err;

        if (value == 0 || value == HIER_TOMB)
            continue;
        err = find_free_bucket(h, to, to_bits, HIER_BUCKET_HASH(value), &bucket);
        if (err < 0)
            return err;
        twz_persist_store64(hier_word(h, bucket), value);
    }
    return 0;
}

/* Build a table for twice the names there are and publish it; the old one becomes a free chunk. The
 * names are counted, since an adversary may have stored `count`. */
static int replace_table(struct hier *h, uint64_t old_buckets, uint32_t old_bits)
{
    uint64_t live = live_count(h, old_buckets, old_bits);
    uint32_t bits = TABLE_BITS_MIN, cells;
    uint64_t off;
    int err;

    while ((1ull << bits) < 2 * (live + 1))
        bits++;
    cells = 1 + (uint32_t)((8ull << bits) / HIER_CELL);
    err = hier_chunk_alloc(h, cells, &off);
    if (err < 0)
        return err;
    twz_persist_zero(h->start + off + HIER_CELL, 8ull << bits);
    err = copy_buckets(h, off + HIER_CELL, bits, old_buckets, old_bits);
    if (err < 0) {
        hier_chunk_free(h, off);
        return err;
    }
    twz_persist_store64(hier_word(h, off), HIER_CHUNK(HIER_CHUNK_TABLE, cells));
    twz_persist_flush(h->start + off, (uint64_t)cells * HIER_CELL);
    twz_persist_fence(); /* the table, before the header names it */
    twz_persist_commit64(&h->dir->table, HIER_TABLE(off, bits)); /* COMMIT: the new table */
    hier_chunk_free(h, old_buckets - HIER_CELL);
    hier_store32(&h->dir->count, (uint32_t)live);
    hier_store32(&h->dir->used, (uint32_t)live);
    return 0;
}

/* Make sure that the table has a free bucket for one more name. */
static int reserve_bucket(struct hier *h)
{
    uint64_t buckets;
    uint32_t bits;
    int err = hier_table_get(h, &buckets, &bits);

    if (err < 0)
        return err;
    if (buckets + (8ull << bits) > h->dir->bump)
        return -TWZ_EDAMAGED;
    if ((h->dir->used + 1ull) * 4 <= (3ull << bits))
        return 0;
    return replace_table(h, buckets, bits);
}

static int find_bucket_for(const struct hier *h, uint32_t hash, uint64_t *bucket)
{
    uint64_t buckets;
    uint32_t bits;
    int err = hier_table_get(h, &buckets, &bits);

    if (err >= 0)
        err = find_free_bucket(h, buckets, bits, hash, bucket);
    return err < 0 ? err : hier_bucket_check(h, *bucket);
}

int hier_reserve_entry(struct hier *h, const struct hier_new_entry *entry, uint64_t *chunk,
                       uint64_t *bucket)
{
    int err = reserve_bucket(h);

    if (err >= 0)
        err = hier_chunk_alloc(h, hier_cells(entry), chunk);
    return err < 0 ? err : find_bucket_for(h, entry->hash, bucket);
}
