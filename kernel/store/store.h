/* SPDX-License-Identifier: MIT */
/*
 * The store: persistent objects in a pool (kernel/store/format.h). Freestanding. It has no globals,
 * and calls only its environment and the persistence seam.
 *
 * Rules for every function
 *   locks       Locks of the caller (struct store_env) and one for each object:
 *                 - Functions marked (object) need the lock of each object that they name. They run
 *                   together with all others. They use only the object's own words, and frames.
 *                 - store_obj_create, store_obj_create_as, store_draft and store_seal take TABLE;
 *                   the caller must not hold it. store_prezero needs no lock.
 *                 - All others need TABLE. Of these, functions marked (shared) may run together.
 *               A caller with one core needs no locks.
 *   blocking    No function blocks. store_recover, store_check, store_obj_release and store_mkpool
 *               take time linear in what they visit, store_obj_delete in the objects that it
 *               deletes. A function with a `count` takes about 200 instructions a page. The others
 *               are bounded.
 *   errors      >= 0, or -TWZ_E*. After an error the media are as before the call. -TWZ_ENOSPC and
 *               -TWZ_ENOMEM are found out before the first persistent store; nothing after it can
 *               fail.
 *   durability  The effect of a call is durable on return. One aligned 8-byte store decides whether
 *               it happened, unless the function says otherwise.
 *   rows        An object is named by its row while the pool is open. store_lookup finds the row,
 *               which stays valid until store_obj_release.
 *   damage      For an object whose words fail their checks, and for an object of a later version
 *               (format.h), calls return -TWZ_EDAMAGED. All other objects stay usable.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <store/format.h>

#define STORE_WARN __attribute__((warn_unused_result))

struct store;

/* A problem and its location. `object` is 0 and `row` is STORE_NO_ROW if it belongs to no object.
 * */
struct store_report {
    int code; /* TWZ_E*, positive */
    uint32_t row;
    objid_t object;
    uint64_t offset;  /* in the pool, bytes */
    uint64_t found;   /* the value found */
    uint64_t wanted;  /* the value expected, if there is one */
    const char *what; /* constant text: "superblock checksum", "page word" ... */
};
#define STORE_NO_ROW 0xffffffffu

/* The locks of struct store_env, in the order in which they are taken. */
#define STORE_LOCK_TABLE  0u /* rows, index, ties, superblock */
#define STORE_LOCK_BAD    1u /* the bad-frame list */
#define STORE_LOCK_FRAMES 2u /* the frames that no core has in reserve */
#define STORE_LOCKS       3u

struct store_env {
    void *base;    /* mapping of the pool, must be 4 KiB aligned; frame f is at base + f * 4096 */
    uint64_t size; /* bytes mapped: the size of the file or the range */
    void *ctx;     /* for the callbacks */
    /* Must return zeroed memory, 16-byte aligned, or NULL. Called before the first persistent store
     * of a call only. */
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *mem, size_t bytes);
    /*
     * For a caller with several cores; else `core`, `lock` and `unlock` are NULL. `core` must
     * return the number of the calling core, below `cores`; the core must not change during a call
     * of the store. lock and unlock must serialize all cores; `which` is STORE_LOCK_*.
     */
    uint32_t (*core)(void *ctx);
    uint32_t cores;
    void (*lock)(void *ctx, uint32_t which);
    void (*unlock)(void *ctx, uint32_t which);
    /* May be NULL. Called for all damage found while the store is open. Must not call the store. */
    void (*report)(void *ctx, const struct store_report *report);
    /* May be NULL: reads never fail. Must return true if the memory has lost a byte that
     * persist_copy_nt has read on this core since the last call. */
    bool (*lost)(void *ctx);
    bool scratch; /* the mapping is a private copy, and its stores are thrown away */
};

/* --- the pool as a whole ------------------------------------------------------------------- */

struct store_mkpool {
    uint8_t uuid[16]; /* random */
    char label[32];
    uint64_t created;     /* seconds since 1970 */
    uint64_t max_objects; /* 0: as many empty objects as fit */
};

/*
 * Make an empty pool of the whole frames in env->size bytes at env->base. Overwrites the first
 * frames of an old pool. The pool is valid once its first superblock copy is committed, last of
 * all. -TWZ_ESHORT below STORE_FRAMES_MIN frames, -TWZ_EINVAL above STORE_FRAMES_MAX.
 */
