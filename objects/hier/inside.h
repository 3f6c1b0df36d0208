/* SPDX-License-Identifier: MIT */
/*
 * The declarations that the files of hier share. hier_attach checks the constant words of a header
 * and fills in a struct hier, the handle of an open directory. A function must check each other
 * word of the object when it reads the word. Changes run concurrently with readers, and an
 * adversary may write the object (layout.h, TRUST).
 *
 * The functions of a file may call those of the files before it in this list: open, space, table,
 * rebuild, intent, lock, read, links, impl, rename, path, api, name. check and show are for tools.
 *
 * "h must be locked" means: the caller must hold the `lock` of directory h. "h must be dirty"
 * means: op of h must be HIER_DIRTY.
 */
#ifndef HIER_INSIDE_H
#define HIER_INSIDE_H

#include <hier/hier.h>
#include <twz/guard.h>
#include <twz/persist.h>

#define HIER_DEPTH        65536u         /* largest number of parents that a loop follows */
#define HIER_PROBE        4096u          /* largest number of buckets that a look-up probes */
#define HIER_RETRIES      1000u          /* largest number of times that an operation starts over */
#define HIER_LOCK_TIMEOUT 30000000000ull /* ns; an adversary may keep a lock */

struct hier {
    uint8_t *start;
    struct hier_dir *dir;
    objid_t id;
    uint32_t rights;
    uint32_t retries;      /* number of times that the operation started over */
    objid_t pending_dir;   /* with -TWZ_EAGAIN: the directory to finish before a retry; 0: none */
    uint32_t pending_attr; /* a record of this volume whose names_by is pending_dir */
};

/* The data of an entry that hier_entry_write will write. */
struct hier_new_entry {
    struct hier_name name;
    uint32_t hash;
    uint32_t kind;
    uint32_t attr;
    objid_t id;
    const char *text;
    size_t text_len;
};

/* The bucket that refers to the entry of a name. */
struct hier_bucket {
    uint64_t off;   /* of the bucket */
    uint64_t value; /* of the bucket */
    struct hier_found found;
};

/* --- open.c: header and names ----------------------------------------------------------------- */

/* Check the constant words of the header and fill in h. -TWZ_ETYPE, -TWZ_EVERSION,
 * -TWZ_EDAMAGED. */
int hier_attach(const twzobj *obj, struct hier *h);

/* Call hier_name_check, then hier_attach. */
int hier_open_name(const twzobj *obj, struct hier_name name, struct hier *h);

/* As hier_init; `attr` is the index of the directory's record. */
int hier_init_at(const twzobj *obj, objid_t parent, objid_t attrs, uint32_t attr);

/* Open the attribute table of the volume for writing. -TWZ_ENOTSUP if it has none. */
int hier_attrs_open(const struct hier *h, twzobj *table);

/* Check that a name is valid. -TWZ_EINVAL, -TWZ_ENAMELEN. */
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

/* --- space.c: chunks and free lists --------------------------------------------------------- */

/* Load and check the first word of the chunk at `off`. -TWZ_EDAMAGED if it is not valid. */
int hier_chunk_get(const struct hier *h, uint64_t off, uint32_t *kind, uint32_t *cells);

/* Get the entry at `off`. -TWZ_EDAMAGED if there is no entry, or it is longer than its chunk. */
int hier_entry_get(const struct hier *h, uint64_t off, const struct hier_entry **entry);

/* Returns the number of cells that an entry needs. */
uint32_t hier_cells(const struct hier_new_entry *entry);

/* Unlink or append a free chunk of `cells`, and call twz_touch for it. h must be locked and dirty,
 * as for the functions below. -TWZ_EFULL, -TWZ_EDAMAGED, or an error of twz_touch. */
int hier_chunk_alloc(struct hier *h, uint32_t cells, uint64_t *off);

/* Add a chunk to a free list. If twz_touch fails, the chunk is left as it is. */
void hier_chunk_free(struct hier *h, uint64_t off);

/* Write and flush an entry. The caller must fence before it commits the bucket. */
void hier_entry_write(struct hier *h, uint64_t off, const struct hier_new_entry *entry);

