/* SPDX-License-Identifier: MIT */
/*
 * hier: the layout of a directory, which is one object. struct hier_dir is the header of the
 * directory. The object's extension table maps HIER_TAG to the header. Every offset is a number of
 * bytes from the start of the object.
 *
 * The owner of a directory is the thread that holds the `lock` in the header. The next owner is the
 * next thread that takes this lock.
 *
 * SPACE
 *   - Chunks fill the bytes from offset `start` to offset `bump` without gaps.
 *   - The length of a chunk is a whole number of cells of 64 bytes. The first word of a chunk holds
 *     this number and the kind of the chunk: entry, table or free.
 *   - A chunk may be split. Two chunks are never merged. So the start of a chunk below `bump`
 *     always remains the start of a chunk.
 *   - The cursor that hier_iter returns is the start of a chunk or `bump`, so it stays valid.
 *   - Free lists 1 to 5 link the free chunks of 1 to 5 cells. List 0 links all longer free chunks.
 *   - The free lists, `count`, `used` and `bump` are valid while op is HIER_IDLE. If op is not
 *     HIER_IDLE, the next owner must rebuild all of them from the chunks and the table.
 *   - A rebuild sets `bump` to the largest of its old value, the end of the table, and the ends of
 *     the entries to which buckets refer.
 *
 * TABLE
 *   - The table is a hash table with open addressing. The number of buckets is a power of two. At
 *     most three quarters of the buckets are not 0.
 *   - A bucket is one word:
 *       value                 meaning
 *       0                     the bucket has had no name since the table was built
 *       HIER_TOMB             a tombstone: the bucket's name was removed; a new name may use the
 *                             bucket
 *       hash << 32 | offset   the bucket refers to the entry in the chunk at this offset
 *   - A look-up starts at the bucket whose number is the hash modulo the number of buckets. It
 *     probes bucket after bucket. It ends at the name, at a bucket that is 0, or after HIER_PROBE
 *     buckets (inside.h) or all buckets.
 *   - A name exists exactly while a bucket refers to its entry.
 *   - A thread must not change an entry while a bucket refers to it.
 *   - If one more name would use more than three quarters of the buckets, the owner builds a new
 *     table in a free chunk. The store to the word `table` publishes the new table.
 *   - The number of names decides the size of a new table. It may be smaller than the old table.
 *
 * LOCKS. A thread must take them in the order of this table.
 *   lock                 lies in         a thread must hold it to
 *   1 tree_lock          the root        move a directory to another parent; change tree_to
 *   2 lock               a directory     change this directory; change the parent, or `dead`, of a
 *                                        subdirectory of this directory
 *   3 lock               a record        change `names` and names_by of this record (attr/layout.h)
 * A move needs `lock` of the old parent and of the new parent. Without tree_lock, two concurrent
 * moves could close a cycle.
 * A thread that finishes the intent of a dead thread needs neither tree_lock nor the lock of a
 * record. The words that lead to the intent keep other threads away (WORDS THAT LEAD TO AN INTENT).
 * `lock` of a directory does not guard the parent, `dead` and tree_to of this same directory.
 * A thread that locks several directories must lock them in the order of their IDs (hi, then
 * lo). All locks are twz_mutex words, so a thread can take a lock whose owner is dead.
 *
 * READERS. An attempt to read without the lock has three steps:
 *   1 load seq, and check that `lock` is free, op is HIER_IDLE and peer_intent_valid is 0
 *   2 read, and check each offset before each use
 *   3 check that `lock`, op and peer_intent_valid are as in step 1, and that seq has not changed
 * If a check of step 1 or 3 fails, the reader makes another attempt. A reader with the right to
 * write takes the lock after 4 failed attempts, and reads again. A reader without this right cannot
 * take the lock. After 1000 failed attempts it reads once more and returns a result that it did not
 * check with step 3.
 *
 * The next two tables list the steps of a change in program order. Their columns are:
 *   durable before   the steps that must be durable before this step
 *   after a crash    what the next owner does after a crash between this step and the next one
 *
 * A CHANGE OF ONE BUCKET: symlink, create; remove, if no other object and no
 * record changes. The record of a created object is durable before step 3 (attr/layout.h).
 *   step                                  durable before  after a crash
 *   1 COMMIT op = HIER_DIRTY              -               the owner rebuilds lists and counts
 *   2 write a new entry to a free chunk   1               as 1; the entry is free space
 *   3 COMMIT bucket = entry or HIER_TOMB  2               as 1; the name exists, or is removed
 *   4 update counts and free lists        3               as 3
 *   5 op = HIER_IDLE, flush, no fence     4               if the media hold HIER_DIRTY: as 3; if
 *                                                         they hold HIER_IDLE: nothing
 * `op` shares its cache line with bump, count, used and the list heads. Stores to one line reach
 * the media in program order. So media that hold HIER_IDLE also hold the new lists and counts.
 *
 * A CHANGE OF SEVERAL WORDS: insert, replace, rename, link; remove, if another object or a record
 * changes. The intent in the header describes the whole change. `from`, `moved`, `victim` and
 * `named` are words of the intent.
 *   step                                  durable before  after a crash
 *   0 write tree_to, if a directory       -               nothing has changed; the next thread that
 *     moves                                               takes tree_lock looks at tree_to in vain
 *   1 COMMIT op = HIER_DIRTY              -               the owner rebuilds lists and counts
 *   2 write the new entry, the intent,    1               as 1; no name has changed
 *     peer_intent, names_by
 *   3 COMMIT op = HIER_COMMITTED          0, 2            the change has happened: the owner
 *                                                         applies 4a to 4e as TRUST permits, then
 *                                                         does as in 1
 *   4 apply the intent, 4a to 4e:         3               as 3
 *     4a COMMIT to_bucket = to_value
 *     4b COMMIT from_bucket of `from` = HIER_TOMB, if the bucket holds from_value
 *     4c COMMIT parent of `moved` = this directory
 *     4d COMMIT names of the record of `victim` = victim_names; if victim_delete is not 0,
 *        delete `victim` before
 *     4e COMMIT names of the record of `named` = 1, if it is 0
 *   5 op = HIER_DIRTY, no flush           4               if the media hold HIER_COMMITTED: as 3;
 *                                                         if they hold HIER_DIRTY: as 1
 *   6 peer_intent_valid = 0               4               as 5
 *   7 update counts and free lists        4               as 5
 *   8 op = HIER_IDLE, flush, no fence     6, 7            if the media hold HIER_IDLE: nothing,
 *                                                         else as 5
 *   9 names_by = 0, tree_valid = 0        4               as 8; a word that is still set costs one
 *                                                         needless look-up
 * In a rename between two directories, steps 1, 7 and 8 are also done for `from`.
 * After step 8 the media may still hold HIER_COMMITTED, until the next change of this directory
 * commits HIER_DIRTY. After a power failure the next owner then applies the intent again. This does
 * no harm, for two reasons:
 *   - This directory has not changed since, so its buckets already hold the new values.
 *   - If another object of the intent has not changed either, it already holds the new value. If it
 *     has changed, it no longer consents (TRUST), so the owner leaves out the step for this object.
 *
 * WORDS THAT LEAD TO AN INTENT. Step 2 stores the first two, step 0 the third.
 *   word          lies in                  names            the intent must be finished by
 *   peer_intent   the source of a rename   the destination  a thread that locks the source
 *   names_by      records of `victim`      this directory   a thread that locks the record
 *                 and `named`
 *   tree_to       the root                 the new parent   a thread that takes tree_lock
 * The intent of a rename between two directories lies in the destination.
 * A crash may leave half of an ID in tree_to or names_by. Half of an ID names no object, and costs
 * one needless look-up.
 *
 * DEATH OF A THREAD. The machine continues when a thread dies. The dead thread may have stored op,
 * buckets or parents without making the stores durable. The next owner must make these words
 * durable before it commits another change.
 *
 * CREATE AND NAME. hier_create makes a provisional object. The witness of the object is the bucket
 * of its name. The creator must make the object permanent before it releases the lock. So no other
 * accessor can change the bucket while the object is provisional.
 * If the creator dies, the next owner finds the bucket through intent.to_bucket and makes the
 * object permanent. The store to intent.to_bucket need not be durable: after a power failure,
 * recovery keeps or frees each provisional object by its witness.
 *
 * TRUST. An accessor is a thread that works on a directory. An adversary is a thread that may write
 * the directory, and stores any value at any time. So an accessor
 *   - must check each offset at each use;
 *   - must call twz_touch for a page before it stores to the page;
 *   - must bound all loops over buckets, lists, chunks, parents and retries;
 *   - must not wait for a lock longer than HIER_LOCK_TIMEOUT.
 * A thread that finishes an intent may have more rights than the thread that wrote the intent. So
 * the finishing thread must leave out a step that changes another object than this directory,
 * unless that object consents to the step. The consent is a word that only a thread with the right
 * to write that object can store:
 *   step                           the object consents if
 *   4b, in another directory       peer_intent of `from` is valid and names this directory
 *   4c                             `from` consents to 4b, and the parent of `moved` is `from` or
 *                                  this directory
 *   4d, 4e, names                  the record holds the ID of `victim` or `named`, and names_by of
 *                                  the record names this directory
 *   4d, deletion of an object      the same, and `victim` has the owner (kuid) of this directory
 *   4d, deletion of a directory    `victim` is an empty directory whose parent is this directory; a
 *                                  thread may have added a name after the owner of the change died
 * A record lies in the attribute table that this directory names. So the owner of a volume decides
 * about the names in it, and the owner of an object about its deletion.
 * An entry of kind HIER_DIR may name a directory whose parent is not the directory that holds the
 * entry. The removal of such an entry does not delete the named directory. hier_rename refuses to
 * move such an entry to another directory.
 *
 * An adversary can still do harm:
 *   it may write   it can store               effect on an accessor
 *   a table        any ID in a record,        An accessor that finishes the intent of D deletes X,
 *   and D in its   where an intent in D       if the accessor has the right, and D and X have the
 *   volume         deletes X                  same owner.
 *   a directory    an entry for any object    An accessor that removes the name with HIER_DELETE
 *                                             also deletes the object, if the entry has no record,
 *                                             or the record has one name.
 *   a directory    in intent.to_bucket, the   An accessor that finishes the change makes X
 *                  offset of a bucket whose   permanent.
 *                  entry names any object X
 *   a directory    false names, counts and    An accessor returns the false values.
 *                  parents
 */
