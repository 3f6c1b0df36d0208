/* SPDX-License-Identifier: MIT */
/* Shared by the files of obj/. "_locked": the caller must hold the object table's lock. */
#ifndef OBJ_INSIDE_H
#define OBJ_INSIDE_H

#include <kernel/object.h>
#include <kernel/pool.h>

/* --- the object table (table.c) --------------------------------------------------------------- */

/* The table's lock must be taken before any object's lock and before the pool's. The functions are
 * inline, because each look-up and each last reference takes the lock. */
extern struct spinlock table_spinlock;

static inline void table_lock(void)
{
    spin_lock(&table_spinlock);
}

static inline void table_unlock(void)
{
    spin_unlock(&table_spinlock);
}

/* Finds an in-core object; no reference is taken. NULL: there is none. */
struct object *table_find_locked(objid_t id);
struct object *table_find_row_locked(uint32_t row);

/* Inserts or removes an object: by ID, and by row if it is persistent. */
void table_insert_locked(struct object *obj);
void table_remove_locked(struct object *obj);

/* The same by row only, for an object that gets or loses its row. */
void table_insert_row_locked(struct object *obj);
void table_remove_row_locked(struct object *obj);

/* Caches a persistent object whose last reference is gone. Returns the object that is evicted for
 * it, already removed, or NULL. The caller must pass that one to incore_free with no lock held. */
struct object *table_cache_locked(struct object *obj);

/* Takes an object out of the cache, for a new reference or to be freed. */
void table_uncache_locked(struct object *obj);

/* True: an evicted object of that ID is not flushed yet. table_end_eviction says that it is, and
 * takes the lock. */
bool table_is_evicting_locked(objid_t id);
void table_end_eviction(struct object *obj);

/* Marks the object of a row deleted, if it is in core (*known). Returns it, already removed, if it
 * was cached. The caller must then pass it to incore_free with no lock held. */
struct object *table_delete_row_locked(uint32_t row, bool *known);

/* Calls act, under the table's lock, for the persistent objects of `count` buckets from `first` on.
 * act may take the object's lock. False: those were the last buckets. Takes the lock. */
bool table_visit_stored(uint32_t first, uint32_t count, void (*act)(struct object *obj, void *ctx),
                        void *ctx);

/* Marks an object deleted, so that look-ups fail. True: it was not marked before. Takes no lock. */
bool obj_mark_deleted(struct object *obj);

/* --- in-core objects (incore.c) --------------------------------------------------------------- */

/* A blank in-core object with one reference, in no table. NULL: no memory. */
struct object *incore_alloc(void);

/* Frees an in-core object that has no reference and is in no table, with its pages, and with its
 * row if it is deleted. Long. */
void incore_free(struct object *obj);

/* Frees the row and the frames of a deleted object in the store. Long. */
int row_release(uint32_t row);

/* --- ties (tie.c) ----------------------------------------------------------------------------- */

/* Makes child, which must have no parent, a volatile child of parent; references parent. */
void tie_link_locked(struct object *child, struct object *parent);

/* Unties a volatile child. Returns its parent, or NULL; the caller must drop the reference on the
 * parent with no lock held. An object whose last reference is gone must be untied in the critical
 * section that removes it from the table. */
struct object *tie_cut_locked(struct object *child);

/* --- write-back (flush.c) --------------------------------------------------------------------- */

/* Starts the periodic write-back, because an object has mode PERIODIC. Takes a timer heap's lock;
 * the caller may hold any other. */
void flush_watch(void);

#endif