STORE_WARN int store_mkpool(const struct store_env *env, const struct store_mkpool *params);

/*
 * Validate the superblock and allocate the volatile tables. Stores nothing to the media. Fills in
 * *why (which may be NULL) on an error:
 *   -TWZ_ENOTPOOL no copy has the magic
 *   -TWZ_EVERSION another version or layout, or an unknown incompatible feature (why->found)
 *   -TWZ_EDAMAGED both copies fail their checks
 *   -TWZ_ESHORT   smaller than the superblock says
 *   -TWZ_EMEMBER  a member is missing (why->found is its index)
 *   -TWZ_ERANGE   larger than the superblock says
 *   -TWZ_ENOMEM   no memory for the volatile tables
 * The store copies *env. Until store_recover has succeeded, the caller must call only
 * store_recover, store_recover_readonly, store_super_get, store_mono_get and store_close.
 */
STORE_WARN int store_open(const struct store_env *env, struct store **out,
                          struct store_report *why);

struct store_recovery {
    uint64_t objects;   /* that exist afterwards */
    uint64_t frames;    /* in use */
    uint32_t mirrors;   /* words and copies completed or repaired */
    uint32_t retained;  /* provisional objects made permanent */
    uint32_t reclaimed; /* provisional objects freed */
    uint32_t deleted;   /* deleted objects freed, and those tied to them */
    uint32_t damaged;   /* objects with damage, and objects of a later version */
};

/* (shared) Read-only-compatible features of the pool that this version does not know. If there are
 * any, store_recover fails and only store_recover_readonly may follow. */
uint64_t store_unknown_features(const struct store *store);

/*
 * Become the writer of the pool, bring it into a consistent state and build the volatile tables.
 * Must be called once, before any other operation. Raises the writer generation first, unless
 * env->scratch. Idempotent: after a power failure in it, the next one completes the work. Stores
 * nothing else if the pool is consistent. Damage is reported, and affects its object alone.
 * -TWZ_ENOMEM; -TWZ_EDAMAGED if both copies of a mirrored word are lost; -TWZ_EVERSION, with
 * nothing stored, for store_unknown_features; -TWZ_ERANGE if the generation is STORE_MONO_MAX.
 * After an error the caller must close the store.
 */
STORE_WARN int store_recover(struct store *store, struct store_recovery *result);

/* The same without a store to the media: objects that recovery would free are left out. Afterwards
 * every call that changes the pool returns -TWZ_EDENIED. */
STORE_WARN int store_recover_readonly(struct store *store, struct store_recovery *result);

/* Free the volatile tables. Stores nothing: the media are always up to date. */
void store_close(struct store *store);

/* (shared) The current superblock. The pointer is valid until store_super_set or store_close. */
const struct store_super *store_super_get(const struct store *store);

/* Replace the roots in the superblock. */
STORE_WARN int store_super_set(struct store *store, const struct store_roots *roots);

/* (no lock) The value of a monotonic counter (STORE_MONO_*). */
uint64_t store_mono_get(const struct store *store, uint32_t which);

/* Raise a monotonic counter to `value`, unless it is that high already. Both copies are durable on
 * return. -TWZ_EINVAL for an unknown counter, -TWZ_ERANGE above STORE_MONO_MAX. */
STORE_WARN int store_mono_raise(struct store *store, uint32_t which, uint64_t value);

struct store_usage {
    uint64_t frames;
    uint64_t free;
    uint64_t meta;  /* fixed frames, chunks, nodes; one frame promised to the bad-frame list */
    uint64_t pages; /* page frames; a shared one counts once, a bad one too */
    uint64_t bad;   /* frames on the bad-frame list; never allocated again */
    uint64_t objects;
    uint64_t rows;     /* rows of the object table, free ones too */
    uint64_t rows_max; /* limit of rows */
};
/* (shared) */
void store_usage(const struct store *store, struct store_usage *usage);

/* --- objects ------------------------------------------------------------------------------- */

