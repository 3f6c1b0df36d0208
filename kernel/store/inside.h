/* SPDX-License-Identifier: MIT */
/*
 * The internal interface of the store: the volatile state of an open pool, and the calls between
 * the files. Recovery rebuilds this state from the media; store_close frees it.
 *
 * Layers, the highest first. A file must call only functions of lower layers; utils/dev/
 * check_calls.py checks it.
 *   check             the invariant walk
 *   open, mkpool      opening and making a pool
 *   recover           from the media to the volatile state
 *   reclaim           the last phase of recovery: provisional, deleted and tied objects
 *   page, create,     operations on pages, the beginning and the end of objects
 *   release
 *   object, change    operations on entries, changes of page words
 *   index, walk       ID -> row, the words of one object
 *   table             entries, rows, ties
 *   badframes         the list of frames that lost data
 *   super, frames     superblock and monotonic counters, frame allocator
 *   env               the caller's environment
 *   word, bits, parts pure
 */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include <lib/string.h>
#include <stdbool.h>
#include <store/bits.h>
#include <store/parts.h>
#include <store/persist.h>
#include <store/store.h>
#include <store/word.h>
#include <twz/error.h>

/* Volatile state of a row of the object table. A link is the number of a row + 1; 0 ends a list. */
struct row {
    uint32_t tie_first; /* list of the objects tied to this one */
    uint32_t tie_next;  /* this object on the list of its parent */
    uint32_t tie_prev;  /* 0: the first on that list */
    /* recovery: list of provisional objects whose witness is this object, and the link in it;
     * deletion: list of the parents whose children are being deleted (release.c) */
    uint32_t wit_first;
    uint32_t wit_next;
    uint32_t index_next; /* next row in the same bucket of the index */
    union {
        uint32_t freed;       /* ROW_FREEING: batches of words whose frames are free (release.c) */
        uint32_t marked_next; /* ROW_MARKED: next row in the queue of reclaim.c */
    };
    uint32_t pages : 20; /* page words with a frame; under the object's lock, like the next */
    uint32_t nodes : 12; /* frames of root and leaves */
    uint16_t salt;       /* of the object's words */
    uint8_t state;       /* STORE_FREE ... STORE_DELETED; LIVE if the commit word is damaged */
    uint8_t flags;       /* ROW_* */
};
#define ROW_DAMAGED  0x01u
#define ROW_VERIFIED 0x02u /* the ID was derived from the identity, and matches */
#define ROW_INDEXED  0x04u
#define ROW_LATER    0x08u /* damaged, because it is an object of a later version */
#define ROW_DRAFT    0x10u /* free on the media; its creator fills it with pages (create.c) */
#define ROW_MARKED   0x20u /* recovery: in the queue of objects to be reclaimed */
#define ROW_TIED     0x40u /* on the list of its parent */
#define ROW_FREEING  0x80u /* free on the media; some of its frames are not free yet */

_Static_assert(TWZ_OBJ_PAGES <= 1u << 20 && STORE_NODE_WORDS + 1u < 1u << 12, "the counts fit");

/* Change the counts of an object's frames. */
static inline void row_count(struct row *row, uint32_t pages, uint32_t nodes)
{
    row->pages = (row->pages + pages) & 0xfffffu;
    row->nodes = (row->nodes + nodes) & 0xfffu;
}

struct chunk {
    uint32_t frame;
    uint32_t pad;
    struct row row[STORE_CHUNK_ENTRIES];
};

#define SEGMENT_CHUNKS 32u
struct segment {
    struct chunk chunk[SEGMENT_CHUNKS];
};

/* Free frames that belong to one core (frames.c). */
#define RESERVE_FRAMES 64u
struct reserve_stack {
    uint32_t count;                /* of the owner: the slots from this one on are empty */
    uint32_t slot[RESERVE_FRAMES]; /* a frame, or 0 if another core has taken it */
};
struct reserve {
    struct reserve_stack raw;
    struct reserve_stack zeroed; /* the frames are zero; durable at the owner's next fence */
};

struct store {
    struct store_env env;
    uint64_t frames;
    uint16_t low[STORE_NODE_WORDS]; /* word_low_table */
    uint16_t salt;                  /* of the pool's own words */
    bool readonly;                  /* no call may store to the media */
    bool recovered;
    bool charged;        /* some object names an account, or did */
    uint32_t super_copy; /* the current one */
    struct store_super super;
    uint64_t mono[STORE_MONO_COUNT];

