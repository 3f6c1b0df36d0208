/* SPDX-License-Identifier: MIT */
/*
 * ID -> row by linear hashing. There are at least as many buckets as objects. Adding an object when
 * both numbers are equal splits one bucket in two, the next in turn. A call therefore moves the
 * rows of one bucket at most, and memory grows part by part. A bucket is a list through
 * row.index_next.
 *
 * Let `low` be the largest power of two up to the number of buckets. A hash belongs to bucket
 * hash % (2 * low) if this bucket exists, else to hash % low, which is split into it later.
 */
#include <store/inside.h>

static uint32_t *bucket_at(const struct store *store, uint32_t number)
{
    return parts_at(&store->index, (size_t)number * sizeof(uint32_t));
}

static uint32_t *bucket_for(const struct store *store, objid_t id)
{
    uint32_t hash = objid_hash(id);
    uint32_t number = hash & (store->index_low * 2 - 1);

    return bucket_at(store, number < store->index_buckets ? number : hash & (store->index_low - 1));
}

int index_reserve(struct store *store)
{
    size_t offset = (size_t)store->index_buckets * sizeof(uint32_t);
    int err = env_alloc_part(store, &store->index, offset);

    if (err == 0 && !store->index_buckets)
        store->index_buckets = store->index_low = 1;
    return err;
}

bool index_find(const struct store *store, objid_t id, struct cursor *found)
{
    if (!store->index_buckets)
        return false;
    for (uint32_t at = *bucket_for(store, id); at; at = found->row->index_next) {
        cursor_set(found, store, at - 1);
        if (objid_equal(found->entry->id, id))
            return true;
    }
    return false;
}

static void push_row(const struct cursor *cursor)
{
    uint32_t *bucket = bucket_for(cursor->store, cursor->entry->id);

    cursor->row->index_next = *bucket;
    *bucket = cursor->number + 1;
}

/* Add a bucket and distribute the rows of the one it splits. */
static void split_bucket(struct store *store)
{
    uint32_t *from = bucket_at(store, store->index_buckets - store->index_low);
    uint32_t at = *from, next;
    struct cursor cursor;

    *from = 0;
    store->index_buckets++;
    for (; at; at = next) {
        cursor_set(&cursor, store, at - 1);
        next = cursor.row->index_next;
        push_row(&cursor);
    }
    if (store->index_buckets == store->index_low * 2)
        store->index_low *= 2;
}

void index_add(struct store *store, const struct cursor *cursor)
{
    push_row(cursor);
    cursor->row->flags |= ROW_INDEXED;
    if (++store->index_used > store->index_buckets)
        split_bucket(store);
}

void index_remove(struct store *store, const struct cursor *cursor)
{
    struct row *row = cursor->row;
    uint32_t *link;

    if (!(row->flags & ROW_INDEXED))
        return;
    link = bucket_for(store, cursor->entry->id);
    while (*link != cursor->number + 1)
        link = &table_row(store, *link - 1)->index_next;
    *link = row->index_next;
    row->index_next = 0;
    row->flags &= (uint8_t)~ROW_INDEXED;
    store->index_used--;
}
