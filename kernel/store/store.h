/* SPDX-License-Identifier: MIT */
/*
 * The store: persistent objects in a pool (kernel/store/format.h). Freestanding; it keeps no
 * globals and calls nothing but its environment and the persistence seam.
 *
 * Rules for every function
 *   locks       the caller holds one lock around all calls on a store (the store takes none);
 *               functions marked (shared) may run together with each other, not with the rest
 *   blocking    none blocks; store_recover, store_check, store_obj_release, store_mkpool take time
 *               linear in what they look at; store_obj_delete in the objects that die; those with
 *               a `count` about 200 instructions a page; the others are bounded
 *   errors      >= 0, or -TWZ_E*; after an error the media are as before the call. -TWZ_ENOSPC
 *               and -TWZ_ENOMEM are found out before the first persistent store; nothing after it
 *               can fail
 *   durability  what a call did is durable on return, and one aligned 8-byte store decides whether
 *               it happened, unless said otherwise
 *   rows       an object is named by its row while the pool is open: store_lookup gives it, it
 *               stays valid until store_obj_release
 *   damage      an object whose words fail their checks answers -TWZ_EDAMAGED, all others go on
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <store/format.h>

#define STORE_WARN __attribute__((warn_unused_result))

struct store;

/* Something is wrong, and where. `object` 0, `row` STORE_NO_ROW: it is of no one object. */
struct store_report {
    int code; /* TWZ_E*, positive */
    uint32_t row;
    objid_t object;
    uint64_t offset;  /* in the pool, bytes */
    uint64_t found;   /* the value met there ... */
    uint64_t wanted;  /* ... and the one expected, where that means something */
    const char *what; /* constant text: "superblock checksum", "page word" ... */
};
#define STORE_NO_ROW 0xffffffffu

struct store_env {
    void *base;    /* the pool, mapped, 4 KiB aligned; all access is base + frame * 4096 */
    uint64_t size; /* bytes mapped: the file's or the range's whole size */
    void *ctx;     /* for the callbacks */
    /* Zeroed memory, 16-byte aligned, or NULL. Called outside of persistent sections only. */
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *mem, size_t bytes);
    /* May be NULL: told of each damage met while the store is open. Must not call the store. */
    void (*report)(void *ctx, const struct store_report *report);
};

/* --- the pool as a whole ------------------------------------------------------------------- */

struct store_mkpool {
    uint8_t uuid[16]; /* random */
    char label[32];
    uint64_t created;     /* seconds since 1970 */
    uint64_t max_objects; /* 0: as many as empty objects fit */
};

/*
 * Make an empty pool in env->base .. env->size (whole frames; the rest is left over). The old first
 * frames are overwritten; the pool is valid only once its first superblock is committed, last.
 * -TWZ_ESHORT below STORE_FRAMES_MIN frames, -TWZ_EINVAL above STORE_FRAMES_MAX.
 */
STORE_WARN int store_mkpool(const struct store_env *env, const struct store_mkpool *format);

/*
 * Validate the superblock; read only. `why` (not NULL) says what and where on an error:
 *   -TWZ_ENOTPOOL no copy has the magic          -TWZ_EVERSION made by another version or layout
 *   -TWZ_EDAMAGED both copies fail their checks   -TWZ_ESHORT   smaller than the superblock says
 *   -TWZ_EMEMBER  a member is missing (why->found: its index)
 *   -TWZ_ERANGE   larger than the superblock says (truncated copy grown, or a pool not resized)
 *   -TWZ_ENOMEM   no memory for the volatile tables
 * The store copies *env. Before store_recover only store_recover, store_super_get, store_mono_get
 * and store_close may be called.
 */
STORE_WARN int store_open(const struct store_env *env, struct store **out,
                          struct store_report *why);

struct store_recovery {
    uint64_t objects;   /* live when done */
    uint64_t frames;    /* reached */
    uint32_t mirrors;   /* words and copies completed or repaired */
    uint32_t retained;  /* provisional objects that became permanent */
    uint32_t reclaimed; /* provisional objects freed */
    uint32_t deleted;   /* deleted objects (their own delete, or their parent's) freed */
    uint32_t damaged;   /* objects with damage */
};

