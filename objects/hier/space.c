/* SPDX-License-Identifier: MIT */
/*
 * The inside of a directory: chunks, entries, the table. Reading functions validate whatever they
 * follow and may run without the lock; changing ones want the lock and op = HIER_DIRTY, which makes
 * free lists, counts and bump a matter of hier_rebuild after a crash. Only the order of what
 * hier_rebuild trusts matters here: a chunk's word is durable before bump passes it or a longer
 * chunk is cut, and a table is durable before the header names it.
 */
#include "inside.h"

#define LIST_LOOK 16u /* chunks looked at in the list of long ones */

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

int hier_table_get(const struct hier *h, uint64_t *slots, uint32_t *bits)
{
    uint64_t word = load(&h->dir->table);
    uint64_t off = HIER_TABLE_OFF(word);

    *bits = HIER_TABLE_BITS(word);
    *slots = off + HIER_CELL;
    if (off % HIER_CELL || off < HIER_START || *bits < 5 || *bits > 26 ||
        *slots + (8ull << *bits) > TWZ_OBJ_DATA_TOP)
        return -TWZ_EDAMAGED;
    return 0;
}

static int chunk_get(const struct hier *h, uint64_t off, uint32_t *kind, uint32_t *cells)
{
    uint64_t word;

    if (off % HIER_CELL || off < HIER_START || off > TWZ_OBJ_DATA_TOP - HIER_CELL)
        return -TWZ_EDAMAGED;
    word = load(hier_word(h, off));
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
    int err = chunk_get(h, off, &kind, &cells);

    if (err < 0 || kind != HIER_CHUNK_ENTRY)
        return -TWZ_EDAMAGED;
    e = (const struct hier_entry *)(const void *)(h->start + off);
    if (offsetof(struct hier_entry, bytes) + e->name_len + e->text_len >
        (uint64_t)cells * HIER_CELL)
        return -TWZ_EDAMAGED;
    *entry = e;
    return 0;
}

static int same_name(const struct hier_entry *e, struct hier_name name)
{
    return e->name_len == name.len && __builtin_memcmp(e->bytes, name.text, name.len) == 0;
}

/* Slots that a name of a table may be in, from its hash on. */
static uint64_t probes(uint32_t bits)
{
    return 1ull << bits < HIER_PROBE ? 1ull << bits : HIER_PROBE;
}

int hier_find(const struct hier *h, struct hier_name name, struct hier_place *place)
{
    const struct hier_entry *e;
    uint32_t hash = hier_hash(name);
    uint64_t slots, mask;
    uint32_t bits;
    int err = hier_table_get(h, &slots, &bits);

    if (err < 0)
        return err;
    mask = (1ull << bits) - 1;
    for (uint64_t i = 0; i < probes(bits); i++) {
        uint64_t off = slots + ((hash + i) & mask) * 8;
        uint64_t value = load(hier_word(h, off));

        if (value == 0)
            return -TWZ_ENONAME;
        if (value == HIER_TOMB || HIER_BUCKET_HASH(value) != hash)
            continue;
        err = hier_entry_get(h, HIER_BUCKET_OFF(value), &e);
        if (err < 0)
            return err;
        if (!same_name(e, name))
            continue;
        *place = (struct hier_place){
            .slot = off,
            .value = value,
            .found = { e->id, e->kind, e->text_len, HIER_BUCKET_OFF(value) },
        };
        return 0;
    }
    return -TWZ_ENONAME;
}

int hier_live(const struct hier *h, uint64_t chunk, uint32_t hash)
{
    uint64_t slots, mask;
    uint32_t bits;

    if (hier_table_get(h, &slots, &bits) < 0)
        return 0;
    mask = (1ull << bits) - 1;
    for (uint64_t i = 0; i < probes(bits); i++) {
        uint64_t value = load(hier_word(h, slots + ((hash + i) & mask) * 8));

        if (value == HIER_BUCKET(hash, chunk))
            return 1;
        if (value == 0)
            return 0;
    }
    return 0;
}