    /* frames: how many words reach each, or REF_SOLE | 1; 0 for a free frame */
    struct parts refs; /* uint16_t */
    struct bits free_frames;
    uint64_t available; /* free frames less the promised ones; atomic */
    uint64_t meta;      /* fixed frames, chunks, nodes; atomic */
    bool saturating;    /* some frame has, or had, more than REF_MAX / 2 references; atomic */
    struct reserve *reserve;
    uint32_t reserves; /* length of the array */

    /* bad-frame list: its last frame, the number of that frame, its first free word */
    uint32_t bad_frame;
    uint32_t bad_number;
    uint32_t bad_free; /* STORE_NODE_WORDS: none is free */
    uint32_t bad_count;
    bool bad_spare;         /* a frame is promised to the list */
    struct bits bad_frames; /* the frames on the list */

    /* object table */
    struct parts segments; /* struct segment *; NULL: not allocated */
    uint32_t chunks;       /* that exist: 0 .. chunks - 1 */
    struct bits free_rows;
    uint64_t objects;

    /* ID -> row + 1 */
    struct parts index; /* uint32_t: the buckets */
    uint32_t index_buckets;
    uint32_t index_low; /* the largest power of two up to index_buckets */
    uint32_t index_used;
};

/* --- env.c --------------------------------------------------------------------------------- */

/* Zeroed memory from the caller's environment, or NULL. env_free accepts NULL. */
void *env_alloc(const struct store *store, size_t bytes);
void env_free(const struct store *store, void *mem, size_t bytes);
/* Set up an array of `bytes`, zeroed: without its parts; one part of it, if it is missing; with all
 * of its parts. -TWZ_ENOMEM; the caller must call env_free_parts then, too. */
int env_alloc_array(const struct store *store, struct parts *parts, size_t bytes);
int env_alloc_part(const struct store *store, struct parts *parts, size_t offset);
int env_alloc_parts(const struct store *store, struct parts *parts, size_t bytes);
void env_free_parts(const struct store *store, struct parts *parts);
/* Take and release a lock of the caller (STORE_LOCK_*). */
void env_lock(const struct store *store, uint32_t which);
void env_unlock(const struct store *store, uint32_t which);
/* The memory lost a byte that persist_copy_nt has read on this core since the last call. */
bool env_lost(const struct store *store);
/* Report damage to the caller. `at` must be an address in the pool. */
void env_report(const struct store *store, struct store_report *report, const void *at);
/* The same for damage that belongs to no object. */
void env_report_pool(const struct store *store, const void *at, uint64_t found, uint64_t wanted,
                     const char *what);
/* 0, or -TWZ_EDENIED if the store is read-only or not recovered. */
int env_writable(const struct store *store);

static inline void *env_frame(const struct store *store, uint32_t frame)
{
    return (uint8_t *)store->env.base + ((size_t)frame << STORE_FRAME_SHIFT);
}

/* --- frames.c ------------------------------------------------------------------------------ */

#define REF_SOLE 0x8000u /* one word reaches the frame, and it is not a SHARED word */
#ifndef REF_MAX          /* the crash test builds the store with a lower limit */
#define REF_MAX 0x7ffeu
#endif
_Static_assert(REF_MAX + 1u < REF_SOLE, "a count, and one for the bad-frame list, spare the flag");

enum frame_use { FRAME_META, FRAME_PAGE };

/* Number of free frames that no operation was promised. */
uint64_t frames_free(const struct store *store);
/* Promise `count` frames to the caller. False if there are fewer. */
bool frames_promise(struct store *store, uint64_t count);
/* Give back promised frames that the caller did not allocate. */
void frames_return(struct store *store, uint64_t count);
/* Allocate a promised frame, content undefined. */
uint32_t frame_alloc(struct store *store, enum frame_use use);
/* Allocate a promised frame of zeros, durable at the caller's next fence. */
uint32_t frame_alloc_zeroed(struct store *store, enum frame_use use);
/* Recovery: count one more word that reaches a frame. -TWZ_EDAMAGED if the words may not share it,
 * -TWZ_EFULL beyond REF_MAX words. */
int frame_claim(struct store *store, uint32_t frame, enum frame_use use, bool shared);
/* Number of words that reach a frame: 0 .. REF_MAX. */
uint32_t frame_refs(const struct store *store, uint32_t frame);
/* Allow other words to reach a frame. The caller makes its only word a SHARED word. */
void frame_mark_shared(struct store *store, uint32_t frame);
/* Count one more SHARED word. frame_refs must be below REF_MAX. */
void frame_ref(struct store *store, uint32_t frame);
/* Count the word of the bad-frame list that reaches a frame, whatever else does: the frame is never
 * free again. */
