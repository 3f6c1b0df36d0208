/* SPDX-License-Identifier: MIT */
/*
 * What the files of the store share: the volatile state of an open pool and the calls between them.
 * All of it is rebuilt by recovery; nothing here outlives store_close.
 *
 * Layers, the highest first. A file calls only functions of lower layers (utils/dev/check_calls.py):
 *   check             the invariant walk
 *   open, mkpool      opening and making a pool
 *   recover           from the media to the volatile state
 *   reclaim           what recovery keeps and frees
 *   page, release     operations on pages, the end of objects
 *   object, change    operations on entries, changes of page words
 *   index, walk       ID -> row, the words of one object
 *   table             entries, rows, ties
 *   super, frames     superblock and mono words, frames
 *   env               the caller's environment
 *   word, bits        pure
 */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include <lib/string.h>
#include <stdbool.h>
#include <store/bits.h>
#include <store/persist.h>
#include <store/store.h>
#include <store/word.h>
#include <twz/error.h>

/* Volatile state of a row. Links are row + 1, 0: none. */
struct row {
    uint32_t tie_first; /* objects tied to this one ... */
    uint32_t tie_next;  /* ... are a list through these two */
    uint32_t tie_prev;  /* 0: first of its parent's list */
    uint32_t wit_first; /* recovery only: provisional objects whose witness word lies in this one */
    uint32_t wit_next;
    uint32_t index_next; /* same bucket of the index */
    uint32_t drained;    /* ROW_FREEING: pieces that are done; see release.c */
    uint16_t salt;       /* of the object's words */
    uint8_t state;       /* STORE_FREE ... STORE_DELETED; of a damaged commit word: STORE_LIVE */
    uint8_t flags;       /* ROW_* */
};
#define ROW_DAMAGED  0x01u
#define ROW_VERIFIED 0x02u /* the ID follows from the record */
#define ROW_INDEXED  0x04u
#define ROW_MARKED   0x20u /* reclaim: in the queue of what goes */
#define ROW_TIED     0x40u /* is on its parent's list */
#define ROW_FREEING  0x80u /* free on the media; its frames are still being given back */

struct chunk {
    uint32_t frame;
    uint32_t pad;
    struct row row[STORE_CHUNK_ENTRIES];
};

#define SEGMENT_CHUNKS 32u
struct segment {
    struct chunk chunk[SEGMENT_CHUNKS];
};

#define ZEROED_MAX 64u

#define INDEX_SEGMENT 512u

struct store {
    struct store_env env;
    uint64_t frames;
    uint16_t low[STORE_NODE_WORDS]; /* word_low_table */
    uint16_t salt;                  /* of the pool's own words */
    uint8_t readonly;               /* nothing may be stored */
    uint8_t recovered;
    uint32_t super_copy; /* the one in force */
    struct store_super super;
    uint64_t mono[STORE_MONO_COUNT];

    /* frames: how many words reach each, or REF_OWN | 1; a member of free_frames has 0 */
    uint16_t *refs;
    struct bits free_frames;
    uint64_t meta;               /* fixed frames, chunks, nodes */
    uint32_t zeroed[ZEROED_MAX]; /* free frames that are zero already */
    uint32_t zeroed_count;

    /* object table */
    struct segment **segment;
    uint32_t segments; /* length of the array */
    uint32_t chunks;   /* that exist: 0 .. chunks - 1 */
    struct bits free_rows;
    uint64_t objects;

    /* ID -> row + 1 */
    uint32_t **index; /* buckets, INDEX_SEGMENT in a piece */
    uint32_t index_buckets;
    uint32_t index_low; /* the largest power of two up to that */
    uint32_t index_used;
};

/* --- env.c --------------------------------------------------------------------------------- */

/* Memory from the caller's environment: zeroed, or NULL. env_free accepts NULL. */
void *env_alloc(const struct store *store, size_t bytes);
void env_free(const struct store *store, void *mem, size_t bytes);
/* Pass a report of damage at `at`, an address in the pool, to the caller. */
void env_report(const struct store *store, struct store_report *report, const void *at);
/* The same for damage outside of the objects. */
void env_report_pool(const struct store *store, const void *at, uint64_t found, uint64_t wanted,
                     const char *what);