int hier_bucket_is_own(const struct hier *h, uint64_t off)
{
    uint64_t slots;
    uint32_t bits;
    int err = hier_table_get(h, &slots, &bits);

    if (err < 0)
        return err;
    if (off < slots || off >= slots + (8ull << bits) || off % 8)
        return -TWZ_EDAMAGED;
    err = twz_touch(hier_word(h, off), 8);
    return err < 0 ? err : 0;
}

static uint64_t live_slots(const struct hier *h, uint64_t slots, uint32_t bits)
{
    uint64_t live = 0;

    for (uint64_t i = 0; i < 1ull << bits; i++)
        live += load(hier_word(h, slots + i * 8)) > HIER_TOMB;
    return live;
}

int hier_is_empty(const struct hier *h)
{
    uint64_t slots;
    uint32_t bits;

    return hier_table_get(h, &slots, &bits) == 0 && live_slots(h, slots, bits) == 0;
}

/* --- chunks -----------------------------------------------------------------------------------
 *
 * Lists and lengths are as good as whoever wrote them: a chunk is taken only where it lies below
 * bump, and nothing is stored to before a twz_touch, since no page need be there. */

/* Half of an aligned word of the header; the lock is held. */
static void put32(uint32_t *half, uint32_t value)
{
    uint64_t *word = (uint64_t *)(void *)((uintptr_t)half & ~(uintptr_t)7);
    uint32_t shift = ((uintptr_t)half & 4) ? 32 : 0;
    uint64_t old = *word & ~((uint64_t)UINT32_MAX << shift);

    twz_persist_store64(word, old | (uint64_t)value << shift);
}

static uint32_t *list_of(const struct hier *h, uint32_t cells)
{
    return &h->dir->free[cells < HIER_LISTS ? cells : 0];
}

/* One that cannot be stored to stays what it is. */
static int chunk_push(struct hier *h, uint64_t off, uint32_t cells)
{
    uint32_t *list = list_of(h, cells);
    uint64_t *word = hier_word(h, off);
    int err = twz_touch(word, 16);

    if (err < 0)
        return err;
    twz_persist_store64(&word[1], *list); /* next; hash of a free chunk means nothing */
    twz_persist_store64(&word[0], HIER_CHUNK(HIER_CHUNK_FREE, cells));
    twz_persist_flush(word, 16);
    put32(list, (uint32_t)off);
    return 0;
}

void hier_chunk_free(struct hier *h, uint64_t off)
{
    uint32_t kind, cells;

    if (chunk_get(h, off, &kind, &cells) == 0)
        (void)!chunk_push(h, off, cells);
}

/* A free chunk of a list, below bump, that can be stored to. */
static int chunk_listed(const struct hier *h, uint64_t off, uint32_t *have)
{
    uint32_t kind;

    return chunk_get(h, off, &kind, have) == 0 && kind == HIER_CHUNK_FREE &&
           off + (uint64_t)*have * HIER_CELL <= h->dir->bump &&
           twz_touch(hier_word(h, off), sizeof(struct hier_entry)) >= 0;
}

/* Take a chunk of at least `cells` out of a list; 0: none. */
static uint64_t list_take(struct hier *h, uint32_t *list, uint32_t cells, uint32_t *have)
{
    uint32_t *link = list;

    for (uint32_t i = 0; i < LIST_LOOK && *link; i++) {
        uint64_t off = *link;
        struct hier_entry *e = (struct hier_entry *)(void *)(h->start + off);

        if (!chunk_listed(h, off, have))
            return 0;
        if (*have >= cells) {
            put32(link, e->next);
            twz_persist_flush(link, sizeof(*link));
            return off;
        }
        link = &e->next;
    }
    return 0;
}

static int chunk_bump(struct hier *h, uint32_t cells, uint64_t *off)
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
    twz_persist_fence(); /* the chunk's word before bump passes it */
    twz_persist_store64(&h->dir->bump, at + (uint64_t)cells * HIER_CELL); /* hier_end flushes it */
    *off = at;
    return 0;
}