/*
 * Bring the pool into a consistent state and build the volatile tables. Idempotent; a power failure
 * inside it is recovered by the next one. Damage stays bounded to its object and is reported.
 * After a clean close it stores nothing. -TWZ_ENOMEM, or -TWZ_EDAMAGED where both copies of a
 * mirrored word are lost (nothing can be used then; close the store).
 */
STORE_WARN int store_recover(struct store *store, struct store_recovery *result);

/* As store_recover, but nothing is stored: what would be swept is only left out. For tools that
 * look; every changing call answers -TWZ_EDENIED afterwards. */
STORE_WARN int store_recover_readonly(struct store *store, struct store_recovery *result);

/* Give the volatile memory back. Nothing needs to be written: the media are always current. */
void store_close(struct store *store);

/* (shared) The superblock in force. Valid until store_super_set or store_close. */
const struct store_super *store_super_get(const struct store *store);

/* Replace the roots: the older copy is rewritten and published, then the other. */
STORE_WARN int store_super_set(struct store *store, const struct store_roots *roots);

/* (shared) A word that never goes back: the higher of its two copies. which < STORE_MONO_COUNT. */
uint64_t store_mono_get(const struct store *store, uint32_t which);

/* Raise it to `value`; nothing happens where it is that high already. -TWZ_ERANGE above
 * STORE_MONO_MAX. Both copies are durable on return. */
STORE_WARN int store_mono_raise(struct store *store, uint32_t which, uint64_t value);

struct store_usage {
    uint64_t frames;   /* all */
    uint64_t free;     /* free */
    uint64_t meta;     /* fixed frames, chunks, nodes */
    uint64_t pages;    /* page frames; a shared one counts once */
    uint64_t objects;  /* in use */
    uint64_t rows;     /* entries that exist */
    uint64_t rows_max; /* entries that may ever exist */
};
/* (shared) */
void store_usage(const struct store *store, struct store_usage *space);

/* --- objects ------------------------------------------------------------------------------- */

struct store_create {
    uint64_t nonce[2]; /* random: the caller's generator */
    objid_t kuid;
    objid_t account;
    objid_t tie_parent; /* 0: none; else an object of this pool that is not dead */
    objid_t witness;    /* 0: live at once; else born provisional, witness_off a multiple of 8 */
    uint64_t witness_off;
    uint64_t witness_value; /* 0: the low half of the new ID */
    uint32_t perms;         /* TWZ_READ ... */
    uint32_t kind;
    uint32_t persist; /* TWZ_PERSIST_* */
    uint32_t pad;
};

/*
 * (shared) Row of an object. -TWZ_ENOOBJ; -TWZ_EDELETED dead and not yet released (*row is set);
 * -TWZ_EDAMAGED (*row is set). The first look-up after opening verifies that the ID follows from
 * the record (doc/decisions); a mismatch is damage.
 */
STORE_WARN int store_lookup(struct store *store, objid_t id, uint32_t *row);

/*
 * A new object with no pages; its ID is derived from nonce, perms and kuid. With a witness it is
 * provisional: recovery keeps it iff the 8-byte word at (witness, witness_off) holds witness_value
 * then; so make it permanent before that word may change again. The word must not hold the value
 * yet (-TWZ_EEXIST). -TWZ_EEXIST as well for an ID that exists; -TWZ_ENOOBJ no such parent or
 * witness; -TWZ_EINVAL; -TWZ_ENOSPC; -TWZ_EFULL the table is full.
 */
STORE_WARN int store_obj_create(struct store *store, const struct store_create *create,
                                uint32_t *row, objid_t *id);

/* The ID that store_obj_create would give. */
objid_t store_obj_id(const struct store_create *create);

