/* SPDX-License-Identifier: MIT */
/*
 * hier: one directory of the namespace, in one object. struct hier_dir is the header that the
 * extension tag HIER_TAG names; all offsets are from the object's offset 0.
 *
 * SPACE. From `start` to `bump` the object is a row of chunks, multiples of 64 bytes, each led by a
 * chunk word that says its length and what it is: an entry, a table, or free. Chunks are split but
 * never merged, so the start of a chunk stays one for ever (that makes cursors stable). Free
 * chunks are listed by length; lists, count, used and bump are right whenever op is HIER_IDLE, and
 * are built again from chunks and table otherwise.
 *
 * TABLE. Open addressing, a power of two of slot words. A slot word is hash << 32 | offset of the
 * entry's chunk; 0 never used; HIER_TOMB once used. One slot word is what makes a name be there:
 * entries never change while a slot word refers to them. Probing is linear, from hash on; at most
 * three quarters are used. A larger table is written aside and published by the word `table`.
 *
 * LOCKS. `lock` guards all changes. Readers take none: they read `seq`, find lock and op both 0,
 * read with every offset checked, and look at all three again; where that fails they take the
 * lock. Several directories are locked in the order of their IDs (hi, then lo). `tree_lock` of the
 * root directory comes before any of them; it is held while a directory moves to another parent,
 * so that no circle can close: the root's `tree_to` then names the directory with the intent,
 * durable before HIER_COMMITTED, so that an interrupted move is finished before the next one looks at
 * parents; left over, or half an ID, it costs a look. meta.links_lock of an object comes last.
 * Locks are twz_mutex words: the death of an owner, or of the machine, frees them.
 *
 * CRASH PROTOCOL. `op` lies on one line with bump, count, used and the free lists, whose stores
 * therefore reach the media in program order.
 *   1. COMMIT op = HIER_DIRTY. From here on a crash makes the next locker rebuild lists and counts.
 *   2. New entries are written into free chunks; flush, fence.
 *   3a. A change of one name: COMMIT its slot word (the entry, or HIER_TOMB). Done.
 *   3b. A change of more (rename, a link count, deletion of what the name meant): the intent is
 *       written, flush, fence; COMMIT op = HIER_COMMITTED. From here on it has happened: the steps
 *         slot word at to_slot := to_value, if it is not yet
 *         slot word at from_slot of directory `from` := HIER_TOMB, if it is from_value
 *         parent of directory `moved` := this directory
 *         object `victim`: meta.links := victim_links, or it is deleted
 *       are each durable on their own, may be done any number of times, and are done by the owner,
 *       or by the next locker after a crash as far as agreed (TRUST). Then op = HIER_DIRTY.
 *      Where the owner died and the machine lives, op, slot words and parents may be stored and
 *      not durable: the next locker makes them so before it builds on them.
 *   4. A fence, then op = HIER_IDLE. Where a power cut takes it back, lists are built once more.
 * A rename between directories keeps its intent in the one that the name moves to. The other one's
 * `see` names it, durable before HIER_COMMITTED and cleared when the steps are done and durable:
 * whoever locks or reads a directory with a `see` finishes the rename first.
 * A change of an object's links (or its deletion) names its directory in meta.links_by likewise:
 * whoever is about to change links finishes that directory first.
 * HIER_COMMITTED may stand on the media longer than those, until the next change in this directory
 * makes its HIER_DIRTY durable. It says then what is done, and what is done elsewhere is not agreed
 * to any more, so that the others may have changed since.
 * An object created with a name is provisional with the slot word as its witness, and is made
 * permanent before the lock is released: no slot word changes in between. intent.to_slot names the
 * slot meanwhile (not durable: a power cut makes it needless), for the next locker to do it where
 * the owner died.
 *
 * TRUST. All of it may have been written by an enemy, at any time. Visitors check each offset where
 * they use it and touch pages before they store to them; probes, lists, chunks, parents and looks
 * are counted; locks are waited for so long (HIER_LOCK_TIMEOUT). An intent that is found was written by
 * somebody who can write this directory, and whoever finishes it has other rights. So
 * what lies outside of this directory must say itself that it takes part:
 *     from     its `see` names this directory
 *     moved    its parent is `from`, which takes part, or this directory already
 *     victim   its meta.links_by names this directory; or, to be deleted, it is a directory whose
 *              parent is this one, and has no names in it
 * and a step that does not agree is left out. An entry of kind HIER_DIR whose directory has another
 * parent is only a name: removed, its directory stays; it cannot move to another directory.
 * What remains: who may write an object can say so in it, and have it deleted by a visitor who may
 * delete it; removing a name with HIER_DELETE deletes the object that the name means, whoever
 * gave the name; a provisional object that an entry names may be made permanent; and a directory's
 * own names, counts and parent are whatever its writers say.
 */
#ifndef HIER_LAYOUT_H
#define HIER_LAYOUT_H

#include <twz/mutex.h>
#include <twz/object.h>

#define HIER_TAG     0x7265696800000001ull
#define HIER_MAGIC   0x317265696800747aull
#define HIER_VERSION 1u

