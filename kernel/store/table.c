/* SPDX-License-Identifier: MIT */
/*
 * The object table: chunks of 8 entries, one frame each, to which the directory points.
 *
 * Invariants:
 *   - Directory words are filled in order. The first chunk that is absent in both copies ends the
 *     table. A chunk is never removed.
 *   - A row is in free_rows iff its commit word is FREE, its frames are free (release.c), and it is
 *     no draft (create.c).
 *
 * Growing the table:
 *
 *   step                                     durable before it   after a crash in this step
 *   1 fill the frame of the chunk: 8 commit  -                   the frame is free
 *     words FREE, the rest zero
 *   2 COMMIT: the directory word, in either  the frame           no chunk, or a chunk; recovery
 *     copy; flush, no fence                                      completes the other copy
 *   3 commit an entry of the chunk           both copies of      both exist
 *     (object.c)                             the directory word
 *
 * The fence that step 3 needs for the entry also makes the directory words durable.
 */
#include <lib/crc32c.h>
#include <store/inside.h>

/* The segment of a chunk, or NULL before its table_reserve. */
static struct segment **segment_at(const struct store *store, uint32_t chunk)
{
    return parts_at(&store->segments, (size_t)(chunk / SEGMENT_CHUNKS) * sizeof(struct segment *));
}

static struct chunk *chunk_at(const struct store *store, uint32_t chunk)
{
    return &(*segment_at(store, chunk))->chunk[chunk % SEGMENT_CHUNKS];
}

struct row *table_row(const struct store *store, uint32_t number)
{
    return &chunk_at(store, number >> STORE_CHUNK_SHIFT)->row[number % STORE_CHUNK_ENTRIES];
}

uint32_t table_rows(const struct store *store)
{
    return __atomic_load_n(&store->chunks, __ATOMIC_ACQUIRE) * STORE_CHUNK_ENTRIES;
}

const struct store_version *entry_version(const struct store_entry *entry)
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

const char *entry_unknown(const struct store_identity *identity,
                          const struct store_version *version)
{
    if (version->class_ >= STORE_CLASSES)
        return "object of a later version: class";
    if (version->flags & ~STORE_OBJ_KNOWN)
        return "object of a later version: flags";
    if (identity->kind >= TWZ_KINDS)
        return "object of a later version: kind";
    if (version->persist > TWZ_PERSIST_PERIODIC)
        return "object of a later version: persistence mode";
    if ((identity->perms | version->perms_mask) & ~TWZ_PERMS)
        return "object of a later version: permissions";
    return NULL;
}

void cursor_set(struct cursor *cursor, const struct store *store, uint32_t number)
{
    struct chunk *chunk = chunk_at(store, number >> STORE_CHUNK_SHIFT);
    struct store_entry *entries = env_frame(store, chunk->frame);

    cursor->store = store;
    cursor->row = &chunk->row[number % STORE_CHUNK_ENTRIES];
    cursor->entry = &entries[number % STORE_CHUNK_ENTRIES];
    cursor->number = number;
    cursor->salt = cursor->row->salt;
}

int cursor_usable(const struct cursor *cursor)
{
    if (cursor->row->state == STORE_FREE)
        return cursor->row->flags & ROW_DRAFT ? 0 : -TWZ_ENOOBJ;
    if (cursor->row->flags & ROW_DAMAGED)
        return -TWZ_EDAMAGED;
    return cursor->row->state == STORE_DELETED ? -TWZ_EDELETED : 0;
}

int cursor_open(struct cursor *cursor, const struct store *store, uint32_t number)
{
    if (number >= table_rows(store))
        return -TWZ_EINVAL;
    cursor_set(cursor, store, number);
    return cursor_usable(cursor);
}

int cursor_open_writable(struct cursor *cursor, const struct store *store, uint32_t number)
{
    int err = env_writable(store);

    return err < 0 ? err : cursor_open(cursor, store, number);
}