#ifndef HIER_LAYOUT_H
#define HIER_LAYOUT_H

#include <attr/layout.h>
#include <twz/mutex.h>
#include <twz/object.h>

#define HIER_TAG     0x7265696800000001ull
#define HIER_MAGIC   0x317265696800747aull
#define HIER_VERSION 2u

#define HIER_CELL        64u /* bytes of a cell; the length of a chunk is a multiple of it */
#define HIER_START       (TWZ_OBJ_BASE + 512u)
#define HIER_BUCKETS_MIN 32u

/* Kinds of entries, and the object that the ID of the entry names. */
#define HIER_OBJECT  1u /* any object; POSIX sees a regular file */
#define HIER_DIR     2u /* a directory; its parent may be a different directory (TRUST) */
#define HIER_SYMLINK 3u /* none, the ID is 0; the text of the link follows the name */

/* The first word of a chunk: number of cells | kind << 32. */
#define HIER_CHUNK_FREE         1u
#define HIER_CHUNK_ENTRY        2u
#define HIER_CHUNK_TABLE        3u
#define HIER_CHUNK(kind, cells) (((uint64_t)(kind) << 32) | (cells))
#define HIER_CHUNK_CELLS(word)  ((uint32_t)(word))
#define HIER_CHUNK_KIND(word)   ((uint32_t)((word) >> 32))