/* Store one 32-bit half of an aligned 64-bit word. */
void hier_store32(uint32_t *half, uint32_t value);

/* Add `count` to the number of names and `used` to the number of used buckets. */
void hier_count_add(struct hier *h, int count, int used);

/* --- table.c: buckets ------------------------------------------------------------------------- */

/* Get the offset of bucket 0 and log2 of the number of buckets. -TWZ_EDAMAGED if the word `table`
 * is not valid. */
int hier_table_get(const struct hier *h, uint64_t *buckets, uint32_t *bits);

/* Look up a name. -TWZ_ENONAME, -TWZ_EDAMAGED. */
int hier_find(const struct hier *h, struct hier_name name, struct hier_bucket *hit);

/* Check that `off` is the offset of a bucket, and call twz_touch for the bucket. -TWZ_EDAMAGED, or
 * an error of twz_touch. */
int hier_bucket_check(const struct hier *h, uint64_t off);

/* True if no bucket refers to an entry. */
bool hier_is_empty(const struct hier *h);

/* True if a bucket refers to the entry at `chunk`. */
bool hier_is_live(const struct hier *h, uint64_t chunk, uint32_t hash);

/* Allocate a chunk for an entry and find a bucket that the entry may use. The function stores
 * neither the entry nor the bucket, but may replace the table. h must be locked and dirty. */
int hier_reserve_entry(struct hier *h, const struct hier_new_entry *entry, uint64_t *chunk,
                       uint64_t *bucket);

/* --- rebuild.c -------------------------------------------------------------------------------- */

/* Recompute lists, count, used and bump from chunks and table. h must be locked and dirty. The
 * function fences before it changes a chunk. -TWZ_EDAMAGED. */
int hier_rebuild(struct hier *h);

/* --- intent.c: changes and intents; h must be locked ------------------------------------------ */

/* COMMIT op = HIER_DIRTY. */
void hier_begin_change(struct hier *h);

/* Fence, set op = HIER_IDLE and flush it. */
void hier_end_change(struct hier *h);

/* Write `intent` to h, COMMIT op = HIER_COMMITTED, apply the intent, and set op = HIER_DIRTY.
 * `from` is the directory that loses a name, or h; it must be locked. */
void hier_commit_intent(struct hier *h, struct hier *from, const struct hier_intent *intent);

/* Apply the steps of the intent in h that TRUST in layout.h permits. `from` is the directory that
 * the intent names as `from`; it must be locked. NULL: there is no such directory. */
void hier_finish_intent(struct hier *h, struct hier *from);

/* Set peer_intent_valid = 0 and flush it. */
void hier_peer_intent_clear(struct hier *h);

/* Get the ID of the parent. h need not be locked. -TWZ_EDAMAGED. */
int hier_parent_get(const struct hier *h, objid_t *parent);

/* Returns 1 if the parent of directory `id` is `parent` and the two are different directories, else
 * 0. An error if the directory cannot be opened for writing, or an error of twz_touch for its
 * header. */
int hier_child_check(objid_t id, objid_t parent);

/* --- lock.c: locks, and changes that a crash interrupted -------------------------------------- */

/*
 * Lock all directories of `set`, or none on an error. `set` must have at most 4 elements; these may
 * be in any order, and may repeat. The function first finishes all interrupted changes of these
 * directories. The caller must not hold a directory lock. -TWZ_EBUSY if a lock is not free within
 * HIER_LOCK_TIMEOUT, or if too many changes must be finished.
 */
int hier_lock(struct hier *const *set, size_t n);
void hier_unlock(struct hier *const *set, size_t n);

/* As hier_lock and hier_unlock, for one directory. -TWZ_EDELETED if the directory was removed. */
int hier_lock_one(struct hier *h);
void hier_unlock_one(struct hier *h);

/* Open the root above `dir`, take the root's tree_lock, and finish the move that its last owner may
 * have left. The caller must not hold a directory lock. */
int hier_tree_lock(objid_t dir, twzobj *root);

/* Release tree_lock and close the root. */
void hier_tree_unlock(twzobj *root);

/* Store and flush tree_to for a move to directory `to`. The fence of hier_commit_intent makes it
 * durable. The caller must hold tree_lock. */