/* Cut a chunk of `have` that was taken. Its room is there before anything is stored to it. */
static int chunk_cut(struct hier *h, uint64_t off, uint32_t have, uint32_t cells)
{
    int err = twz_touch(h->start + off, (uint64_t)cells * HIER_CELL);

    if (err < 0 || have == cells)
        return err < 0 ? err : 0;
    err = chunk_push(h, off + (uint64_t)cells * HIER_CELL, have - cells);
    if (err < 0)
        return err;
    twz_persist_fence(); /* the rest's word before the chunk is cut */
    twz_persist_store64(hier_word(h, off), HIER_CHUNK(HIER_CHUNK_FREE, cells));
    return 0; /* whoever fills the chunk flushes it */
}

int hier_chunk_alloc(struct hier *h, uint32_t cells, uint64_t *off)
{
    uint32_t have = 0;
    int err;

    *off = 0;
    if (cells < HIER_LISTS)
        *off = list_take(h, list_of(h, cells), cells, &have);
    if (*off == 0)
        *off = list_take(h, &h->dir->free[0], cells, &have);
    if (*off == 0)
        return chunk_bump(h, cells, off);
    err = chunk_cut(h, *off, have, cells);
    if (err < 0)
        (void)!chunk_push(h, *off, have);
    return err;
}

uint32_t hier_cells(const struct hier_new *entry)
{
    size_t bytes = offsetof(struct hier_entry, bytes) + entry->name.len + entry->text_len;

    return (uint32_t)((bytes + HIER_CELL - 1) / HIER_CELL);
}

