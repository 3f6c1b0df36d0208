/* SPDX-License-Identifier: MIT */
/*
 * Declarations shared by the files of hier. A struct hier is an open directory whose header was
 * checked. Everything else in the object must be validated when it is read: readers race with
 * changes, and an adversary may have written the object (layout.h, TRUST).
 *
 * Files, each using those before it only: open, space, table, rebuild, intent, lock, read, links,
 * impl, rename, path, name; check and show are for tools.
 */
#ifndef HIER_INSIDE_H
#define HIER_INSIDE_H

#include <hier/hier.h>
#include <twz/persist.h>

#define HIER_DEPTH        65536u         /* parents followed upward, at most */
#define HIER_PROBE        4096u          /* buckets probed for one name; a table at 3/4 needs few */
#define HIER_RETRIES      1000u          /* times that an operation starts over */
#define HIER_LOCK_TIMEOUT 30000000000ull /* ns; the owner of a lock may be an adversary */

struct hier {
    uint8_t *start;
    struct hier_dir *dir;
    objid_t id;
    uint32_t rights;
    uint32_t retries;    /* times that the operation started over */
    objid_t pending_obj; /* with -TWZ_EAGAIN: the object whose links are being changed ... */
    objid_t pending_dir; /* ... by an intent of this directory; 0: just retry */
};

/* An entry to be written. */
struct hier_new_entry {
    struct hier_name name;
    uint32_t hash;
    uint32_t kind;
    objid_t id;
    const char *text;
    size_t text_len;
};

/* The bucket that refers to a name's entry. */
struct hier_bucket {
    uint64_t off;
    uint64_t value;
    struct hier_found found;
};

/* --- open.c: header and names ----------------------------------------------------------------- */

/* Check the header and fill in h. -TWZ_ETYPE, -TWZ_EVERSION, -TWZ_EDAMAGED. */
int hier_attach(const twzobj *obj, struct hier *h);

/* As hier_attach, after hier_name_check. */
int hier_open_name(const twzobj *obj, struct hier_name name, struct hier *h);

/* -TWZ_EINVAL, -TWZ_ENAMELEN. */
int hier_name_check(struct hier_name name);
uint32_t hier_hash(struct hier_name name);

static inline uint64_t *hier_word(const struct hier *h, uint64_t off)
{
    return (uint64_t *)(void *)(h->start + off);
}

static inline uint64_t hier_load(const struct hier *h, uint64_t off)
{
    return __atomic_load_n(hier_word(h, off), __ATOMIC_RELAXED);
}

/* --- space.c: chunks and free lists. From hier_chunk_alloc on, h must be locked and dirty ----- */

/* Load and validate the word of the chunk at `off`. -TWZ_EDAMAGED. */
int hier_chunk_get(const struct hier *h, uint64_t off, uint32_t *kind, uint32_t *cells);

/* The entry at `off`, inside its chunk. -TWZ_EDAMAGED. */
int hier_entry_get(const struct hier *h, uint64_t off, const struct hier_entry **entry);
uint32_t hier_cells(const struct hier_new_entry *entry);

/* A free chunk of `cells`, touched. -TWZ_EFULL, or an error of twz_touch. */
int hier_chunk_alloc(struct hier *h, uint32_t cells, uint64_t *off);

/* Put a chunk on its free list; a chunk that cannot be stored to is left as it is. */
void hier_chunk_free(struct hier *h, uint64_t off);

/* Flushes, does not fence: the caller must fence before it commits the bucket. */
void hier_entry_write(struct hier *h, uint64_t off, const struct hier_new_entry *entry);

/* Store one half of an aligned word of the header. */
void hier_store32(uint32_t *half, uint32_t value);

/* Add to the counts of names and of used buckets. */
void hier_count_add(struct hier *h, int count, int used);

/* --- table.c: buckets ------------------------------------------------------------------------- */

/* *buckets: offset of bucket 0; there are 1 << *bits. -TWZ_EDAMAGED. */
int hier_table_get(const struct hier *h, uint64_t *buckets, uint32_t *bits);

/* -TWZ_ENONAME, -TWZ_EDAMAGED. */
int hier_find(const struct hier *h, struct hier_name name, struct hier_bucket *hit);

/* 0 if `off` is a bucket of the table, which is touched for a store; or an error. */
int hier_bucket_check(const struct hier *h, uint64_t off);