void cursor_report(const struct cursor *cursor, const void *at, uint64_t found, uint64_t wanted,
                   const char *what)
{
    struct store_report report = { .row = cursor->number,
                                   .object = cursor->entry->id,
                                   .found = found,
                                   .wanted = wanted,
                                   .what = what };

    env_report(cursor->store, &report, at);
}

uint64_t *table_dir_word(const struct store *store, uint32_t copy, uint32_t chunk)
{
    uint64_t *words = env_frame(store, (uint32_t)store->super.dir[copy]);

    return &words[chunk];
}

int table_reserve(struct store *store, uint32_t chunk)
{
    struct segment **segment = segment_at(store, chunk);

    if (!*segment)
        *segment = env_alloc(store, sizeof(**segment));
    return *segment ? 0 : -TWZ_ENOMEM;
}

void table_set_chunk(struct store *store, uint32_t chunk, uint32_t frame)
{
    chunk_at(store, chunk)->frame = frame;
}

int table_open(struct store *store)
{
    uint64_t segments = (store->super.dir_words + SEGMENT_CHUNKS - 1) / SEGMENT_CHUNKS;

    return env_alloc_parts(store, &store->segments, segments * sizeof(struct segment *));
}

void table_close(struct store *store)
{
    struct parts *parts = &store->segments;
    size_t count = parts->part ? parts_count(parts) : 0;

    for (size_t at = 0; count && at < parts->bytes; at += sizeof(struct segment *)) {
        struct segment **segment = parts->part[at >> PARTS_SHIFT] ? parts_at(parts, at) : NULL;

        if (segment)
            env_free(store, *segment, sizeof(**segment));
    }
    env_free_parts(store, parts);
}

void table_grow(struct store *store)
{
    uint32_t chunk = store->chunks;
    uint32_t first = chunk * STORE_CHUNK_ENTRIES;
    uint32_t frame = frame_alloc_zeroed(store, FRAME_META);
    struct store_entry *entries = env_frame(store, frame);
    uint64_t body = word_body(STORE_CHUNK, 0, frame);
    uint64_t word = word_seal(body, store->salt, STORE_LOC_DIR, chunk);

    for (uint32_t i = 0; i < STORE_CHUNK_ENTRIES; i++) {
        persist_store64(&entries[i].commit, word_commit(STORE_FREE, 0, 0, store->salt, first + i));
        persist_flush(&entries[i].commit, sizeof(uint64_t));
    }
    persist_fence(); /* the chunk, before a directory word points to it */
    persist_publish64(table_dir_word(store, 0, chunk), word); /* COMMIT: the chunk exists */
    persist_publish64(table_dir_word(store, 1, chunk), word); /* COMMIT: the mirror */
    persist_fence(); /* both, before another core commits an object in the chunk */
    table_set_chunk(store, chunk, frame);
    /* Pairs with table_rows: the chunk must be set before another core can use its rows. */
    __atomic_store_n(&store->chunks, chunk + 1, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < STORE_CHUNK_ENTRIES; i++) {
        table_row(store, first + i)->state = STORE_FREE;
        bits_add(&store->free_rows, first + i);
    }
}

void tie_link(const struct cursor *child, const struct cursor *parent)
{
    child->row->tie_prev = 0;
    child->row->tie_next = parent->row->tie_first;
    if (parent->row->tie_first)
        table_row(child->store, parent->row->tie_first - 1)->tie_prev = child->number + 1;
    parent->row->tie_first = child->number + 1;
    child->row->flags |= ROW_TIED;
}

void tie_unlink(const struct cursor *child, const struct cursor *parent)
{
    struct row *row = child->row;

    if (!(row->flags & ROW_TIED))
        return;
    if (row->tie_prev)
        table_row(child->store, row->tie_prev - 1)->tie_next = row->tie_next;
    else
        parent->row->tie_first = row->tie_next;
    if (row->tie_next)
        table_row(child->store, row->tie_next - 1)->tie_prev = row->tie_prev;
    row->tie_next = 0;
    row->tie_prev = 0;
    row->flags &= (uint8_t)~ROW_TIED;
}