/*
 * Delete: from now on the object is dead, whatever happens; so are the objects tied to it, and the
 * ones tied to those. `died` (may be NULL) is called for each of them, parents first, the object
 * itself included; it must not call the store. Pages can be read and changed until
 * store_obj_release of each: who had the object uses it on.
 * -TWZ_EDELETED where it is dead already.
 */
STORE_WARN int store_obj_delete(struct store *store, uint32_t row,
                                void (*died)(void *ctx, uint32_t row), void *ctx);

/* The last use of a dead object is gone: free its frames and its row. Children tied to it may be
 * released before or after. -TWZ_EINVAL where it is not dead. */
STORE_WARN int store_obj_release(struct store *store, uint32_t row);

/* The same in bounded steps, of `pieces` (at least 1) times 512 KiB of pages: 1 while there is more
 * to do, then call again; 0 when done. The object is gone, durably, with the first call; a power
 * failure leaves nothing behind. The row is not reused before the end. */
STORE_WARN int store_obj_release_some(struct store *store, uint32_t row, uint32_t pieces);

/* A provisional object stays. Nothing happens where it is live. -TWZ_EDELETED. */
STORE_WARN int store_obj_permanent(struct store *store, uint32_t row);

/* Bind its life to the parent's (0: to nobody's). -TWZ_ENOOBJ; -TWZ_EINVAL where that makes a
 * circle; -TWZ_EDELETED where either is dead. */
STORE_WARN int store_obj_tie(struct store *store, uint32_t row, objid_t parent);

/* (shared) 1: other objects are tied to it. */
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
    uint64_t revoke_epoch;
    uint64_t born_epoch;
    uint64_t deleted_epoch;
    uint64_t pages;    /* page frames it reaches, shared ones too */
    uint32_t state;    /* STORE_PROVISIONAL, STORE_LIVE, STORE_DELETED */
    uint32_t damaged;  /* 1: -TWZ_EDAMAGED is what the rest of this would be */
    uint32_t perms;    /* in force: default permissions and mask */
    uint32_t perms_id; /* as they went into the ID */
    uint32_t kind;
    uint32_t persist;
    uint32_t flags; /* STORE_OBJ_* */
    uint32_t class_;
};
/* (shared) All of it but `pages`, which stays 0: a bounded number of words. */
STORE_WARN int store_obj_info(const struct store *store, uint32_t row, struct store_stat *stat);
/* (shared) Counting `pages` visits the object's nodes. */
STORE_WARN int store_obj_stat(const struct store *store, uint32_t row, struct store_stat *stat);

#define STORE_UPDATE_PERMS   0x1u /* fewer default permissions: -TWZ_EDENIED for more */
#define STORE_UPDATE_PERSIST 0x2u
#define STORE_UPDATE_ACCOUNT 0x4u
struct store_update {
    uint32_t which; /* STORE_UPDATE_*: the fields below that change, all in one commit */
    uint32_t perms;
    uint32_t persist;
    uint32_t pad;
    objid_t account;
};
STORE_WARN int store_obj_update(struct store *store, uint32_t row,
                                const struct store_update *update);

/* Raise the revocation epoch; nothing happens where it is that high. */
STORE_WARN int store_obj_revoke(struct store *store, uint32_t row, uint64_t epoch);

/* (shared) The next object at or after *row, dead and damaged ones too; -TWZ_ENOOBJ at the end.
 * for (row = 0; store_obj_next(s, &row) >= 0; row++) */
STORE_WARN int store_obj_next(const struct store *store, uint32_t *row);

/* (shared) Its ID, without validation; 0 for a free row. */
objid_t store_obj_id_of(const struct store *store, uint32_t row);

/* --- pages --------------------------------------------------------------------------------- */

struct store_page {
    uint32_t page;
    uint32_t frame; /* PRESENT, SHARED, POISONED */
    uint32_t state; /* STORE_ABSENT ... STORE_ELSEWHERE */
    uint32_t flags; /* STORE_FLAG_* */
};

/* (shared) What is at a page. -TWZ_ERANGE for page 0, the record page and beyond; -TWZ_EDAMAGED. */
STORE_WARN int store_page_get(const struct store *store, uint32_t row, uint32_t page,
                              struct store_page *out);

