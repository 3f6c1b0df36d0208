/* SPDX-License-Identifier: MIT */
/*
 * What the files of the store share: the volatile state of an open pool and the calls between them.
 * All of it is rebuilt by recovery; nothing here outlives store_close.
 *
 * Layers, the highest first. A file calls only functions of lower layers (utils/dev/check_calls.py):
 *   check             the invariant walk
 *   open, mkpool      opening and making a pool
 *   recover           from the media to the volatile state
 *   sweep             what recovery keeps and frees
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
    uint8_t state;       /* STORE_FREE ... STORE_DEAD; of a damaged commit word: STORE_LIVE */
    uint8_t flags;       /* ROW_* */
};
#define ROW_DAMAGED  0x01u
#define ROW_VERIFIED 0x02u /* the ID follows from the record */
#define ROW_INDEXED  0x04u
#define ROW_DYING    0x20u /* sweep: in the queue of what goes */
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

/* --- index.c ------------------------------------------------------------------------------- */

/* Memory for one more; -TWZ_ENOMEM. */
int index_reserve(struct store *store);
/* Row of an ID, or STORE_NO_ROW. */
uint32_t index_find(const struct store *store, objid_t id);
void index_add(struct store *store, uint32_t row);
void index_remove(struct store *store, uint32_t row);

/* --- table.c: entries and rows ------------------------------------------------------------ */

struct row *row_of(const struct store *store, uint32_t row);
struct store_entry *entry_of(const struct store *store, uint32_t row);
const struct store_version *version_of(const struct store_entry *entry);
/* CRC that the commit word holds for a version of the entry. */
uint32_t entry_crc(objid_t id, const struct store_identity *identity,
                   const struct store_version *version);
/* 0, or why a row cannot be used: -TWZ_EINVAL, -TWZ_ENOOBJ, -TWZ_EDELETED, -TWZ_EDAMAGED. */
int row_usable(const struct store *store, uint32_t row);
/* Report damage of an object at a place in the pool. */
void table_report(const struct store *store, uint32_t row, const void *at, uint64_t found,
                  uint64_t wanted, const char *what);
/* Memory for the volatile state of a chunk; -TWZ_ENOMEM. */
int table_reserve(struct store *store, uint32_t chunk);
/* One more chunk; the caller has reserved memory and seen a free frame, and fences before it
 * commits anything in the chunk. */
void table_grow(struct store *store);
/* Store word of a directory index in one copy of the directory. */
uint64_t *table_dir_word(const struct store *store, uint32_t copy, uint32_t chunk);
/* Volatile lists of ties. */
void tie_link(struct store *store, uint32_t child, uint32_t parent);
void tie_unlink(struct store *store, uint32_t child, uint32_t parent);

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
int page_direct(uint32_t page);
/* Index of a direct word's page. */
uint32_t direct_page(uint32_t direct);

struct walk_word {
    uint64_t *at;
    uint64_t word;
    uint32_t place; /* STORE_LOC_TREE, ROOT or PAGE */
    uint32_t index;
    int valid; /* check and sanity */
};
/*
 * Visit each word of an object that is not ABSENT, nodes before what is in them. The visitor
 * returns 1 to go on (into a node too), 0 to go on past it, or a negative error, which ends it.
 */
int walk_object(const struct store *store, uint32_t row,
                int (*visit)(void *ctx, const struct walk_word *word), void *ctx);
/* The node that a valid STORE_NODE word leads to. */
uint64_t *node_of(const struct store *store, uint64_t word);
/* Is this a good word of its place? */
int word_good(const struct store *store, uint64_t word, uint16_t salt, uint32_t place,
              uint32_t index);
/*
 * The leaf of a page that is not direct: *leaf, or NULL where there is none; *parent is then the
 * word to commit (the entry's tree word, or a root word), with *place telling which.
 */
int walk_leaf(const struct store *store, uint32_t row, uint32_t page, uint64_t **leaf,
              uint64_t **parent, uint32_t *place);
/* The eight bytes at an offset of an object; 0 where no page is. -TWZ_EDAMAGED. */
int walk_value(const struct store *store, uint32_t row, uint64_t offset, uint64_t *value);

/* --- object.c, release.c ------------------------------------------------------------------- */

/* 0, or why an object cannot be changed. */
int object_changeable(const struct store *store, uint32_t row);
/* Row of the object it is tied to, or STORE_NO_ROW. */
uint32_t object_parent(const struct store *store, uint32_t row);
/* Commit a row's state, its version unchanged. */
void object_commit_state(struct store *store, uint32_t row, uint32_t state);
/* Make a row free: entry first, then its frames. */
void object_free(struct store *store, uint32_t row);

/* --- recover.c, sweep.c -------------------------------------------------------------------- */

/* Settle provisional, dead and tied objects; counts in *result. -TWZ_ENOMEM. */
int sweep_objects(struct store *store, struct store_recovery *result);

#endif
