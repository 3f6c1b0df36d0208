/* SPDX-License-Identifier: MIT */
/* Shared by the files of obj/ only. */
#ifndef OBJ_INSIDE_H
#define OBJ_INSIDE_H

#include <kernel/object.h>
#include <kernel/pool.h>

#define SCAN_BATCH 8192u /* pages looked at in one go */

/* Object table (table.c). One lock; taken before the pool's, never with an object's lock held. */
void table_lock(void);
void table_unlock(void);
struct object *table_find_locked(objid_t id);
struct object *table_find_row_locked(uint32_t row);
void table_insert_locked(struct object *obj);
void table_remove_locked(struct object *obj);
/* An object that is in the table by ID gets or loses its store row. */
void table_insert_row_locked(struct object *obj);
void table_remove_row_locked(struct object *obj);
/* The object of that store row is dead: its record too, if it is *known. Returns the record where
 * nobody uses it, already out of the table: the caller frees it when it holds no lock. */
struct object *table_delete_row_locked(uint32_t row, bool *known);

/* Calls act for the persistent records in `count` buckets from `first` on, under the table's lock.
 * False: that was the last bucket. */
bool table_each_stored(uint32_t first, uint32_t count, void (*act)(struct object *obj, void *ctx),
                       void *ctx);

/* Write-back unasked (flush.c). */
void flush_watch(void); /* there is an object of mode PERIODIC */

/* Persistent objects that nobody uses (table.c). */
struct object *table_cache_locked(struct object *obj);
void table_uncache_locked(struct object *obj);
void table_end_eviction(struct object *obj);
bool table_is_evicting_locked(objid_t id);

/* A blank record; refs 1. NULL: no memory. */
struct object *incore_alloc(void);
/* Takes as long as the object has pages, and breathes: no lock may be held. */
void incore_free(struct object *obj);
/* Frees the space of a dead object that has no record; breathes. */
int row_release(uint32_t row);

/* A volatile object's existence reference goes, once. No lock held. */
void obj_drop_existence(struct object *obj);

/* Marks obj dead for look-ups; true: it was alive. Any lock may be held. */
bool obj_mark_deleted(struct object *obj);

/* The death of a parent reaches its volatile children. No lock held. */
void tie_parent_died(struct object *parent);
/* child leaves its parent's list; the parent, whose reference the caller drops afterwards, or
 * NULL. A record whose last reference is gone must leave in the same hold of the table's lock. */
struct object *tie_cut_locked(struct object *child);
void tie_link_locked(struct object *child, struct object *parent);

#endif
