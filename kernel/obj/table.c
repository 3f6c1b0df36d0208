/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of in-core objects, which finds each by ID, and a persistent one also by row. It
 * also owns the LRU list of cached objects: persistent objects without a reference, retained so
 * that their next use finds the page tables. References are explained in incore.c.
 *
 * Lock order: table -> object -> pool. A caller must hold no object's lock when it takes the
 * table's.
 */
#include <kernel/page.h>
#include "inside.h"

#define BUCKETS    4096u
#define CACHED_MAX 1024u

struct spinlock table_spinlock;
static struct object *by_id[BUCKETS];
static struct object *by_row[BUCKETS];
static struct list lru; /* the cached objects, least recently used first */
static unsigned ncached;
static struct list evicting;

static struct object **hash_chain_of(objid_t id)
{
    return &by_id[objid_hash(id) % BUCKETS];
}

struct object *table_find_locked(objid_t id)
{
    struct object *obj = *hash_chain_of(id);

    while (obj && !objid_equal(obj->id, id))
        obj = obj->hash_next;
    return obj;
}

struct object *table_find_row_locked(uint32_t row)
{
    struct object *obj = by_row[row % BUCKETS];

    while (obj && obj->row != row)
        obj = obj->row_next;
    return obj;
}

void table_insert_locked(struct object *obj)
{
    struct object **head = hash_chain_of(obj->id);

    obj->hash_next = *head;
    *head = obj;
    if (obj_is_persistent(obj))
        table_insert_row_locked(obj);
}

void table_insert_row_locked(struct object *obj)
{
    struct object **head = &by_row[obj->row % BUCKETS];

    obj->row_next = *head;
    *head = obj;
}

void table_remove_row_locked(struct object *obj)
{
    struct object **at = &by_row[obj->row % BUCKETS];

    while (*at != obj)
        at = &(*at)->row_next;
    *at = obj->row_next;
}

void table_remove_locked(struct object *obj)
{
    struct object **at = hash_chain_of(obj->id);

    while (*at != obj)
        at = &(*at)->hash_next;
    *at = obj->hash_next;
    if (obj_is_persistent(obj))
        table_remove_row_locked(obj);
}

void table_uncache_locked(struct object *obj)
{
    list_remove(&lru, &obj->lru_link);
    obj->cached = false;
    ncached--;
}

struct object *table_cache_locked(struct object *obj)
{
    struct object *old = NULL;

    if (ncached >= CACHED_MAX) {
        old = LIST_FIRST(&lru, struct object, lru_link);
        table_uncache_locked(old);
        table_remove_locked(old);
        old->evicting = true;
        list_add_last(&evicting, &old->lru_link);
    }
    list_add_last(&lru, &obj->lru_link);
    obj->cached = true;
    ncached++;
    return old;
}

void table_end_eviction(struct object *obj)
{
    table_lock();
    list_remove(&evicting, &obj->lru_link);
    table_unlock();
}

bool table_is_evicting_locked(objid_t id)
{
    struct list_node *node = evicting.first;

    while (node && !objid_equal(LIST_ITEM(node, struct object, lru_link)->id, id))
        node = node->next;
    return node != NULL;
}

struct object *table_delete_row_locked(uint32_t row, bool *known)
{
    struct object *obj = table_find_row_locked(row);

    *known = obj != NULL;
    if (!obj)
        return NULL;
    obj_mark_deleted(obj);
    if (!obj->cached)
        return NULL;
    table_uncache_locked(obj);
    table_remove_locked(obj);
    return obj;
}

bool table_visit_stored(uint32_t first, uint32_t count, void (*act)(struct object *obj, void *ctx),
                        void *ctx)
{
    uint32_t i;

    table_lock();
    for (i = first; i < BUCKETS && i - first < count; i++) {
        struct object *obj;

        for (obj = by_row[i]; obj; obj = obj->row_next)
            act(obj, ctx);
    }
    table_unlock();
    return i < BUCKETS;
}

bool obj_mark_deleted(struct object *obj)
{
    uint32_t old = __atomic_fetch_or(&obj->flags, TWZ_OBJ_DELETED, __ATOMIC_ACQ_REL);

    return (old & TWZ_OBJ_DELETED) == 0;
}