#define HIER_CELL        64u /* granularity of chunks */
#define HIER_START       (TWZ_OBJ_BASE + 512u)
#define HIER_BUCKETS_MIN 32u

/* Kinds of entries. */
#define HIER_OBJECT  1u /* id: any object; a regular file for POSIX */
#define HIER_DIR     2u /* id: a directory whose parent is this one */
#define HIER_SYMLINK 3u /* id 0; the text follows the name */

/* Chunk word: cells | kind << 32. */
#define HIER_CHUNK_FREE         1u
#define HIER_CHUNK_ENTRY        2u
#define HIER_CHUNK_TABLE        3u
#define HIER_CHUNK(kind, cells) (((uint64_t)(kind) << 32) | (cells))
#define HIER_CHUNK_CELLS(word)  ((uint32_t)(word))
#define HIER_CHUNK_KIND(word)   ((uint32_t)((word) >> 32))

/* Slot word. */
#define HIER_TOMB              1ull
#define HIER_BUCKET(hash, off) (((uint64_t)(hash) << 32) | (off))
#define HIER_BUCKET_HASH(slot) ((uint32_t)((slot) >> 32))
#define HIER_BUCKET_OFF(slot)  ((uint32_t)(slot))

/* Table word of the header: offset of the table's chunk | log2(slots) << 32. */
#define HIER_TABLE(off, bits) (((uint64_t)(bits) << 32) | (off))
#define HIER_TABLE_OFF(word)  ((uint32_t)(word))
#define HIER_TABLE_BITS(word) ((uint32_t)((word) >> 32))

#define HIER_IDLE      0u
#define HIER_DIRTY     1u
#define HIER_COMMITTED 2u

/* Free lists: chunks of 1 .. 5 cells in lists of their own, longer ones in list 0. */
#define HIER_LISTS 6u

#define HIER_LINKS_KEEP   UINT64_MAX        /* victim stays as it is */
#define HIER_LINKS_DELETE (UINT64_MAX - 1u) /* victim is deleted */

struct hier_intent {
    uint64_t to_slot; /* offset of a slot word of this directory; 0: none */
    uint64_t to_value;
    uint64_t from_slot; /* offset of a slot word of directory `from`; 0: none */
    uint64_t from_value;
    objid_t from;   /* may be this directory */
    objid_t moved;  /* 0: none */
    objid_t victim; /* 0: none */
    uint64_t victim_links;
    uint64_t pad[5];
};
_Static_assert(sizeof(struct hier_intent) == 128, "hier intent size");

struct hier_dir {
    /* line 0: constant, but for table and dead */
    uint64_t magic;
    uint64_t version;
    uint64_t start; /* HIER_START */
    uint64_t table; /* COMMIT word of a larger table */
    uint64_t dead;  /* 1: removed; nothing may be added any more */
    uint64_t pad0[3];
    /* line 1: guarded by lock; op commits */
    uint64_t op;
    uint64_t bump;  /* end of the chunks */
    uint32_t count; /* names */
    uint32_t used;  /* slots in use or tombs */
    uint32_t free[HIER_LISTS];
    uint64_t pad1[2];
    /* line 2: volatile; means nothing after a boot but whom to ask about */
    struct twz_mutex lock;
    struct twz_mutex tree_lock;
    uint64_t seq;
    uint64_t pad2[5];
    /* line 3: parents, the one that counts being parent[parent_which]; the root is its own */
    objid_t parent[2];
    uint64_t parent_which;
    uint64_t pad3[3];
    /* line 4 */
    objid_t see;         /* directory that holds the intent of a rename out of this one */
    uint64_t see_valid;  /* COMMIT word; after see on the same line */
    objid_t tree_to;     /* root only: where a directory is moving to */
    uint64_t tree_valid; /* after tree_to on the same line */
    uint64_t pad4[2];
    /* lines 5 and 6 */
    struct hier_intent intent;
    uint64_t pad5[8];
};
_Static_assert(sizeof(struct hier_dir) == 512, "hier header size");
_Static_assert(offsetof(struct hier_dir, op) == 64, "op line");
_Static_assert(offsetof(struct hier_dir, lock) == 128, "lock line");
_Static_assert(offsetof(struct hier_dir, parent) == 192, "parent line");
_Static_assert(offsetof(struct hier_dir, see) == 256, "see line");
_Static_assert(offsetof(struct hier_dir, intent) == 320, "intent lines");

struct hier_entry {
    uint64_t chunk; /* chunk word */
    uint32_t next;  /* free chunks: the next of the list, 0 ends it */
    uint32_t hash;
    objid_t id;
    uint8_t kind;
    uint8_t name_len;
    uint16_t text_len; /* symlinks */
    uint8_t bytes[];   /* name, then text; no NULs */
};
_Static_assert(offsetof(struct hier_entry, bytes) == 36, "hier entry size");

struct hier_table {
    uint64_t chunk;
    uint64_t pad[7];
    uint64_t slot[];
};
_Static_assert(offsetof(struct hier_table, slot) == HIER_CELL, "table starts on a line");

#endif
