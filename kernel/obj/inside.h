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
 *   - The relations of objects (ties, existence references, the begin and the end of a
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

/* Caches a persistent object whose last reference was dropped. */
void table_cache_locked(struct object *obj);

/* If the cache of the ID's shard is too large, removes the least recently used object from it, and
 * returns that object, which is still in the table; otherwise returns NULL. */
struct object *table_uncache_oldest_locked(objid_t id);

/* Removes an object from the cache, because it gets a reference or is freed. */
void table_uncache_locked(struct object *obj);

/* Marks the in-core object of a row deleted, and returns it, or NULL if there is none. Takes the
 * shard's lock. An object that is in use gets a reference, and *used is true. A cached one is
 * removed from the table; the caller must pass it to incore_free. */
struct object *table_delete_row(objid_t id, uint32_t row, bool *used);

#define TABLE_CHAINS 4096u

/* Calls act for each persistent in-core object, under the lock of its shard. act may take the
 * object's lock. */
void table_visit_stored(void (*act)(struct object *obj, void *ctx), void *ctx);

/* Returns a reference on the persistent in-core object after `before`, which is referenced and in
 * chain *chain, or on the first one from that chain on if before is NULL. Moves *chain to the
 * object's. NULL: there is none, and *chain is TABLE_CHAINS, or *budget (instructions) is spent.
 * Takes the locks of shards. */
struct object *table_next_stored(uint32_t *chain, const struct object *before, uint32_t *budget);

/* The same with volatile objects among them. */
struct object *table_next(uint32_t *chain, const struct object *before, uint32_t *budget);

/* Marks an object deleted, so that look-ups fail. Returns true if it was not marked before. Takes
 * no lock. */
bool obj_mark_deleted(struct object *obj);

/* --- in-core objects (incore.c) --------------------------------------------------------------- */

/* Returns a blank in-core object with one reference, in no table. Returns NULL if there is no
 * memory. */
struct object *incore_alloc(void);

/* The kernel memory that an in-core object is charged. */
#define INCORE_BYTES sizeof(struct object)

/* Sets the account that pays for a new in-core object, which is charged for it already. */
void incore_set_payer(struct object *obj, struct account *payer);

/* Locked (obj->tree.lock). Lets another account pay for an object: for the in-core object, and for
 * pages from now on. */
void incore_move_payer(struct object *obj, struct account *payer);

/* Frees an in-core object that was in no table and has nothing. */
void incore_discard(struct object *obj);

/* The running thread then owes the destruction of an in-core object, with its pages, and with its
 * row if it is deleted. The object must have no reference and must be in no table. */
void incore_free(struct object *obj);

/* Does one batch of the release of a deleted object's row and frames in the store. Returns 1 if the
 * caller must call again, else 0 or an error. At the end the payer is not charged any more. */
int row_release_some(uint32_t row, struct account *payer);

/* The same as deferred work. The memory is allocated ahead, because nothing may fail after the
 * commit of the deletion; NULL: there is none. It is then dropped, or the work is started. */
struct row_release *row_release_prepare(uint32_t row, struct account *payer);
void row_release_drop(struct row_release *r);
void row_release_start(struct row_release *r);

/* --- pins (pin.c) ----------------------------------------------------------------------------- */

/* Removes all pins of a deleted object. The caller must hold a reference and no lock. */
void pins_drop(struct object *obj);

/* --- ties (tie.c) ----------------------------------------------------------------------------- */

/* Makes child a volatile child of parent, with a reference on parent. child must have no parent. */
void tie_link_locked(struct object *child, struct object *parent);

/* Unties a volatile child. Returns its parent, or NULL if it has none. The caller must drop the
 * reference on the parent with no lock held. An object whose last reference was dropped
 * must be untied in the critical section that removes it from the table. */
struct object *tie_cut_locked(struct object *child);

/* --- write-back (flush.c) --------------------------------------------------------------------- */

/* Ends the periodic write-back of an object, if it is watched. Takes the lock of flush.c. */
void flush_unwatch(struct object *obj);

#endif