struct store_create {
    uint64_t nonce[2]; /* must be random */
    objid_t kuid;
    objid_t account;        /* the account object that pays for it; 0: none */
    objid_t tie_parent;     /* 0: none; else an object of this pool that is not deleted */
    objid_t witness;        /* 0: the object is live at once; else it is provisional */
    uint64_t witness_off;   /* must be a multiple of 8 */
    uint64_t witness_value; /* 0: the low half of the new ID */
    objid_t hash_tree;      /* the object that holds its hash tree; 0: none */
    const uint8_t *seal;    /* a draft of a sealed object: the root of its tree; else NULL */
    uint64_t revoke_epoch;  /* its first revocation epoch, unless the pool's floor is higher */
    uint32_t perms;         /* TWZ_READ ... */
    uint32_t kind;          /* TWZ_KIND_* */
    uint32_t persist;       /* TWZ_PERSIST_* */
    uint32_t class_;        /* STORE_CLASS_* */
    bool unnamed; /* provisional, with witness 0: only store_obj_permanent makes it stay */
};

/*
 * (shared) Find the row of an object. -TWZ_ENOOBJ; -TWZ_EDELETED if it is deleted and not released;
 * -TWZ_EDAMAGED. The last two set *row. The first look-up after opening derives the ID from the
 * identity (doc/decisions/008-store-format.md); a mismatch is damage.
 */
STORE_WARN int store_lookup(struct store *store, objid_t id, uint32_t *row);

/*
 * Create an object without pages. Its ID is derived from nonce, perms and kuid. With a witness the
 * object is provisional: recovery retains it iff the 8-byte word at (witness, witness_off) has the
 * value witness_value. The word must not have the value yet. The caller must make the object
 * permanent before the word may change again. Recovery frees an unnamed object that was not made
 * permanent, whatever any word holds.
 * -TWZ_EEXIST if the ID exists or the word has the value; -TWZ_ENOOBJ if parent or witness does not
 * exist; -TWZ_EINVAL, for an unknown kind, class or mode, too; -TWZ_ERANGE for the epoch;
 * -TWZ_ENOSPC; -TWZ_ENOMEM; -TWZ_EFULL if the table is full.
 */
STORE_WARN int store_obj_create(struct store *store, const struct store_create *create,
                                uint32_t *row, objid_t *id);

/* The ID that store_obj_create derives. */
objid_t store_obj_id(const struct store_create *create);

/* store_obj_create with an ID derived before; `id` must be store_obj_id(create). */
STORE_WARN int store_obj_create_as(struct store *store, const struct store_create *create,
                                   objid_t id, uint32_t *row);

/*
 * Sealed objects (verify/tree.h). A draft is a row that only its creator knows: no look-up finds
 * it, and after a power failure nothing of it is left. The functions for pages (below) take its
 * row, as does store_obj_release_some, which drops it.
 *
 * store_draft makes a draft without pages. `id` must be store_obj_id(create). With create->seal the
 * draft is of a sealed object, without WRITE and of kind DATA. -TWZ_EINVAL, with a witness or a
 * parent, too; -TWZ_ENOSPC; -TWZ_ENOMEM; -TWZ_EFULL if the table is full.
 */
STORE_WARN int store_draft(struct store *store, const struct store_create *create, objid_t id,
                           uint32_t *row);

/* Make objects of two drafts: of a sealed object, and of its hash tree, which gets tied to it. Both
 * start at the revocation floor. After a power failure both exist, or neither. -TWZ_EEXIST if an ID
 * exists; -TWZ_ENOMEM. */
STORE_WARN int store_seal(struct store *store, uint32_t row, uint32_t tree_row);

/*
 * Delete an object, the objects tied to it, and so on. The first commit decides: recovery completes
 * the rest. `deleted` (may be NULL) is called for each of these objects, the object itself first,
 * and must not call the store. The pages of each object can be read and changed until its
 * store_obj_release. -TWZ_EDELETED if it is deleted already; -TWZ_EVERSION for an object of a later
 * version.
 */
STORE_WARN int store_obj_delete(struct store *store, uint32_t row,
                                void (*deleted)(void *ctx, uint32_t row), void *ctx);

/* The same in bounded steps. store_obj_delete_begin commits; it returns 1 if objects are tied to
 * this one, else 0. */
STORE_WARN int store_obj_delete_begin(struct store *store, uint32_t row);