/* Flushed, not fenced: whoever commits the slot word fences before. */
void hier_entry_write(struct hier *h, uint64_t off, const struct hier_new *entry)
{
    uint32_t cells = hier_cells(entry);
    uint8_t *to = h->start + off;
    struct hier_entry head = {
        .chunk = HIER_CHUNK(HIER_CHUNK_ENTRY, cells),
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

/* --- the table -------------------------------------------------------------------------------- */

void hier_count_add(struct hier *h, int count, int used)
{
    put32(&h->dir->count, h->dir->count + (uint32_t)count);
    put32(&h->dir->used, h->dir->used + (uint32_t)used);
}

/* The free slot for a hash. -TWZ_EFULL: too many of one hash, or of an enemy's. */
static int slot_free(const struct hier *h, uint64_t slots, uint32_t bits, uint32_t hash,
                     uint64_t *slot)
{
    uint64_t mask = (1ull << bits) - 1;

    for (uint64_t i = 0; i < probes(bits); i++) {
        *slot = slots + ((hash + i) & mask) * 8;
        if (load(hier_word(h, *slot)) <= HIER_TOMB)
            return 0;
    }
    return -TWZ_EFULL;
}

static int table_fill(struct hier *h, uint64_t to, uint32_t to_bits, uint64_t from,
                      uint32_t from_bits)
{
    for (uint64_t i = 0; i < 1ull << from_bits; i++) {
        uint64_t value = load(hier_word(h, from + i * 8));
        uint64_t slot;
        int err;

        if (value == 0 || value == HIER_TOMB)
            continue;
        err = slot_free(h, to, to_bits, HIER_BUCKET_HASH(value), &slot);
        if (err < 0)
            return err;
        twz_persist_store64(hier_word(h, slot), value);
    }
    return 0;
}

/* Another table, for twice the names there are; the old one becomes a free chunk. Names are
 * counted: the header's number may be anything. */
static int table_renew(struct hier *h, uint64_t old_slots, uint32_t old_bits)
{
    uint64_t live = live_slots(h, old_slots, old_bits);
    uint32_t bits = 5, cells;
    uint64_t off;
    int err;

    while ((1ull << bits) < 2 * (live + 1))
        bits++;
    cells = 1 + (uint32_t)((8ull << bits) / HIER_CELL);
    err = hier_chunk_alloc(h, cells, &off);
    if (err < 0)
        return err;
    twz_persist_zero(h->start + off + HIER_CELL, 8ull << bits);
    err = table_fill(h, off + HIER_CELL, bits, old_slots, old_bits);
    if (err < 0) {
        hier_chunk_free(h, off);
        return err;
    }
    twz_persist_store64(hier_word(h, off), HIER_CHUNK(HIER_CHUNK_TABLE, cells));
    twz_persist_flush(h->start + off, (uint64_t)cells * HIER_CELL);
    twz_persist_fence();
    twz_persist_commit64(&h->dir->table, HIER_TABLE(off, bits)); /* COMMIT: the larger table */
    hier_chunk_free(h, old_slots - HIER_CELL);
    put32(&h->dir->count, (uint32_t)live);
    put32(&h->dir->used, (uint32_t)live);
    return 0;
}

int hier_table_room(struct hier *h)
{
    uint64_t slots;
    uint32_t bits;
    int err = hier_table_get(h, &slots, &bits);

    if (err < 0)
        return err;
    if (slots + (8ull << bits) > h->dir->bump)
        return -TWZ_EDAMAGED;
    if ((h->dir->used + 1ull) * 4 <= (3ull << bits))
        return 0;
    return table_renew(h, slots, bits);
}

int hier_bucket_pick(const struct hier *h, uint32_t hash, uint64_t *slot)
{
    uint64_t slots;
    uint32_t bits;
    int err = hier_table_get(h, &slots, &bits);

    if (err >= 0)
        err = slot_free(h, slots, bits, hash, slot);
    return err < 0 ? err : hier_bucket_is_own(h, *slot);
}

/* --- after a crash ---------------------------------------------------------------------------- */

/* The table, whose chunk must be one: not every number is worth looking at so many words. */
static int table_whole(const struct hier *h, uint64_t *slots, uint32_t *bits)
{
    uint32_t kind, cells;
    int err = hier_table_get(h, slots, bits);

    if (err >= 0)
        err = chunk_get(h, *slots - HIER_CELL, &kind, &cells);
    if (err < 0)
        return err;
    return kind == HIER_CHUNK_TABLE && cells == 1 + (8ull << *bits) / HIER_CELL ? 0 : -TWZ_EDAMAGED;
}

static int rebuild_counts(struct hier *h, uint64_t *end)
{
    uint64_t slots;
    uint32_t bits, count = 0, used = 0, kind, cells;
    int err = table_whole(h, &slots, &bits);

    if (err < 0)
        return err;
    *end = h->dir->bump;
    if (slots + (8ull << bits) > *end)
        *end = slots + (8ull << bits);
    for (uint64_t i = 0; i < 1ull << bits; i++) {
        uint64_t value = *hier_word(h, slots + i * 8);
        uint64_t off = HIER_BUCKET_OFF(value);

        used += value != 0;
        if (value <= HIER_TOMB)
            continue;
        err = chunk_get(h, off, &kind, &cells);
        if (err < 0)
            return err;
        count++;
        if (off + (uint64_t)cells * HIER_CELL > *end)
            *end = off + (uint64_t)cells * HIER_CELL;
    }
    put32(&h->dir->count, count);
    put32(&h->dir->used, used);
    /* Stores of a dead process may not be durable: the table, before what it lets go is free; op,
     * which finish_locked flushed, before any chunk changes. */
    twz_persist_flush(&h->dir->table, sizeof(h->dir->table));
    twz_persist(hier_word(h, slots), 8ull << bits);
    return 0;
}

static int chunk_used(const struct hier *h, uint64_t off, uint32_t kind)
{
    const struct hier_entry *e;

    if (kind == HIER_CHUNK_TABLE)
        return off == HIER_TABLE_OFF(h->dir->table);
    return kind == HIER_CHUNK_ENTRY && hier_entry_get(h, off, &e) == 0 &&
           hier_live(h, off, e->hash);
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
        put32(&h->dir->free[i], 0);
    for (uint64_t off = HIER_START; off < end; off += (uint64_t)cells * HIER_CELL) {
        err = chunk_get(h, off, &kind, &cells);
        if (err < 0)
            return err;
        if (!chunk_used(h, off, kind))
            (void)!chunk_push(h, off, cells);
    }
    return 0;
}