/* No bucket refers to an entry. */
bool hier_is_empty(const struct hier *h);

/* A bucket refers to the entry at `chunk`. */
bool hier_is_live(const struct hier *h, uint64_t chunk, uint32_t hash);

/* Allocate a chunk for the entry and find a free bucket for it; readers see neither. The table may
 * become another one. h must be locked and dirty. */
int hier_reserve_entry(struct hier *h, const struct hier_new_entry *entry, uint64_t *chunk,
                       uint64_t *bucket);

/* --- rebuild.c -------------------------------------------------------------------------------- */

/* Recompute lists, count, used and bump from chunks and table. h must be locked and dirty. Fences
 * before it changes a chunk. -TWZ_EDAMAGED. */
int hier_rebuild(struct hier *h);

/* --- intent.c: changes and their intents; h must be locked ------------------------------------ */

/* COMMIT op = HIER_DIRTY; and fence, then op = HIER_IDLE. */
void hier_begin_change(struct hier *h);
void hier_end_change(struct hier *h);

/* Write `intent` into h, COMMIT it, apply its steps, and go back to HIER_DIRTY. `from` may be h. */
void hier_commit_intent(struct hier *h, struct hier *from, const struct hier_intent *intent);

/* Apply the intent found in h, as far as it validates (layout.h, TRUST). `from`: its other
 * directory, locked; NULL if that does not exist. */
void hier_finish_intent(struct hier *h, struct hier *from);
void hier_peer_intent_clear(struct hier *h);

/* -TWZ_EDAMAGED. */
int hier_parent_get(const struct hier *h, objid_t *parent);

/* 1 if the parent of directory `id` is `parent`, and the two differ; 0 if not; or an error if its
 * header cannot be stored to. */
int hier_child_check(objid_t id, objid_t parent);

/* --- lock.c: locks, and changes that a crash interrupted -------------------------------------- */

/*
 * Lock all directories of `set` (at most 4, in any order, doubles allowed), or none on an error.
 * Their interrupted changes are finished first. -TWZ_EBUSY after HIER_LOCK_TIMEOUT.
 */
int hier_lock(struct hier *const *set, size_t n);
void hier_unlock(struct hier *const *set, size_t n);

/* One directory. -TWZ_EDELETED if it was removed. */
int hier_lock_one(struct hier *h);
void hier_unlock_one(struct hier *h);

/* Open the root above `dir`, take its tree_lock and finish an interrupted move. */
int hier_tree_lock(objid_t dir, twzobj *root);
void hier_tree_unlock(twzobj *root);

/* Store tree_to before a move to directory `to`; flushed, durable with the intent's fence. */
void hier_tree_target_set(const twzobj *root, objid_t to);

/* Run body(h, ctx) until no change disturbs it. After a few tries it runs under the lock; without
 * the right to write, its last result counts. The result is that of body, or an error of hier_lock.
 * body must validate whatever it loads. */
int hier_read(const struct hier *h, int (*body)(const struct hier *h, void *ctx), void *ctx);

/* --- read.c ----------------------------------------------------------------------------------- */

/* As hier_iter, over at most *steps chunks, which are counted down. -TWZ_EFULL at 0. */
int hier_iter_some(const twzobj *dir, uint64_t *cursor, struct hier_item *item, uint64_t *steps);

/* --- links.c ---------------------------------------------------------------------------------- */

/* The object that loses a name; its links_lock is held while `obj` is open. */
struct hier_victim {
    twzobj obj;
    objid_t id; /* 0: the change touches no object */
    uint64_t links;
};

/* Find out how the object of an entry changes when the entry goes. An object that no longer exists
 * may always lose its name. h must be locked. -TWZ_EAGAIN: unlock h, then call hier_retry. */
int hier_victim_prepare(struct hier *h, const struct hier_found *found, uint32_t flags,
                        struct hier_victim *v);

/* Point links_by at h; must be called before the intent is committed. */
void hier_victim_mark(const struct hier *h, const struct hier_victim *v);

/* Clear links_by and release; must be called after the intent was applied. */
void hier_victim_release(struct hier_victim *v);

/* True if err was -TWZ_EAGAIN and the caller must start over; the pending change was finished. The
 * caller must hold no lock. */
bool hier_retry(struct hier *h, int err);

#endif
