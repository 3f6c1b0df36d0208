/* SPDX-License-Identifier: MIT */
/*
 * hier: one directory of the namespace, in one object. struct hier_dir is the header that the
 * extension tag HIER_TAG names. All offsets count from the object's offset 0.
 *
 * SPACE
 *   - The bytes from `start` to `bump` are chunks without gaps. A chunk is a multiple of 64 bytes
 *     (cells). Its first word holds its length and its kind: entry, table or free.
 *   - Chunks are split and never merged. The start of a chunk stays one, so cursors stay valid.
 *   - Free chunks lie in lists by length.
 *   - Lists, `count`, `used` and `bump` are valid while op is HIER_IDLE. Otherwise the next owner
 *     of the lock must rebuild them from the chunks and the table.
 *
 * TABLE
 *   - A hash table with open addressing: a power of two of buckets, at most three quarters used.
 *   - A bucket is one word, hash << 32 | offset of the entry's chunk. 0: never used; HIER_TOMB:
 *     used once. Probing is linear and starts at the hash.
 *   - A name exists exactly while a bucket refers to its entry.
 *   - An entry must not change while a bucket refers to it.
 *   - A larger table is built in a free chunk; the word `table` publishes it.
 *
 * LOCKS, in the order in which a thread must take them. All are twz_mutex words, so the next owner
 * recovers a lock that a dead thread or a reboot left.
 *   1. tree_lock of the root: while a directory moves to another parent. It keeps two moves from
 *      closing a cycle.
 *   2. lock: all changes of this directory. Several are taken in the order of their IDs (hi, lo).
 *   3. meta.links_lock of an object: its links and links_by.
 * A reader takes no lock. It loads seq, checks that `lock` is free and nothing is unfinished, and
 * reads with every offset checked. Then it compares all of these again. If one changed, it takes
 * the lock.
 *
 * In both tables, "durable before" names the steps that must be durable before this one. "After a
 * crash" is the state while this step is the last durable one.
 *
 * A CHANGE OF ONE BUCKET (insert, create, remove without deletion)
 *   step                                  durable before  after a crash
 *   1 COMMIT op = HIER_DIRTY              -               the next owner rebuilds lists and counts
 *   2 new entry, into a free chunk        1               as 1; the entry is free space
 *   3 COMMIT bucket: entry or HIER_TOMB   2               as 1; the name exists, or is gone
 *   4 op = HIER_IDLE, flush, no fence     3               as 3 if op was lost, else nothing to do
 * `op` lies on one line with bump, count, used and the list heads. Stores to one line reach the
 * media in program order.
 *
 * A CHANGE OF MORE (replace, rename, link counts, deletion). The intent describes all of it.
 *   step                                  durable before  after a crash
 *   1 COMMIT op = HIER_DIRTY              -               the next owner rebuilds lists and counts
 *   2 new entry, intent; peer_intent,     1               as 1; nothing has changed
 *     links_by, tree_to
 *   3 COMMIT op = HIER_COMMITTED          2               the change has happened: the next owner
 *                                                         applies the steps that validate (TRUST)
 *   4 COMMIT each step, any number of     3               as 3
 *     times:
 *       bucket to_bucket := to_value
 *       bucket from_bucket of `from` := HIER_TOMB, if it is from_value
 *       parent of `moved` := this directory
 *       meta.links of `victim` := victim_links, or `victim` is deleted
 *   5 op = HIER_DIRTY, no flush           4               as 3 if op was lost, else as 1
 *   6 peer_intent, links_by := 0          4               a left-over word costs one look-up
 *   7 op = HIER_IDLE, flush, no fence     4               as 6 if op was lost, else nothing to do
 * The media may hold HIER_COMMITTED until the next change of this directory commits HIER_DIRTY. The
 * steps are repeated then, which does no harm: the directory has not changed since, and objects
 * outside of it do not validate any more.
 *
 * WORDS THAT LEAD TO AN INTENT (step 2)
 *   word          lies in                  names             a thread must finish the intent before
 *   peer_intent   the source of a rename   the destination   it reads or locks the source
 *   links_by      metadata of `victim`     this directory    it changes the victim's links
 *   tree_to       the root                 the new parent    it moves a directory
 * A rename between directories keeps its intent in the destination.
 * A torn tree_to or links_by names no object and costs one look-up.
 *
 * DEATH OF A THREAD. The machine runs on, so op, buckets and parents may be stored and not durable.
 * The next owner must make them durable before it builds on them.
 *
 * CREATE AND NAME. The object is provisional with the bucket as its witness. Its creator must make
 * it permanent before it releases the lock, so that the bucket cannot change before. If the creator
 * dies, the next owner makes the object permanent: intent.to_bucket names its bucket. That word
 * need not be durable, since recovery after a power failure settles provisional objects.
 *
 * TRUST. An accessor is a thread that works on a directory. An adversary is a thread that may write
 * the directory; it may store anything, at any time. An accessor must check each offset where it
 * uses it, and must touch a page before it stores to it. It must bound its probes, lists, chunks,
 * parents and retries. It waits for a lock no longer than HIER_LOCK_TIMEOUT.
 * The thread that finishes an intent may have more rights than the writer of the intent. So the
 * object that a step changes must consent, or the accessor leaves the step out:
 *   step                   consent that the accessor validates
 *   tombstone in `from`    `from` has a peer_intent that names this directory
 *   parent of `moved`      `from` consents, and the parent of `moved` is `from` or this directory
 *   links of `victim`      `victim` has a links_by that names this directory
 *   deletion of `victim`   the same, or `victim` is an empty directory whose parent is this one
 * An entry of kind HIER_DIR for a directory with another parent is only a name. Its removal leaves
 * that directory alone, and it cannot move to another directory.
 *
 * An adversary can still do this:
 *   it may write    effect
 *   an object       Its links_by may name a directory that has an intent to delete the object. An
 *                   accessor with the right to delete it then does so.
 *   a directory     An entry may name any object. An accessor that removes the name with
 *                   HIER_DELETE deletes that object. One that finishes a creation makes it
 *                   permanent.
 *   a directory     Its names, counts and parent are what the adversary stores.
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

/* Bucket. */
#define HIER_TOMB              1ull
#define HIER_BUCKET(hash, off) (((uint64_t)(hash) << 32) | (off))
#define HIER_BUCKET_HASH(word) ((uint32_t)((word) >> 32))
#define HIER_BUCKET_OFF(word)  ((uint32_t)(word))