void frame_retire(struct store *store, uint32_t frame);
/*
 * Drop one reference. The last one frees the frame; no durable word may reach it by then. All frees
 * go through this function. `epoch` is the last epoch that used the frame; it has no effect today.
 */
void frame_defer_free(struct store *store, uint32_t frame, enum frame_use use, uint64_t epoch);
/* Allocate and free the allocator's tables. -TWZ_ENOMEM; the caller must call frames_close then,
 * too. */
int frames_open(struct store *store);
void frames_close(struct store *store);
/* Recovery: make all frames free. */
void frames_fill(struct store *store);

/* --- super.c ------------------------------------------------------------------------------- */

/* Fingerprint of the media layout. */
uint32_t store_layout(void);
/* 0 for a valid copy, else -TWZ_ENOTPOOL, -TWZ_EVERSION or -TWZ_EDAMAGED. */
int super_copy_state(const struct store_super *super);
/* Write one copy and commit it; durable on return. */
void super_write(void *base, uint32_t copy, const struct store_super *super);
/* Check the fields of a valid copy against a mapping of `frames`: the errors of store_open, with
 * the details in *why. */
int super_check(const struct store_super *super, uint64_t frames, struct store_report *why);
/* Read a mirrored word: the value of the higher valid copy. False, reported, if none is valid. */
bool super_highest(const struct store *store, uint64_t *const copy[2], uint32_t loc, uint32_t index,
                   uint64_t *value);
/* Raise the writer generation; durable on return. The first store of a writer. -TWZ_EDAMAGED if
 * both copies are lost, -TWZ_ERANGE if it cannot rise. */
int super_raise_writer(struct store *store);
/* Media addresses of the committed epoch and of a monotonic counter, in one of the two copies. */
uint64_t *epoch_word(const struct store *store, uint32_t copy);
uint64_t *mono_word(const struct store *store, uint32_t copy, uint32_t which);

/* --- badframes.c --------------------------------------------------------------------------- */

/* Allocate and free the volatile set. -TWZ_ENOMEM; the caller must call badframes_close then, too.
 */
int badframes_open(struct store *store);
void badframes_close(struct store *store);
/* Recovery: claim the frames of the list and find its end. Damage is reported. */
void badframes_find(struct store *store);
/* Recovery, after all other claims: retire the frames on the list. */
void badframes_claim(struct store *store);
/* Enter a frame in the list, unless it is there; durable on return. -TWZ_ENOSPC if the list has to
 * grow, the pool is full, and the frame that the list has in reserve is used up. */
int badframes_add(struct store *store, uint32_t frame);

/* --- table.c: entries, rows, ties ---------------------------------------------------------- */

/*
 * One row of the object table. An operation resolves the number of a row once and passes the cursor
 * down. A cursor stays valid while the store is open. Its store is const: a function that changes
 * the pool's tables takes the store as well.
 */
struct cursor {
    const struct store *store;
    struct row *row;           /* volatile state */
    struct store_entry *entry; /* on the media */
    uint32_t number;           /* of the row */
    uint16_t salt;             /* of the object's words */
};

/* Resolve a row. `number` must be below table_rows. */
void cursor_set(struct cursor *cursor, const struct store *store, uint32_t number);
/* 0, also for a draft; or -TWZ_ENOOBJ, -TWZ_EDELETED or -TWZ_EDAMAGED for an object that cannot be
 * used. */
int cursor_usable(const struct cursor *cursor);
/* Resolve and check a row. -TWZ_EINVAL for a number out of range; the cursor is not set then. After
 * the errors of cursor_usable it is set. */
int cursor_open(struct cursor *cursor, const struct store *store, uint32_t number);
/* The same before a change. -TWZ_EDENIED as env_writable; the cursor is not set then. */
int cursor_open_writable(struct cursor *cursor, const struct store *store, uint32_t number);
/* Report damage of the object. `at` must be an address in the pool. */
void cursor_report(const struct cursor *cursor, const void *at, uint64_t found, uint64_t wanted,
                   const char *what);

/* Number of rows, free ones included. */
uint32_t table_rows(const struct store *store);
struct row *table_row(const struct store *store, uint32_t number);
/* The current version of an entry. */
const struct store_version *entry_version(const struct store_entry *entry);
/* The object of an intact entry is of a later version: what this one does not know, or NULL. */
const char *entry_unknown(const struct store_identity *identity,
                          const struct store_version *version);