/* 0, or -TWZ_EDENIED where the store is read only or not recovered. */
int env_writable(const struct store *store);

static inline void *env_frame(const struct store *store, uint32_t frame)
{
    return (uint8_t *)store->env.base + ((size_t)frame << STORE_FRAME_SHIFT);
}

/* --- frames.c: frames ----------------------------------------------------------------------- */

#define REF_OWN 0x8000u /* by one word, which does not say that others may */
#ifndef REF_MAX         /* tests of what happens at the limit come with a smaller one */
#define REF_MAX 0x7fffu
#endif
_Static_assert(REF_MAX < REF_OWN, "a count leaves the mark alone");

/* Frames that can be taken now. */
uint64_t frames_free(const struct store *store);
/* Take a free frame; the caller has seen that there is one. `page`: 1 a page, 0 metadata. */
uint32_t frame_alloc(struct store *store, int page);
/* The same, and the frame is zero and so on the media, or will be at the next fence. */
uint32_t frame_alloc_zeroed(struct store *store);
/* Recovery reaches a frame; -TWZ_EDAMAGED where it is taken by another already, -TWZ_EFULL where it
 * is shared by more words than there can be. */
int frame_claim(struct store *store, uint32_t frame, int page, int shared);
/* How many words reach a frame: 0 .. REF_MAX. */
uint32_t frame_refs(const struct store *store, uint32_t frame);
/* The one word that reaches a frame says from now on that others may. */
void frame_mark_shared(struct store *store, uint32_t frame);
/* A word more reaches a lent frame; the caller has seen fewer than REF_MAX. */
void frame_ref(struct store *store, uint32_t frame);
/*
 * The one door of all frees: a reference less, and the frame is free with the last one. Nothing on
 * the media reaches it any more by then. `epoch` is when it was last of use; today it is not kept.
 */
void frame_defer_free(struct store *store, uint32_t frame, int page, uint64_t epoch);

/* --- table.c: entries, rows, ties ---------------------------------------------------------- */

/*
 * One row of the object table. An operation resolves the number of a row once and passes the cursor
 * down. A cursor stays valid as long as the store is open. Its store is const: the calls that change
 * pool-wide tables take the store as well.
 */
struct cursor {
    const struct store *store;
    struct row *row;           /* volatile state */
    struct store_entry *entry; /* on the media */
    uint32_t number;           /* of the row */
    uint16_t salt;             /* of the object's words */
};

/* Resolve a row that exists. */
void cursor_set(struct cursor *cursor, const struct store *store, uint32_t number);
/* 0, or why an object cannot be used: -TWZ_ENOOBJ, -TWZ_EDELETED, -TWZ_EDAMAGED. */
int cursor_usable(const struct cursor *cursor);
/* Both. After -TWZ_EINVAL, where there is no such row, the cursor is not set; after the errors of
 * cursor_usable it is. */
int cursor_open(struct cursor *cursor, const struct store *store, uint32_t number);
/* The same before a change: -TWZ_EDENIED, with the cursor not set, where nothing may be stored. */
int cursor_open_writable(struct cursor *cursor, const struct store *store, uint32_t number);
/* Report damage of the object at `at`, an address in the pool. */
void cursor_report(const struct cursor *cursor, const void *at, uint64_t found, uint64_t wanted,
                   const char *what);

struct row *table_row(const struct store *store, uint32_t number);
/* Rows that exist: 0 .. table_rows - 1. */
uint32_t table_rows(const struct store *store);
/* The version that holds. */
const struct store_version *entry_version(const struct store_entry *entry);
/* CRC that the commit word holds for a version of the entry. */
uint32_t entry_crc(objid_t id, const struct store_identity *identity,
                   const struct store_version *version);