/* Table word of the header: offset of the table's chunk | log2(buckets) << 32. */
#define HIER_TABLE(off, bits) (((uint64_t)(bits) << 32) | (off))
#define HIER_TABLE_OFF(word)  ((uint32_t)(word))
#define HIER_TABLE_BITS(word) ((uint32_t)((word) >> 32))

#define HIER_IDLE      0u
#define HIER_DIRTY     1u
#define HIER_COMMITTED 2u

/* Free lists: list n for chunks of n cells (1 .. 5), list 0 for longer ones. */
#define HIER_LISTS 6u

#define HIER_LINKS_KEEP   UINT64_MAX        /* victim does not change */
#define HIER_LINKS_DELETE (UINT64_MAX - 1u) /* victim is deleted */

struct hier_intent {
    uint64_t to_bucket; /* offset of a bucket of this directory; 0: none */
    uint64_t to_value;
    uint64_t from_bucket; /* offset of a bucket of directory `from`; 0: none */
    uint64_t from_value;
    objid_t from;   /* may be this directory */
    objid_t moved;  /* 0: none */
    objid_t victim; /* 0: none */
    uint64_t victim_links;
    uint64_t pad[5];
};
_Static_assert(sizeof(struct hier_intent) == 128, "hier intent size");

struct hier_dir {
    /* line 0: constant, except table and dead */
    uint64_t magic;
    uint64_t version;
    uint64_t start; /* HIER_START */
    uint64_t table; /* COMMIT word of a larger table */
    uint64_t dead;  /* 1: removed; no name may be added */
    uint64_t pad0[3];
    /* line 1: guarded by lock */
    uint64_t op;    /* COMMIT word: HIER_IDLE .. HIER_COMMITTED */
    uint64_t bump;  /* end of the chunks */
    uint32_t count; /* names */
    uint32_t used;  /* buckets that are not 0 */
    uint32_t free[HIER_LISTS];
    uint64_t pad1[2];
    /* line 2: volatile; after a boot a lock only names an owner that is dead */
    struct twz_mutex lock;
    struct twz_mutex tree_lock;
    uint64_t seq; /* counts the times that lock was taken */
    uint64_t pad2[5];
    /* line 3: the parent is parent[parent_which]; the root is its own parent */
    objid_t parent[2];
    uint64_t parent_which; /* COMMIT word */
    uint64_t pad3[3];
    /* line 4 */
    objid_t peer_intent;        /* directory that holds the intent of a rename out of this one */
    uint64_t peer_intent_valid; /* stored after peer_intent, on its line */
    objid_t tree_to;            /* root only: the new parent of a directory that moves */
    uint64_t tree_valid;        /* stored after tree_to, on its line */
    uint64_t pad4[2];
    /* lines 5 and 6 */
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
    uint64_t chunk; /* chunk word */
    uint32_t next;  /* free chunks: the next of the list, 0 ends it */
    uint32_t hash;
    objid_t id;
    uint8_t kind;
    uint8_t name_len;
    uint16_t text_len; /* symlinks */
    uint8_t bytes[];   /* the name, then the text; no NULs */
};
_Static_assert(offsetof(struct hier_entry, bytes) == 36, "hier entry size");

struct hier_table {
    uint64_t chunk;
    uint64_t pad[7];
    uint64_t bucket[];
};
_Static_assert(offsetof(struct hier_table, bucket) == HIER_CELL, "table starts on a line");

#endif