/* CRC of the commit word for an entry with this version. */
uint32_t entry_crc(objid_t id, const struct store_identity *identity,
                   const struct store_version *version);
/* Allocate and free the volatile table, without the state of the chunks. -TWZ_ENOMEM; the caller
 * must call table_close then, too. */
int table_open(struct store *store);
void table_close(struct store *store);
/* Allocate the volatile state of a chunk. -TWZ_ENOMEM. */
int table_reserve(struct store *store, uint32_t chunk);
/* Set the frame of a chunk, after table_reserve. */
void table_set_chunk(struct store *store, uint32_t chunk, uint32_t frame);
/* Add a chunk. The caller must have called table_reserve and must have seen a free frame. It must
 * fence before it commits an entry of the chunk. */
void table_grow(struct store *store);
/* Media address of a directory word in one of the two copies. */
uint64_t *table_dir_word(const struct store *store, uint32_t copy, uint32_t chunk);
/* The volatile list of the objects tied to a parent. tie_unlink accepts a child that is on none. */
void tie_link(const struct cursor *child, const struct cursor *parent);
void tie_unlink(const struct cursor *child, const struct cursor *parent);

/* --- index.c ------------------------------------------------------------------------------- */

/* Allocate memory for one more object. -TWZ_ENOMEM. Must precede each index_add. */
int index_reserve(struct store *store);
/* Resolve an ID. False if no object has it; *found is undefined then. */
bool index_find(const struct store *store, objid_t id, struct cursor *found);
void index_add(struct store *store, const struct cursor *cursor);
/* Accepts an object that is not in the index. */
void index_remove(struct store *store, const struct cursor *cursor);

/* --- walk.c: the words of one object, read only --------------------------------------------- */

/* Number of a page's direct word, or -1. */
int direct_of_page(uint32_t page);
/* Page of a direct word. */
uint32_t page_of_direct(uint32_t direct);
/* The node that a STORE_NODE word points to. The word must be good. */
uint64_t *walk_node(const struct store *store, uint64_t word);
/* The word is valid at this location of the object, is sane, and has a state that may stand there.
 * */
bool walk_is_good(const struct cursor *cursor, uint64_t word, uint32_t loc, uint32_t index);

struct walk_word {
    uint64_t *at;
    uint64_t word;
    uint32_t loc; /* STORE_LOC_TREE, ROOT or PAGE */
    uint32_t index;
    bool good; /* walk_is_good */
};
/*
 * Visit each word of an object that is not ABSENT; a node's own word precedes the words in it. The
 * callback returns whether the node of a good node word is to be entered.
 */
void walk_object(const struct cursor *cursor,
                 bool (*visit)(void *ctx, const struct walk_word *word), void *ctx);
/*
 * Find the leaf of a page that is not direct. If it does not exist, *leaf is NULL, and *parent is
 * the ABSENT word by which a new branch must be linked. *loc is the kind of *parent, STORE_LOC_TREE
 * or STORE_LOC_ROOT. -TWZ_EDAMAGED.
 */
int walk_leaf(const struct cursor *cursor, uint32_t page, uint64_t **leaf, uint64_t **parent,
              uint32_t *loc);
/* As store_page_get. */
int walk_page(const struct cursor *cursor, uint32_t page, struct store_page *out);
/* Read the 8 bytes at an offset, 0 if there is no page. -TWZ_EDAMAGED, -TWZ_ERANGE, -TWZ_EPOISON.
 * */
int walk_value(const struct cursor *cursor, uint64_t offset, uint64_t *value);

/* --- object.c, release.c ------------------------------------------------------------------- */

/* The ID that follows from the identity, and from the tree's root if the object is sealed; 0 if it
 * is sealed and has WRITE or a kind other than DATA, which no sealed object has. */
objid_t object_derived_id(const struct store_entry *entry);
/* Resolve the object that this one is tied to. False if there is none. */
bool object_parent(const struct cursor *cursor, struct cursor *parent);
/* Resolve an object that another one is to be tied to. -TWZ_ENOOBJ, or as cursor_usable. */
int object_find_parent(const struct store *store, objid_t id, struct cursor *parent);
/* Commit a new state of an object, its version unchanged; durable on return. */
void object_commit_state(const struct cursor *cursor, uint32_t state);
/* Free an object: commit the free entry, then free its frames and its row. */
void object_free(struct store *store, const struct cursor *cursor);

/* --- reclaim.c ----------------------------------------------------------------------------- */

/* Retain or free provisional objects, free deleted ones and those tied to them. Adds to *result. */
void reclaim_objects(struct store *store, struct store_recovery *result);

#endif