/* The word of a bucket: 0, HIER_TOMB, or offset of the entry's chunk | hash << 32. */
#define HIER_TOMB              1ull
#define HIER_BUCKET(hash, off) (((uint64_t)(hash) << 32) | (off))
#define HIER_BUCKET_HASH(word) ((uint32_t)((word) >> 32))
#define HIER_BUCKET_OFF(word)  ((uint32_t)(word))

/* The header's word `table`: offset of the table's chunk | log2(number of buckets) << 32. */
#define HIER_TABLE(off, bits) (((uint64_t)(bits) << 32) | (off))
#define HIER_TABLE_OFF(word)  ((uint32_t)(word))
#define HIER_TABLE_BITS(word) ((uint32_t)((word) >> 32))

/* Values of the header's word `op`. */
#define HIER_IDLE      0u /* lists and counts are valid */
#define HIER_DIRTY     1u /* lists and counts are invalid: the next owner must rebuild them */
#define HIER_COMMITTED 2u /* as HIER_DIRTY, and the next owner must apply the intent first */

/* The number of free lists (SPACE). */
#define HIER_LISTS 6u

/* Values of victim_delete. */
#define HIER_DELETE_OBJECT 1u
#define HIER_DELETE_DIR    2u /* and its word `dead` is stored before */

#define HIER_NAMES_KEEP UINT64_MAX /* the record of `victim` does not change */