void hier_tree_target_set(const twzobj *root, objid_t to);

/* Call body(h, ctx) as layout.h, READERS, describes, and return the result of body. body may run
 * several times, without the lock; it must check each value that it loads from the directory. If
 * hier_lock fails, the function returns its error. */
int hier_read(const struct hier *h, int (*body)(const struct hier *h, void *ctx), void *ctx);

/* --- api.c ------------------------------------------------------------------------------------ */

/* As hier_iter, but subtract 1 from *steps for each chunk visited. -TWZ_EFULL if *steps was 0. */
int hier_iter_some(const twzobj *dir, uint64_t *cursor, struct hier_item *item, uint64_t *steps);

/* The functions of hier.h without a guard: a fault in a directory is a fault of the caller. */
int hier_do_probe(const twzobj *dir);
int hier_do_lookup(const twzobj *dir, struct hier_name name, struct hier_found *found);
int hier_do_readlink(const twzobj *dir, struct hier_name name, char *text, size_t size);
int hier_do_parent(const twzobj *dir, objid_t *parent);
int hier_do_count(const twzobj *dir);
int hier_do_iter_some(const twzobj *dir, uint64_t *cursor, struct hier_item *item, uint64_t *steps);
int hier_do_insert(const twzobj *dir, struct hier_name name, objid_t id,
                   const struct attr_values *values);
int hier_do_insert_dir(const twzobj *dir, struct hier_name name, objid_t id);
int hier_do_link(const twzobj *dir, struct hier_name name, const struct hier_found *found);
int hier_do_symlink(const twzobj *dir, struct hier_name name, const char *text, size_t text_len);
int hier_do_create(const twzobj *dir, struct hier_name name, const struct hier_create *create,
                   twzobj *obj);
int hier_do_replace(const twzobj *dir, struct hier_name name, objid_t id,
                    const struct attr_values *values, uint32_t flags);
int hier_do_remove(const twzobj *dir, struct hier_name name, uint32_t flags);
int hier_do_rename(const twzobj *from, struct hier_name name, const twzobj *to,
                   struct hier_name new_name, uint32_t flags);
int hier_do_walk(objid_t root, objid_t cwd, const char *path, uint32_t flags,
                 struct hier_where *where);
int hier_do_path_of(objid_t root, objid_t dir, char *path, size_t size);

/* --- links.c ---------------------------------------------------------------------------------- */

/* An object that loses or gains a name, or gets its first one, and its record. While `table` is
 * open, the thread holds the record's lock. */
struct hier_victim {
    twzobj table;
    struct attr_record *record; /* NULL: it has none */
    objid_t id;                 /* 0: no object changes */
    uint64_t names;             /* new value of record->names, or HIER_NAMES_KEEP */
    uint32_t attr;              /* index of the record; 0: none */
    uint32_t remove;            /* HIER_DELETE_*: the object is deleted; 0: not */
};

/* True if directory `dir` has a committed change of the record. */
bool hier_has_committed(objid_t dir, uint32_t index);

/* Compute how the object of an entry must change when the entry is removed, and lock its record. It
 * is no error if the object does not exist. h must be locked. On -TWZ_EAGAIN the caller must unlock
 * h, then call hier_retry. */
int hier_victim_prepare(struct hier *h, const struct hier_found *found, uint32_t flags,
                        struct hier_victim *v);

/* Take a record for an object that gets its first name in h, which must be locked. Without a table
 * the object gets no record, which is no error. */
int hier_named_prepare(struct hier *h, objid_t id, const struct attr_values *values,
                       struct hier_victim *v);

/* Store the victim in the intent, and the ID of h to names_by of its record. The caller must call
 * this before it commits the intent. */
void hier_victim_mark(const struct hier *h, const struct hier_victim *v,
                      struct hier_intent *intent);

/* Clear names_by, release the record's lock and close the table. The caller must call this after it
 * has applied the intent, or instead. */
void hier_victim_release(struct hier_victim *v);

/* Returns true if the caller must start over: `err` is -TWZ_EAGAIN and retries are left. The
 * function then has finished the pending change, if there was one. The caller must not hold a
 * lock. */
bool hier_retry(struct hier *h, int err);

#endif