/*
 * A zeroed page where none is (ABSENT); -TWZ_EEXIST where there is one, -TWZ_EFAULT at a hole.
 * The word that makes the frame part of the object is durable on return, so it may be mapped.
 */
STORE_WARN int store_page_add(struct store *store, uint32_t row, uint32_t page, uint32_t *frame);

/*
 * Pages first .. first + count - 1, all ABSENT before (holes too where `source` is given, which
 * returns 4096 bytes to fill a page with, or NULL for zeroes). Three fences for each 512 pages at
 * most. A power failure may leave any of the pages, each whole; nothing else is in between.
 */
STORE_WARN int store_page_add_many(struct store *store, uint32_t row, uint32_t first,
                                   uint32_t count, const void *(*source)(void *ctx, uint32_t page),
                                   void *ctx);

/* Take pages out: `state` is STORE_ABSENT or STORE_HOLE. The caller has unmapped them before.
 * A power failure may leave any of them in or out. */
STORE_WARN int store_page_discard(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                                  uint32_t state);

/* Set or clear STORE_FLAG_READONLY of what is there in the range. Page by page as above. */
STORE_WARN int store_page_protect(struct store *store, uint32_t row, uint32_t first, uint32_t count,
                                  uint32_t readonly);

/*
 * Let `count` pages of dst (ABSENT or HOLE before) be those of src: both sides become SHARED; the
 * caller has made src's mappings read-only before. Absent pages stay absent. Page by page as above.
 * A frame that 32767 pages hold is lent no more: a copy of it is (-TWZ_ENOSPC where no frame is
 * free), one for all pages that need it in a row.
 */
STORE_WARN int store_page_share(struct store *store, uint32_t dst, uint32_t dst_first, uint32_t src,
                                uint32_t src_first, uint32_t count);

/* Before a write to a SHARED page: copy its frame (or take it over where nobody else has it) and
 * make it PRESENT. *frame is the frame to map; the caller has unmapped the old one before. */
STORE_WARN int store_page_break_cow(struct store *store, uint32_t row, uint32_t page,
                                    uint32_t *frame);

/* The frame lost data: PRESENT or SHARED becomes POISONED. */
STORE_WARN int store_page_poison(struct store *store, uint32_t row, uint32_t page);

/* (shared) The first page at or after out->page that is not ABSENT; -TWZ_ENOOBJ at the end.
 * Skips empty nodes, so a walk costs what the object has. */
STORE_WARN int store_page_next(const struct store *store, uint32_t row, struct store_page *out);

/* The same, and nothing at `end` or behind is looked at but what is left of its node. */
STORE_WARN int store_page_next_before(const struct store *store, uint32_t row, uint32_t end,
                                      struct store_page *out);

/* (shared) Where a frame lies in env->base. */
void *store_frame_ptr(const struct store *store, uint32_t frame);

/* Zero up to `count` free frames ahead (idle time): later store_page_add calls store one word.
 * Returns how many; 0: enough are ready. Streams: the caller fences before another core may add
 * pages. */
uint32_t store_prezero(struct store *store, uint32_t count);

/* --- check --------------------------------------------------------------------------------- */

struct store_checked {
    uint64_t objects;
    uint64_t frames; /* reached */
    uint64_t problems;
    uint64_t pending; /* objects a recovery would sweep or settle: no damage */
};

/*
 * The invariant walk, over the media alone (it uses none of the volatile tables but memory from
 * `env`, and stores nothing): superblock copies equal, mirrors equal, every word valid and in
 * range, no frame reached twice unless shared, IDs unique and derived from their records, versions
 * intact, parents and witnesses well formed. Each problem goes to `found`.
 * 0 (also with problems), or the errors of store_open.
 */
STORE_WARN int store_check(const struct store_env *env,
                           void (*found)(void *ctx, const struct store_report *report), void *ctx,
                           struct store_checked *result);

#endif