/* The next step: deletes at most one of the objects tied to a deleted one. Returns 0 when none is
 * left, else 1 with the row of an object whose deletion is complete in *deleted, or `row` itself if
 * there is none. The caller must not release an object before *deleted has named it. */
STORE_WARN int store_obj_delete_tied(struct store *store, uint32_t row, uint32_t *deleted);

/* Free the frames and the row of a deleted object. The caller must have ended all use of it.
 * Objects tied to it may be released before it or after it. -TWZ_EINVAL if it is not deleted. */
STORE_WARN int store_obj_release(struct store *store, uint32_t row);

/* The same, at most `batches` times 512 KiB of pages (at least one) in a call. 1 if some are left:
 * the caller must call again. 0 when done; the row is not reused before. The first call commits: a
 * power failure after it leaks nothing. */
STORE_WARN int store_obj_release_some(struct store *store, uint32_t row, uint32_t batches);

/* Make a provisional object permanent. No effect on a live one. -TWZ_EDELETED. */
STORE_WARN int store_obj_permanent(struct store *store, uint32_t row);

/* Tie an object to a parent, whose deletion then deletes it (0: to none). -TWZ_ENOOBJ; -TWZ_EINVAL
 * for a circle; -TWZ_EFULL for a chain of more than 128 parents; -TWZ_EDELETED if either is
 * deleted. */
STORE_WARN int store_obj_tie(struct store *store, uint32_t row, objid_t parent);

/* (shared) 1 if other objects are tied to this one, else 0. */
STORE_WARN int store_obj_has_tied(const struct store *store, uint32_t row);

struct store_stat {
    objid_t id;
    uint64_t nonce[2];
    objid_t kuid;
    objid_t account;
    objid_t tie_parent;
    objid_t witness;
    uint64_t witness_off;
    uint64_t witness_value;
    objid_t hash_tree;
    uint8_t seal[32]; /* sealed: the root of its tree */
    uint64_t revoke_epoch;
    uint64_t born_epoch;
    uint64_t deleted_epoch;
    uint64_t pages;    /* page frames, shared ones too */
    uint64_t frames;   /* the same and the frames of its nodes; not counted anew */
    uint32_t state;    /* STORE_PROVISIONAL, STORE_LIVE, STORE_DELETED */
    uint32_t perms;    /* default permissions in force */
    uint32_t perms_id; /* default permissions that are part of the ID */
    uint32_t kind;
    uint32_t persist;
    uint32_t flags; /* STORE_OBJ_* */
    uint32_t class_;
    bool damaged; /* other calls return -TWZ_EDAMAGED; the rest of this may be wrong */
    bool later;   /* damaged, because it is an object of a later version: it is kept as it is */
};
/* (shared) Describe an object, deleted and damaged ones too. Bounded: `pages` is a count that the
 * store keeps. */
STORE_WARN int store_obj_info(const struct store *store, uint32_t row, struct store_stat *stat);
/* (shared) The same with `pages` counted anew, which visits all nodes of the object. */
STORE_WARN int store_obj_stat(const struct store *store, uint32_t row, struct store_stat *stat);

/* (object) The frames of a row's pages and nodes, as store_obj_info has them; until the release of
 * the object has ended. */
uint64_t store_obj_frames(const struct store *store, uint32_t row);

/* (shared) False: no object named an account when the pool was recovered. */
bool store_has_charged(const struct store *store);

/* The bytes of the pool that an account pays for an object without pages: the entry, and a frame
 * for its first page. With the memory that each row takes at recovery, this bounds the number of
 * objects that an account can make. */
#define STORE_OBJECT_BYTES (STORE_FRAME_SIZE + sizeof(struct store_entry))

#define STORE_UPDATE_PERMS   0x1u /* must not add permissions: -TWZ_EDENIED */
#define STORE_UPDATE_PERSIST 0x2u
#define STORE_UPDATE_ACCOUNT 0x4u
#define STORE_UPDATE_CLASS   0x8u
#define STORE_UPDATE_TREE    0x10u
struct store_update {
    uint32_t which; /* STORE_UPDATE_*: the fields that change, all in one commit */
    uint32_t perms;
    uint32_t persist;
    uint32_t class_;
    objid_t account;
    objid_t hash_tree;
};
/* -TWZ_EINVAL for an unknown class or mode, or another tree for a sealed object. */
STORE_WARN int store_obj_update(struct store *store, uint32_t row,
                                const struct store_update *update);

