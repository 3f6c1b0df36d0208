/* SPDX-License-Identifier: MIT */
#include "inside.h"

/* Returns the index of a ku's entry; count if there is none. */
static uint64_t find_index(const struct kring *ring, objid_t ku)
{
    uint64_t i = 0;

    while (i < ring->count && i < KRING_MAX && !objid_equal(ring->key[i].ku, ku))
        i++;
    return i;
}

const struct kring_key *kring_find(const struct kring *ring, objid_t ku)
{
    uint64_t i = find_index(ring, ku);

    return i < ring->count && i < KRING_MAX ? &ring->key[i] : NULL;
}

int kring_set(struct kring *ring, const struct kring_key *key)
{
    uint64_t i = find_index(ring, key->ku);

    if (!kring_key_is_valid(key))
        return -TWZ_EINVAL;
    if (i >= KRING_MAX)
        return -TWZ_EFULL;
    ring->key[i] = *key;
    if (i == ring->count)
        ring->count++;
    return 0;
}

int kring_remove(struct kring *ring, objid_t ku)
{
    uint64_t i = find_index(ring, ku);

    if (i >= ring->count || i >= KRING_MAX)
        return -TWZ_ENONAME;
    ring->key[i] = ring->key[--ring->count];
    ring->key[ring->count] = (struct kring_key){ 0 };
    return 0;
}

int kring_init(const twzobj *obj, const struct kring *first)
{
    return record_init(obj, &kring_record, first);
}

int kring_read(const twzobj *obj, struct kring *ring)
{
    return record_read_valid(obj, &kring_record, ring);
}

int kring_write(const twzobj *obj, const struct kring *ring)
{
    return record_write(obj, &kring_record, ring);
}
