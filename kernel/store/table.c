/* SPDX-License-Identifier: MIT */
/*
 * The object table: chunks of 8 entries, one frame each, named by the directory.
 *
 * Invariants: directory words are filled in order, so the first chunk that both copies call absent
 * ends the table; a chunk, once there, stays. A row is in free_rows iff its commit word is FREE.
 *
 * Growing: the chunk's frame (8 commit words FREE, all else zero) is durable first.
 * COMMIT: the directory word in either copy: the chunk exists. Recovery completes whichever copy is
 * behind. The fence that a new entry needs anyway before its commit word makes both durable: so no
 * entry of a chunk counts before its chunk does.
 */
#include <lib/crc32c.h>
#include <store/inside.h>

struct row *row_of(const struct store *store, uint32_t row)
{
    uint32_t chunk = row >> STORE_CHUNK_SHIFT;

    return &store->segment[chunk / SEGMENT_CHUNKS]
                ->chunk[chunk % SEGMENT_CHUNKS]
                .row[row % STORE_CHUNK_ENTRIES];
}

struct store_entry *entry_of(const struct store *store, uint32_t row)
{
    uint32_t chunk = row >> STORE_CHUNK_SHIFT;
    uint32_t frame = store->segment[chunk / SEGMENT_CHUNKS]->chunk[chunk % SEGMENT_CHUNKS].frame;
    struct store_entry *entries = store_frame_ptr(store, frame);

    return &entries[row % STORE_CHUNK_ENTRIES];
}

const struct store_version *version_of(const struct store_entry *entry)
{
    return &entry->version[STORE_COMMIT_SEQ(entry->commit) & 1u];
}

uint32_t entry_crc(objid_t id, const struct store_identity *identity,
                   const struct store_version *version)
{
    uint32_t crc = crc32c(0, &id, sizeof(id));

    crc = crc32c(crc, identity, sizeof(*identity));
    return crc32c(crc, version, sizeof(*version));
}

int row_usable(const struct store *store, uint32_t row)
{
    const struct row *state;

    if (row >= store->chunks * STORE_CHUNK_ENTRIES)
        return -TWZ_EINVAL;
    state = row_of(store, row);
    if (state->state == STORE_FREE)
        return -TWZ_ENOOBJ;
    if (state->flags & ROW_DAMAGED)
        return -TWZ_EDAMAGED;
    return state->state == STORE_DEAD ? -TWZ_EDELETED : 0;
}

void table_report(const struct store *store, uint32_t row, const void *at, uint64_t found,
                  uint64_t wanted, const char *what)
{
    struct store_report report = { .row = row,
                                   .object = entry_of(store, row)->id,
                                   .found = found,
                                   .wanted = wanted,
                                   .what = what };

    env_report(store, &report, at);
}

uint64_t *table_dir_word(const struct store *store, uint32_t copy, uint32_t chunk)
{
    uint64_t *words = store_frame_ptr(store, (uint32_t)store->super.dir[copy]);

    return &words[chunk];
}

int table_reserve(struct store *store, uint32_t chunk)
{
    struct segment **segment = &store->segment[chunk / SEGMENT_CHUNKS];

    if (!*segment)
        *segment = env_alloc(store, sizeof(**segment));
    return *segment ? 0 : -TWZ_ENOMEM;
}

void table_grow(struct store *store)
{
    uint32_t chunk = store->chunks;
    uint32_t first = chunk * STORE_CHUNK_ENTRIES;
    uint32_t frame = frame_alloc_zeroed(store);
    struct store_entry *entries = store_frame_ptr(store, frame);
    uint64_t body = word_body(STORE_CHUNK, 0, frame);
    uint64_t word = word_seal(body, store->salt, STORE_LOC_DIR, chunk);

    store->meta++;
    for (uint32_t i = 0; i < STORE_CHUNK_ENTRIES; i++) {
        persist_store64(&entries[i].commit, word_commit(STORE_FREE, 0, 0, store->salt, first + i));
        persist_flush(&entries[i].commit, sizeof(uint64_t));
    }
    persist_fence(); /* the chunk's content, before anything leads to it */
    persist_publish64(table_dir_word(store, 0, chunk), word); /* COMMIT: the chunk exists */
    persist_publish64(table_dir_word(store, 1, chunk), word); /* COMMIT: the same, in the mirror */
    store->segment[chunk / SEGMENT_CHUNKS]->chunk[chunk % SEGMENT_CHUNKS].frame = frame;
    store->chunks++;
    for (uint32_t i = 0; i < STORE_CHUNK_ENTRIES; i++) {
        row_of(store, first + i)->state = STORE_FREE;
        bits_add(&store->free_rows, first + i);
    }
}

void tie_link(struct store *store, uint32_t child, uint32_t parent)
{
    struct row *c = row_of(store, child);
    struct row *p = row_of(store, parent);

    c->tie_prev = 0;
    c->tie_next = p->tie_first;
    if (p->tie_first)
        row_of(store, p->tie_first - 1)->tie_prev = child + 1;
    p->tie_first = child + 1;
    c->flags |= ROW_TIED;
}

void tie_unlink(struct store *store, uint32_t child, uint32_t parent)
{
    struct row *c = row_of(store, child);

    if (!(c->flags & ROW_TIED))
        return;
    if (c->tie_prev)
        row_of(store, c->tie_prev - 1)->tie_next = c->tie_next;
    else
        row_of(store, parent)->tie_first = c->tie_next;
    if (c->tie_next)
        row_of(store, c->tie_next - 1)->tie_prev = c->tie_prev;
    c->tie_next = 0;
    c->tie_prev = 0;
    c->flags &= (uint8_t)~ROW_TIED;
}