/* Raise the revocation epoch of an object, unless it is that high already. The revocation floor
 * (STORE_MONO_REVOKE) is raised to it first: no object that is made later starts below it.
 * -TWZ_ERANGE. */
STORE_WARN int store_obj_revoke(struct store *store, uint32_t row, uint64_t epoch);

/* (shared) Advance *row to the next object at or after it, deleted and damaged ones too.
 * -TWZ_ENOOBJ at the end. for (row = 0; store_obj_next(s, &row) >= 0; row++) */
STORE_WARN int store_obj_next(const struct store *store, uint32_t *row);

/* (shared) The ID in a row, not verified; 0 for a free row. */
objid_t store_obj_id_of(const struct store *store, uint32_t row);

/* --- pages --------------------------------------------------------------------------------- */

struct store_page {
    uint32_t page;
    uint32_t frame; /* if PRESENT, SHARED or POISONED */
    uint32_t state; /* STORE_ABSENT ... STORE_ELSEWHERE */
    uint32_t flags; /* STORE_FLAG_* */
};

/* (object) Read the word of a page. -TWZ_ERANGE for page 0, the record page and beyond;
 * -TWZ_EDAMAGED. */
STORE_WARN int store_page_get(const struct store *store, uint32_t row, uint32_t page,
                              struct store_page *out);

/*
 * (object) Add a zeroed page. The word that points to the frame is durable on return, so the caller
 * may map the frame. -TWZ_EEXIST if there is a page, -TWZ_EFAULT at a hole.
 */
STORE_WARN int store_page_add(struct store *store, uint32_t row, uint32_t page, uint32_t *frame);

/*
 * (object) Add zeroed pages from `first` on: `count` at most, and only as many as are ABSENT, lie
 * in one node and have a free frame. A page of a missing node is added alone. Returns their number
 * and their frames, which the caller may map. Errors: as store_page_add, for page `first`.
 */
STORE_WARN int store_page_add_run(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                                  uint32_t *frames);

/*
 * (object) Add `count` pages from `first` on. They must be ABSENT; with a `source` they may also be
 * holes. `source` returns the 4096 bytes of a page, or NULL for zeros. A page whose bytes the
 * memory loses meanwhile becomes POISONED. After a power failure any of the pages may exist, each
 * complete. -TWZ_EEXIST, -TWZ_EFAULT as above.
 */
STORE_WARN int store_page_add_many(struct store *store, uint32_t row, uint32_t first,
                                   uint32_t count, const void *(*source)(void *ctx, uint32_t page),
                                   void *ctx);

/*
 * (object) Replace pages. `content` returns the state that a page gets: STORE_PRESENT with its 4096
 * bytes in *bytes, STORE_ABSENT or STORE_HOLE, or STORE_POISONED for content that is lost: such a
 * page keeps a frame, which is not on the bad-frame list. So does a page whose bytes the memory
 * loses while they are copied. `content` must return the same each time. The caller must have
 * unmapped the pages. *reserved (which may be NULL) frames of store_reserve are taken first, and
 * subtracted. After an error no page has changed; after a power failure each one is as before, or
 * complete. -TWZ_EDENIED at a READONLY page; -TWZ_ENOSPC.
 */
STORE_WARN int store_page_replace(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                                  uint32_t (*content)(void *ctx, uint32_t page, const void **bytes),
                                  void *ctx, uint64_t *reserved);

/* (object) Remove pages: their state becomes `state`, STORE_ABSENT or STORE_HOLE. The caller must
 * have unmapped them. After a power failure any of them may still exist. -TWZ_EDENIED if a READONLY
 * page were to become ABSENT; no page has changed then. */
STORE_WARN int store_page_discard(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                                  uint32_t state);

/* (object) Set or clear STORE_FLAG_READONLY of the pages in a range. After a power failure any of
 * them may have changed. */
STORE_WARN int store_page_protect(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                                  bool readonly);

