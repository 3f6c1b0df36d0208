/* SPDX-License-Identifier: MIT */
/*
 * ID -> row: linear hashing. There are as many buckets as objects, or more; an object added where
 * they are as many splits one bucket in two, the next in turn. So no call ever moves more than one
 * bucket's rows, and memory is asked for in small pieces. Rows of a bucket are a list through
 * row.index_next.
 *
 * With `buckets` of them and `low` the largest power of two up to that, a hash belongs to bucket
 * hash % (2 * low) if there is such a one, else to hash % low, which will be split into it.
 */
#include <store/inside.h>

static uint32_t *bucket_at(const struct store *store, uint32_t number)
{
    return &store->index[number / INDEX_SEGMENT][number % INDEX_SEGMENT];
}

static uint32_t *bucket_of_id(const struct store *store, objid_t id)
{
    uint32_t hash = objid_hash(id);
    uint32_t number = hash & (store->index_low * 2 - 1);

    return bucket_at(store, number < store->index_buckets ? number : hash & (store->index_low - 1));
}

int index_reserve(struct store *store)
{
    uint32_t **segment = &store->index[store->index_buckets / INDEX_SEGMENT];

    if (!*segment)
        *segment = env_alloc(store, INDEX_SEGMENT * sizeof(**segment));
    if (!*segment)
        return -TWZ_ENOMEM;
    if (!store->index_buckets)
        store->index_buckets = store->index_low = 1;
    return 0;
}

bool index_find(const struct store *store, objid_t id, struct cursor *found)
{
    if (!store->index_buckets)
        return false;
    for (uint32_t at = *bucket_of_id(store, id); at; at = found->row->index_next) {
        cursor_set(found, store, at - 1);
        if (objid_equal(found->entry->id, id))
            return true;
    }
    return false;
}

static void push_row(const struct cursor *cursor)
{
    uint32_t *bucket = bucket_of_id(cursor->store, cursor->entry->id);

    cursor->row->index_next = *bucket;
    *bucket = cursor->number + 1;
}

/* One bucket more: the rows of the one it comes from are dealt out anew. */
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
    link = bucket_of_id(store, cursor->entry->id);
    while (*link != cursor->number + 1)
        link = &table_row(store, *link - 1)->index_next;
    *link = row->index_next;
    row->index_next = 0;
    row->flags &= (uint8_t)~ROW_INDEXED;
    store->index_used--;
}
