/* SPDX-License-Identifier: MIT */
/*
 * ID -> slot: open addressing with linear probing, at most half full; a removal moves the rest of
 * its run up, so that there are no tombstones. IDs are hashes already; their low half is mixed once
 * more because IDs of sealed objects are chosen by their content's author.
 */
#include <store/inside.h>

#define INDEX_FIRST 64u

static uint32_t home(const struct store *store, objid_t id)
{
    uint64_t mixed = (id.lo ^ (id.hi << 32 | id.hi >> 32)) * 0x9e3779b97f4a7c15ull;

    return (uint32_t)(mixed >> 32) & (store->index_size - 1);
}

static int same(objid_t a, objid_t b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static void put(struct store *store, uint32_t slot)
{
    uint32_t at = home(store, entry_of(store, slot)->id);

    while (store->index[at])
        at = (at + 1) & (store->index_size - 1);
    store->index[at] = slot + 1;
}

int index_reserve(struct store *store)
{
    uint32_t *old = store->index;
    uint32_t old_size = store->index_size;
    uint32_t size = old_size ? old_size * 2 : INDEX_FIRST;
    uint32_t *grown;

    if (old_size && store->index_used < old_size / 2)
        return 0;
    grown = store_alloc(store, size * sizeof(*grown));
    if (!grown)
        return -TWZ_ENOMEM;
    store->index = grown;
    store->index_size = size;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i])
            put(store, old[i] - 1);
    if (old)
        store_free(store, old, old_size * sizeof(*old));
    return 0;
}

uint32_t index_find(const struct store *store, objid_t id)
{
    uint32_t at;

    if (!store->index_size)
        return STORE_NO_SLOT;
    for (at = home(store, id); store->index[at]; at = (at + 1) & (store->index_size - 1))
        if (same(entry_of(store, store->index[at] - 1)->id, id))
            return store->index[at] - 1;
    return STORE_NO_SLOT;
}

void index_add(struct store *store, uint32_t slot)
{
    put(store, slot);
    store->index_used++;
    slot_of(store, slot)->flags |= SLOT_INDEXED;
}

void index_remove(struct store *store, uint32_t slot)
{
    uint32_t mask = store->index_size - 1;
    uint32_t hole = home(store, entry_of(store, slot)->id);

    if (!(slot_of(store, slot)->flags & SLOT_INDEXED))
        return;
    while (store->index[hole] != slot + 1)
        hole = (hole + 1) & mask;
    for (uint32_t at = (hole + 1) & mask; store->index[at]; at = (at + 1) & mask) {
        uint32_t want = home(store, entry_of(store, store->index[at] - 1)->id);

        if (((at - want) & mask) < ((at - hole) & mask))
            continue;
        store->index[hole] = store->index[at];
        hole = at;
    }
    store->index[hole] = 0;
    store->index_used--;
    slot_of(store, slot)->flags &= (uint8_t)~SLOT_INDEXED;
}
