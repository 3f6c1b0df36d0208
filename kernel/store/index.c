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

static uint32_t *bucket(const struct store *store, uint32_t number)
{
    return &store->index[number / INDEX_SEGMENT][number % INDEX_SEGMENT];
}

static uint32_t *bucket_of(const struct store *store, objid_t id)
{
    uint32_t hash = objid_hash(id);
    uint32_t number = hash & (store->index_low * 2 - 1);

    return bucket(store, number < store->index_buckets ? number : hash & (store->index_low - 1));
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

uint32_t index_find(const struct store *store, objid_t id)
{
    uint32_t at;

    if (!store->index_buckets)
        return STORE_NO_ROW;
    for (at = *bucket_of(store, id); at; at = row_of(store, at - 1)->index_next) {
        if (objid_equal(entry_of(store, at - 1)->id, id))
            return at - 1;
    }
    return STORE_NO_ROW;
}

static void push(struct store *store, uint32_t *head, uint32_t row)
{
    row_of(store, row)->index_next = *head;
    *head = row + 1;
}

/* One bucket more: the rows of the one it comes from are dealt out anew. */
static void split(struct store *store)
{
    uint32_t *from = bucket(store, store->index_buckets - store->index_low);
    uint32_t at = *from, next;

    *from = 0;
    store->index_buckets++;
    for (; at; at = next) {
        next = row_of(store, at - 1)->index_next;
        push(store, bucket_of(store, entry_of(store, at - 1)->id), at - 1);
    }
    if (store->index_buckets == store->index_low * 2)
        store->index_low *= 2;
}

void index_add(struct store *store, uint32_t row)
{
    push(store, bucket_of(store, entry_of(store, row)->id), row);
    row_of(store, row)->flags |= ROW_INDEXED;
    if (++store->index_used > store->index_buckets)
        split(store);
}

void index_remove(struct store *store, uint32_t row)
{
    struct row *state = row_of(store, row);
    uint32_t *link;

    if (!(state->flags & ROW_INDEXED))
        return;
    link = bucket_of(store, entry_of(store, row)->id);
    while (*link != row + 1)
        link = &row_of(store, *link - 1)->index_next;
    *link = state->index_next;
    state->index_next = 0;
    state->flags &= (uint8_t)~ROW_INDEXED;
    store->index_used--;
}