/* Memory for the volatile state of a chunk; -TWZ_ENOMEM. */
int table_reserve(struct store *store, uint32_t chunk);
/* One more chunk; the caller has reserved memory and seen a free frame, and fences before it
 * commits anything in the chunk. */
void table_grow(struct store *store);
/* Store word of a directory index in one copy of the directory. */
uint64_t *table_dir_word(const struct store *store, uint32_t copy, uint32_t chunk);
/* Volatile lists of ties. */
void tie_link(const struct cursor *child, const struct cursor *parent);
void tie_unlink(const struct cursor *child, const struct cursor *parent);

/* --- index.c ------------------------------------------------------------------------------- */

/* Memory for one more; -TWZ_ENOMEM. */
int index_reserve(struct store *store);
/* Resolve an ID; false where no object has it. */
bool index_find(const struct store *store, objid_t id, struct cursor *found);
void index_add(struct store *store, const struct cursor *cursor);
void index_remove(struct store *store, const struct cursor *cursor);

/* --- super.c ------------------------------------------------------------------------------- */

/* Fingerprint of the media layout. */
uint32_t store_layout(void);
/* Why a copy does not hold: 0, -TWZ_ENOTPOOL, -TWZ_EVERSION, -TWZ_EDAMAGED. */
int super_copy_state(const struct store_super *super);
/* Write one copy and publish it. */
void super_write(void *base, uint32_t copy, const struct store_super *super);
/* Sanity of what a valid copy says, for a mapping of `frames`; fills `why`. */
int super_sane(const struct store_super *super, uint64_t frames, struct store_report *why);
uint64_t *epoch_word(const struct store *store, uint32_t copy);
uint64_t *mono_word(const struct store *store, uint32_t copy, uint32_t which);

/* --- walk.c: the words of one object ------------------------------------------------------- */

/* Direct word of a page, or -1. */
int direct_of_page(uint32_t page);
/* Page of a direct word. */
uint32_t page_of_direct(uint32_t direct);
/* The node that a valid STORE_NODE word leads to. */
uint64_t *walk_node(const struct store *store, uint64_t word);
/* Is this a good word of the object at this location? */
bool walk_is_good(const struct cursor *cursor, uint64_t word, uint32_t loc, uint32_t index);

struct walk_word {
    uint64_t *at;
    uint64_t word;
    uint32_t loc; /* STORE_LOC_TREE, ROOT or PAGE */
    uint32_t index;
    bool valid; /* check and sanity */
};
/*
 * Visit each word of an object that is not ABSENT, nodes before what is in them. The visitor
 * returns 1 to go on (into a node too), 0 to go on past it, or a negative error, which ends it.
 */
int walk_object(const struct cursor *cursor, int (*visit)(void *ctx, const struct walk_word *word),
                void *ctx);
/*
 * The leaf of a page that is not direct: *leaf, or NULL where there is none; *parent is then the
 * word to commit (the entry's tree word, or a root word), with *loc telling which.
 */
int walk_leaf(const struct cursor *cursor, uint32_t page, uint64_t **leaf, uint64_t **parent,
              uint32_t *loc);
/* As store_page_get. */
int walk_page(const struct cursor *cursor, uint32_t page, struct store_page *out);
/* The eight bytes at an offset of an object; 0 where no page is. -TWZ_EDAMAGED. */
int walk_value(const struct cursor *cursor, uint64_t offset, uint64_t *value);

/* --- object.c, release.c ------------------------------------------------------------------- */

/* The object it is tied to; false where there is none. */
bool object_parent(const struct cursor *cursor, struct cursor *parent);
/* Commit a row's state, its version unchanged. */
void object_commit_state(const struct cursor *cursor, uint32_t state);
/* Make a row free: entry first, then its frames. */
void object_free(struct store *store, const struct cursor *cursor);

/* --- recover.c, reclaim.c -------------------------------------------------------------------- */

/* Settle provisional, dead and tied objects; counts in *result. -TWZ_ENOMEM. */
int reclaim_objects(struct store *store, struct store_recovery *result);

#endif
