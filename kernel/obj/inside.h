/* SPDX-License-Identifier: MIT */
/* Shared by the files of obj/. "_locked": the caller must hold the object table's lock. */
#ifndef OBJ_INSIDE_H
#define OBJ_INSIDE_H

#include <kernel/object.h>
#include <kernel/pool.h>

/* --- the object table (table.c) --------------------------------------------------------------- */

/*
 * Two kinds of locks:
 *   - The table is in shards by ID, each with a lock. "_locked" in this section: the caller must
 *     hold the lock of the ID's shard.
 *   - The relations of objects (ties, pins, existence references, the begin and the end of a
 *     migration) are under one lock, the table's lock. It is held for one step of a relation.
 *
 * Lock order: table -> shard -> object -> pool.
 */
extern struct spinlock table_spinlock;

static inline void table_lock(void)
{
    spin_lock(&table_spinlock);
}

static inline void table_unlock(void)
{
    spin_unlock(&table_spinlock);
}

void shard_lock(objid_t id);
void shard_unlock(objid_t id);

/* Finds an in-core object by ID. Takes no reference. Returns NULL if there is none. */
struct object *table_find_locked(objid_t id);

void table_insert_locked(struct object *obj);
void table_remove_locked(struct object *obj);

/* Caches a persistent object whose last reference was dropped. If the shard's cache is full, this
 * evicts another object, removes it from the table and returns it; otherwise it returns NULL. The
 * caller must pass an evicted object to incore_free with no lock held. */
struct object *table_cache_locked(struct object *obj);

/* Removes an object from the cache, because it gets a reference or is freed. */
void table_uncache_locked(struct object *obj);

/* Returns true if an evicted object of that ID is not flushed yet. After the flush, incore_free
 * must call table_end_eviction, which takes the shard's lock. */
bool table_is_evicting_locked(objid_t id);
void table_end_eviction(struct object *obj);

/*
 * Marks the in-core object of a row deleted. Takes the locks. Returns false if there is none. If
 * the object was cached, this removes it from the table, and the caller must pass *cached to
 * incore_free; otherwise *used is the object, with a reference. The other pointer is NULL.
 */
bool table_delete_row(objid_t id, uint32_t row, struct object **cached, struct object **used);

/* Calls act for each persistent in-core object in `count` chains from `first` on, under the lock of
 * its shard. act may take the object's lock. Returns false if these were the last chains. */
bool table_visit_stored(uint32_t first, uint32_t count, void (*act)(struct object *obj, void *ctx),
                        void *ctx);

/* Marks an object deleted, so that look-ups fail. Returns true if it was not marked before. Takes
 * no lock. */
bool obj_mark_deleted(struct object *obj);

/* --- in-core objects (incore.c) --------------------------------------------------------------- */

/* Returns a blank in-core object with one reference, in no table. Returns NULL if there is no
 * memory. */
struct object *incore_alloc(void);

/* Frees an in-core object that was in no table and has nothing. */
void incore_discard(struct object *obj);

/* Frees an in-core object with its pages, and with its row if it is deleted. The object must have
 * no reference and must be in no table. Long. */
void incore_free(struct object *obj);

/* Frees the row and the frames of a deleted object in the store. Long. */
int row_release(uint32_t row);

/* --- ties (tie.c) ----------------------------------------------------------------------------- */

/* Makes child a volatile child of parent, with a reference on parent. child must have no parent. */
void tie_link_locked(struct object *child, struct object *parent);

/* Unties a volatile child. Returns its parent, or NULL if it has none. The caller must drop the
 * reference on the parent with no lock held. An object whose last reference was dropped
 * must be untied in the critical section that removes it from the table. */
struct object *tie_cut_locked(struct object *child);

/* --- write-back (flush.c) --------------------------------------------------------------------- */

/* Must be called when an object gets mode PERIODIC. Starts the periodic write-back. Takes a timer
 * heap's lock; the caller may hold any other lock. */
void flush_watch(void);

#endif