/*
 * (object, and TABLE) Share `count` pages of src with dst, whose old pages are replaced. The words
 * of both become SHARED; absent pages and holes are copied as such. The caller must have made the
 * mappings of the source's pages read-only, and must have unmapped the pages of dst. A frame that
 * 32,766 words reach is copied instead, once for all pages that need the copy in a row; if the
 * frame is lost while it is copied, these pages become POISONED. After an
 * error no page of dst has changed; after a power failure each one is as before, or shared.
 * -TWZ_EDENIED at a READONLY page of dst; -TWZ_EPOISON, -TWZ_ENOSPC; -TWZ_EINVAL if the ranges
 * overlap.
 */
STORE_WARN int store_page_share(struct store *store, uint32_t dst, uint32_t dst_first, uint32_t src,
                                uint32_t src_first, uint32_t count);

/* The same with reserved frames, as for store_page_replace. */
STORE_WARN int store_page_share_reserved(struct store *store, uint32_t dst, uint32_t dst_first,
                                         uint32_t src, uint32_t src_first, uint32_t count,
                                         uint64_t *reserved);

/* (object) Break copy-on-write before a write to a SHARED page: copy its frame, unless no other
 * word reaches it, and make the page PRESENT. *frame is the frame to map. The caller must have
 * unmapped the old frame. No effect on a PRESENT page. -TWZ_EPOISON; if the frame is lost while it
 * is copied, the same commit makes the page POISONED. -TWZ_EINVAL if there is no page. */
STORE_WARN int store_page_break_cow(struct store *store, uint32_t row, uint32_t page,
                                    uint32_t *frame);

/*
 * (object) Record that the frame of a PRESENT or SHARED page lost data: the frame enters the
 * bad-frame list, then the page becomes POISONED. The frame is never allocated again. After a power
 * failure the frame may be on the list alone. If the list cannot grow (badframes.c), the page
 * becomes POISONED all the same, and the frame is retained as long as the page. -TWZ_EINVAL.
 */
STORE_WARN int store_page_poison(struct store *store, uint32_t row, uint32_t page);

/* (object) Find the first page at or after out->page that is not ABSENT. -TWZ_ENOOBJ at the end.
 * Skips missing nodes, so a walk takes time linear in the nodes of the object. */
STORE_WARN int store_page_next(const struct store *store, uint32_t row, struct store_page *out);

/* (object) The same below page `end`. Visits no node after the one that `end` is in. With
 * -TWZ_ENOOBJ, no page below the new out->page exists, which is `end` or above. */
STORE_WARN int store_page_next_before(const struct store *store, uint32_t row, uint32_t end,
                                      struct store_page *out);

/* (no lock) Address of a frame in the mapping of the pool. */
void *store_frame_ptr(const struct store *store, uint32_t frame);

/* (no lock) Reserve free frames, for store_page_replace and store_page_share_reserved. The caller
 * must give back what is left. -TWZ_ENOSPC. */
STORE_WARN int store_reserve(struct store *store, uint64_t frames);
void store_unreserve(struct store *store, uint64_t frames);

/* (no lock) A bound for the frames that store_page_share takes, if `count` pages of a source object
 * of `pages` pages are shared: nodes, and copies of frames that too many words reach. */
uint64_t store_share_bound(const struct store *store, uint32_t count, uint64_t pages);

/* (no lock) The same for store_page_replace with at most `pages` pages PRESENT. */
uint64_t store_replace_bound(uint32_t count, uint64_t pages);

/* Zero up to `count` free frames of the calling core's reserve in idle time, so that store_page_add
 * need not. Returns how many it zeroed, 0 if enough are ready or the pool is nearly full. */
uint32_t store_prezero(struct store *store, uint32_t count);

/* --- check --------------------------------------------------------------------------------- */

struct store_checked {
    uint64_t objects;
    uint64_t frames; /* reached */
    uint64_t problems;
    uint64_t pending; /* mirrors and objects that a recovery would complete: no damage */
};

/*
 * The invariant walk, over the media alone: it allocates its own tables from `env` and stores
 * nothing to the media. It calls `found` for each problem. It checks that
 *   - superblock copies and mirrors are equal
 *   - every word is valid and in range, and no frame is reached twice unless shared
 *   - IDs are unique and derived from their identities, and versions are intact
 *   - parents and witnesses are well formed.
 * Returns 0, with problems too, or an error of store_open or store_recover.
 */
STORE_WARN int store_check(const struct store_env *env,
                           void (*found)(void *ctx, const struct store_report *report), void *ctx,
                           struct store_checked *result);

#endif
