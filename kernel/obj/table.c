/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of in-core objects, which finds each by ID. It is in shards, each with a lock of
 * its own, so cores that use different objects seldom meet. A shard also owns an LRU list of cached
 * objects: persistent objects without a reference, retained so that their next use finds the page
 * tables. References are explained in incore.c.
 *
 * Lock order: table -> shard -> object -> pool. Two shards are never locked together. A caller must
 * hold no object's lock when it takes a shard's.
 */
#include <kernel/page.h>
#include "inside.h"

#define SHARDS     64u
#define CHAINS     (TABLE_CHAINS / SHARDS)
#define CACHED_MAX 16u /* of a shard */

struct shard {
    struct spinlock lock;
    unsigned ncached;
    struct list lru; /* the cached objects, least recently used first */
    struct object *chain[CHAINS];
};

SHARED_LOCK struct spinlock table_spinlock;
static struct shard shards[SHARDS];

static struct shard *shard_of(objid_t id)
{
    return &shards[objid_hash(id) % SHARDS];
}

static struct object **chain_of(objid_t id)
{
    return &shard_of(id)->chain[objid_hash(id) / SHARDS % CHAINS];
}

void shard_lock(objid_t id)
{
    spin_lock(&shard_of(id)->lock);
}

void shard_unlock(objid_t id)
{
    spin_unlock(&shard_of(id)->lock);
}

struct object *table_find_locked(objid_t id)
{
    struct object *obj = *chain_of(id);

    while (obj && !objid_equal(obj->id, id))
        obj = obj->hash_next;
    return obj;
}

void table_insert_locked(struct object *obj)
{
    struct object **head = chain_of(obj->id);

    obj->hash_next = *head;
    *head = obj;
}

void table_remove_locked(struct object *obj)
{
    struct object **at = chain_of(obj->id);

    while (*at != obj)
        at = &(*at)->hash_next;
    *at = obj->hash_next;
}

void table_uncache_locked(struct object *obj)
{
    struct shard *shard = shard_of(obj->id);

    list_remove(&shard->lru, &obj->lru_link);
    obj->cached = false;
    shard->ncached--;
}

void table_cache_locked(struct object *obj)
{
    struct shard *shard = shard_of(obj->id);

    list_add_last(&shard->lru, &obj->lru_link);
    obj->cached = true;
    shard->ncached++;
}

struct object *table_uncache_oldest_locked(objid_t id)
{
    struct shard *shard = shard_of(id);
    struct object *old = NULL;

    if (shard->ncached > CACHED_MAX)
        old = LIST_FIRST(&shard->lru, struct object, lru_link);
    if (old)
        table_uncache_locked(old);
    return old;
}

struct object *table_delete_row(objid_t id, uint32_t row, bool *used)
{
    struct object *obj;

    shard_lock(id);
    obj = table_find_locked(id);
    if (obj && obj->creating)
        obj->row = row; /* committed, but its creator has not come to end_creation */
    if (obj && obj->row != row)
        obj = NULL;
    *used = obj && !obj->cached;
    if (obj) {
        obj_mark_deleted(obj);
        if (*used) {
            obj_ref(obj);
        } else {
            table_uncache_locked(obj);
            table_remove_locked(obj);
        }
    }
    shard_unlock(id);
    return obj;
}

static void visit_chain(uint32_t number, void (*act)(struct object *obj, void *ctx), void *ctx)
{
    struct shard *shard = &shards[number / CHAINS];
    struct object *obj;

    spin_lock(&shard->lock);
    for (obj = shard->chain[number % CHAINS]; obj; obj = obj->hash_next)
        if (obj_is_persistent(obj))
            act(obj, ctx);
    spin_unlock(&shard->lock);
}

void table_visit_stored(void (*act)(struct object *obj, void *ctx), void *ctx)
{
    for (uint32_t i = 0; i < TABLE_CHAINS; i++)
        visit_chain(i, act, ctx);
}

#define CHAIN_COST  40u /* estimated instructions of a chain */
#define OBJECT_COST 10u /* of an object that is skipped */
#define GET_COST    500u

/* Returns a reference on the first object from `obj` on in its chain, or NULL; if `stored`, on the
 * first persistent one. It skips objects in creation, which map nothing, and may be freed without a
 * look at their references. The caller must hold the lock of the shard. */
static struct object *get_next_locked(struct object *obj, bool stored, uint32_t *cost)
{
    for (; obj && ((stored && !obj_is_persistent(obj)) || obj->creating); obj = obj->hash_next)
        *cost += OBJECT_COST;
    if (!obj)
        return NULL;
    if (obj->cached)
        table_uncache_locked(obj);
    obj_ref(obj);
    *cost += GET_COST;
    return obj;
}

static struct object *next_object(uint32_t *chain, const struct object *before, bool stored,
                                  uint32_t *budget)
{
    struct object *obj = NULL;

    while (!obj && *chain<TABLE_CHAINS && * budget> 0) {
        struct shard *shard = &shards[*chain / CHAINS];
        uint32_t cost = CHAIN_COST;

        spin_lock(&shard->lock);
        obj = before ? before->hash_next : shard->chain[*chain % CHAINS];
        obj = get_next_locked(obj, stored, &cost);
        spin_unlock(&shard->lock);
        before = NULL;
        *chain += obj ? 0 : 1;
        *budget -= cost < *budget ? cost : *budget;
    }
    return obj;
}

struct object *table_next_stored(uint32_t *chain, const struct object *before, uint32_t *budget)
{
    return next_object(chain, before, true, budget);
}

struct object *table_next(uint32_t *chain, const struct object *before, uint32_t *budget)
{
    return next_object(chain, before, false, budget);
}

bool obj_mark_deleted(struct object *obj)
{
    uint32_t old = __atomic_fetch_or(&obj->flags, TWZ_OBJ_DELETED, __ATOMIC_ACQ_REL);

    return (old & TWZ_OBJ_DELETED) == 0;
}