struct hier_intent {
    uint64_t to_bucket;     /* offset of a bucket of this directory; 0: none */
    uint64_t to_value;      /* new value of that bucket */
    uint64_t from_bucket;   /* offset of a bucket of directory `from`; 0: none */
    uint64_t from_value;    /* value that the bucket has before the change */
    objid_t from;           /* the directory that loses a name; may be this directory */
    objid_t moved;          /* the directory that gets another parent; 0: none */
    objid_t victim;         /* the object that loses or gains a name, or is deleted; 0: none */
    objid_t named;          /* the object that gets its first name in this volume; 0: none */
    uint64_t victim_names;  /* new value of `names` of its record, or HIER_NAMES_KEEP */
    uint32_t victim_attr;   /* index of the record of `victim`; 0: none */
    uint32_t named_attr;    /* index of the record of `named` */
    uint64_t victim_delete; /* 0, or HIER_DELETE_*: `victim` is deleted */
    uint64_t pad;
};
_Static_assert(sizeof(struct hier_intent) == 128, "hier intent size");

struct hier_dir {
    /* cache line 0: only table and dead change */
    uint64_t magic;
    uint64_t version;
    uint64_t start; /* HIER_START */
    uint64_t table; /* COMMIT word of a new table */
    uint64_t dead;  /* 1: the directory was removed; a thread must not add a name */
    objid_t attrs;  /* attribute table of the volume; 0: names in it have no attributes */
    uint64_t attr;  /* index of this directory's record in it; 0: none */
    /* cache line 1: a thread must hold `lock` to change it */
    uint64_t op;               /* COMMIT word: HIER_IDLE .. HIER_COMMITTED */
    uint64_t bump;             /* offset of the end of the last chunk */
    uint32_t count;            /* number of names */
    uint32_t used;             /* number of buckets that are not 0 */
    uint32_t free[HIER_LISTS]; /* offset of the first chunk of each free list; 0: empty */
    uint64_t pad1[2];
    /* cache line 2: need not be durable; after a boot each lock is free or has a dead owner */
    struct twz_mutex lock;
    struct twz_mutex tree_lock;
    uint64_t seq; /* number of times that a thread has taken `lock` */
    uint64_t pad2[5];
    /* cache line 3: the parent is parent[parent_which]; the root is the parent of itself */
    objid_t parent[2];
    uint64_t parent_which; /* COMMIT word of a new parent */
    uint64_t pad3[3];
    /* cache line 4 */
    objid_t peer_intent;        /* destination of a rename out of this directory; has the intent */
    uint64_t peer_intent_valid; /* 1: peer_intent is set; stored after it, on the same line */
    objid_t tree_to;            /* in the root only: the new parent of a directory that moves */
    uint64_t tree_valid;        /* 1: tree_to is set; stored after it, on the same line */
    uint64_t pad4[2];
    /* cache lines 5 and 6 */
    struct hier_intent intent;
    uint64_t pad5[8];
};
_Static_assert(sizeof(struct hier_dir) == 512, "hier header size");
_Static_assert(offsetof(struct hier_dir, op) == 64, "op line");
_Static_assert(offsetof(struct hier_dir, lock) == 128, "lock line");
_Static_assert(offsetof(struct hier_dir, parent) == 192, "parent line");
_Static_assert(offsetof(struct hier_dir, peer_intent) == 256, "peer line");
_Static_assert(offsetof(struct hier_dir, intent) == 320, "intent lines");

struct hier_entry {
    uint64_t chunk; /* the first word of the chunk, HIER_CHUNK */
    union {
        uint32_t next; /* in a free chunk: offset of the next chunk of the list; 0: none */
        uint32_t attr; /* in an entry: index of the object's record; 0: none */
    };
    uint32_t hash; /* of the name */
    objid_t id;
    uint8_t kind; /* HIER_OBJECT, HIER_DIR or HIER_SYMLINK */
    uint8_t name_len;
    uint16_t text_len; /* of a symbolic link; else 0 */
    uint8_t bytes[];   /* the name, then the text of a symbolic link; neither ends with a NUL */
};
_Static_assert(offsetof(struct hier_entry, bytes) == 36, "hier entry size");

struct hier_table {
    uint64_t chunk; /* the first word of the chunk, HIER_CHUNK */
    uint64_t pad[7];
    uint64_t bucket[];
};
_Static_assert(offsetof(struct hier_table, bucket) == HIER_CELL, "table starts on a line");

#endif
