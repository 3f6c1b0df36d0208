/* SPDX-License-Identifier: MIT */
/*
 * The media format of a pool. A pool is one range of 4 KiB frames. A frame is named by its number
 * in the pool, never by an address. All integers are little endian.
 *
 *   frame 0, 1   superblock, two copies
 *   mono[0,1]    monotonic counters, two copies in frames of their own
 *   dir[0,1]     directory: one store word for each chunk of the object table, two copies
 *   bad          first frame of the bad-frame list
 *   anywhere     chunks (8 entries of 512 bytes), node frames, page frames, frames of the list
 *
 * The media hold no allocator state. A frame is in use if and only if it is one of the fixed frames
 * above, or reachable: directory -> chunk -> entry -> node -> page, or bad-frame list -> frame.
 * Recovery rebuilds the volatile tables by walking these words.
 *
 * A STORE WORD is a checked pointer to a frame, and the unit of every commit:
 *
 *   63..48 check    47..38 zero    37..34 flags    33..30 state    29..0 frame
 *
 * The check is a CRC-16 of the other 48 bits and of the word's location: its kind (STORE_LOC_*),
 * its owner and its index. A flipped, zeroed, torn or misplaced word therefore fails its check.
 * Neither 0 nor all ones is a valid word: an absent page has a word of its own.
 *
 * AN ENTRY (512 bytes, 8 lines) describes one object:
 *
 *   line 0, 1  ID, commit word, root of the page tree, revocation epoch; identity: nonce, kuid,
 *              default permissions, kind, root of the hash tree ...; the identity is written once
 *   line 2, 3  words of the 16 direct pages: data pages 1..12, user's metadata page, 3 FOT pages
 *   line 4, 5  version 0 of all that changes (struct store_version)
 *   line 6, 7  version 1
 *
 * The commit word holds the object's state (free, provisional, live, deleted), a sequence number,
 * and the CRC-32C of ID, identity and current version. The low bit of the sequence number selects
 * the current version. A change writes, flushes and fences the other version, then stores the
 * commit word.
 *
 * A page p that is not direct is reached by root[p >> 9] -> leaf[p & 511]. Root and leaf are nodes:
 * frames of 512 store words.
 *
 * THE BAD-FRAME LIST names every frame that lost data. Nothing allocates such a frame again, also
 * after the page that it was part of is gone. A frame of the list has 512 store words: word 0 links
 * the next frame of the list, or is ABSENT; each other word is POISONED with the number of a bad
 * frame, or ABSENT.
 *
 * UNKNOWN THINGS are refused. A later version that changes the meaning of anything here, or takes
 * reserved bytes, sets a bit in a feature word of the superblock:
 *
 *   incompatible            a version that does not know the bit must not open the pool
 *   read-only-compatible    ... may read the pool, and must not change it
 *   compatible              ... may use the pool; it keeps reserved bytes as they are
 *
 * An entry with an unknown class, flag, kind, permission or persistence mode is an object of a
 * later version: this one neither uses, changes nor frees it. Such a later version must not use
 * unknown states of store words without an incompatible bit.
 *
 * store_layout() is a fingerprint of all that layout.def lists: every struct and number here, and
 * those of an object's own layout. A pool with another fingerprint is not opened. A feature does
 * not change layout.def: its bit names its fields.
 */
#ifndef STORE_FORMAT_H
#define STORE_FORMAT_H

#include <twz/object.h>
#include <twz/types.h>

#define STORE_MAGIC   0x316c6f6f707a7774ull /* "twzpool1" */
#define STORE_VERSION 2u

/* Feature bits that this version knows. */
#define STORE_INCOMPATIBLE        0ull
#define STORE_READONLY_COMPATIBLE 0ull
#define STORE_COMPATIBLE          0ull

#define STORE_FRAME_SHIFT 12
#define STORE_FRAME_SIZE  4096u
#define STORE_FRAME_BITS  30
#define STORE_FRAME_NONE  0u /* frame 0 holds a superblock, so no word points to it */
#define STORE_FRAMES_MIN  16u
#define STORE_FRAMES_MAX  (1ull << STORE_FRAME_BITS)
#define STORE_CHUNKS_MAX  (1ull << 28) /* 2^31 objects: a row + 1 must fit in 32 bits */

/* Fields of a store word. */
#define STORE_WORD_FRAME(word) ((uint32_t)((word)&0x3fffffffu))
#define STORE_WORD_STATE(word) ((uint32_t)((word) >> 30) & 0xfu)
#define STORE_WORD_FLAGS(word) ((uint32_t)((word) >> 34) & 0xfu)
#define STORE_WORD_ZERO(word)  ((uint32_t)((word) >> 38) & 0x3ffu)
#define STORE_WORD_BODY(word)  ((word)&0xffffffffffffull)
#define STORE_WORD_CHECK(word) ((uint16_t)((word) >> 48))

/* States of a store word. 0 and 15 must stay invalid. */
#define STORE_ABSENT    1u /* no page: reads as zero, a write adds a page; frame 0 */
#define STORE_HOLE      2u /* removed by the user: any access faults; frame 0 */
#define STORE_PRESENT   3u /* a frame that only this word reaches */
#define STORE_SHARED    4u /* a frame that several words may reach: copied before a write */
#define STORE_POISONED  5u /* the frame lost data: any access faults; it stays in use */
#define STORE_ELSEWHERE 6u /* reserved: a page to be fetched from elsewhere */
#define STORE_NODE      7u /* a node frame (in tree words and root words) */
#define STORE_RUN       8u /* reserved, in root words: 512 consecutive frames, one 2 MiB page */
#define STORE_CHUNK     9u /* a chunk of the object table (in directory words) */

#define STORE_FLAG_READONLY 1u /* protected: read-only for all users */

/* Kinds of location, for the check. */
#define STORE_LOC_DIR    1u /* owner: 0, index: chunk */
#define STORE_LOC_COMMIT 2u /* owner: 0, index: row */
#define STORE_LOC_TREE   3u /* owner: object, index 0: the entry's tree word */
#define STORE_LOC_ROOT   4u /* owner: object, index: p >> 9 */
#define STORE_LOC_PAGE   5u /* owner: object, index: page; in an entry or a leaf */
#define STORE_LOC_REVOKE 6u /* owner: object, index 0 */
#define STORE_LOC_MONO   7u /* owner: 0, index: STORE_MONO_* */
#define STORE_LOC_EPOCH  8u /* owner: 0, index 0 */
#define STORE_LOC_BAD    9u /* owner: 0, index: frame of the list * 512 + word */

#define STORE_NODE_WORDS    512u
#define STORE_NODE_SHIFT    9
#define STORE_DIR_WORDS     512u /* directory words in a frame */
#define STORE_CHUNK_ENTRIES 8u
#define STORE_CHUNK_SHIFT   3

/* Direct pages. */
#define STORE_DIRECT      16u
#define STORE_DIRECT_DATA 12u /* words 0..11: pages 1..12 */
#define STORE_DIRECT_META 12u /* word 12 */
#define STORE_DIRECT_FOT  13u /* words 13..15: pages TWZ_PAGE_META - 1, - 2, - 3 */

/* Commit word: 3..0 state, 15..4 sequence, 47..16 CRC-32C, 63..48 check. */
#define STORE_FREE               1u
#define STORE_PROVISIONAL        2u
#define STORE_LIVE               3u
#define STORE_DELETED            4u
#define STORE_COMMIT_STATE(word) ((uint32_t)(word)&0xfu)
#define STORE_COMMIT_SEQ(word)   ((uint32_t)((word) >> 4) & 0xfffu)
#define STORE_COMMIT_CRC(word)   ((uint32_t)((word) >> 16))

struct store_identity {
    uint64_t nonce[2];
    objid_t kuid;
    uint32_t perms; /* default permissions: part of the ID, so they never change */
    uint32_t kind;  /* TWZ_KIND_* */
    uint64_t born_epoch;
    uint8_t
        seal[32]; /* sealed: the root of its hash tree, part of the ID (verify/tree.h); else 0 */
    uint64_t reserved;
};
_Static_assert(sizeof(struct store_identity) == 88, "identity size");

struct store_version {
    uint32_t flags;         /* STORE_OBJ_* */
    uint32_t persist;       /* TWZ_PERSIST_* */
    uint32_t perms_mask;    /* default permissions that are still granted */
    uint32_t class_;        /* STORE_CLASS_* */
    objid_t account;        /* the account object that pays for it; 0: none */
    objid_t tie_parent;     /* 0: none; its deletion deletes this object, too */
    objid_t witness;        /* provisional: recovery retains this object if this one ... */
    uint64_t witness_off;   /* ... has at this offset ... */
    uint64_t witness_value; /* ... this value; witness 0: only if it was made permanent */
    uint64_t deleted_epoch;
    objid_t hash_tree; /* sealed objects: the object that holds the hash tree; 0: none */
    uint64_t reserved[3];
};
_Static_assert(sizeof(struct store_version) == 128, "version is two lines");

/* The class of an object is its durability promise. */
#define STORE_CLASS_DURABLE 0u /* durable data stays, whatever the committed epoch */
#define STORE_CLASSES       1u /* number of classes that this version knows */

#define STORE_OBJ_SEALED 0x1u /* the ID covers the content; the kind is DATA, without WRITE */
#define STORE_OBJ_KNOWN  STORE_OBJ_SEALED /* flags that this version knows */

struct store_entry {
    objid_t id;
    uint64_t commit;
    uint64_t tree;   /* STORE_ABSENT or STORE_NODE */
    uint64_t revoke; /* 47..0 revocation epoch, check */
    struct store_identity identity;
    uint64_t direct[STORE_DIRECT];
    struct store_version version[2];
};
_Static_assert(sizeof(struct store_entry) == 512, "entry size");
_Static_assert(offsetof(struct store_entry, identity) == 40, "identity on lines 0 and 1");
_Static_assert(offsetof(struct store_entry, direct) == 128, "direct words on line 2");
_Static_assert(offsetof(struct store_entry, version) == 256, "versions from line 4");

#define STORE_MEMBERS 8u
struct store_member {
    uint8_t uuid[16];
    uint32_t index;
    uint32_t pad;
    uint64_t frames;
};
_Static_assert(sizeof(struct store_member) == 32, "member size");

/* The part of the superblock that store_super_set changes. */
struct store_roots {
    objid_t names; /* root directory of the namespace */
    objid_t init;  /* first program */
    objid_t sctx;  /* init's security context */
    objid_t owner; /* owner's public key object */
    objid_t spare[4];
};
_Static_assert(sizeof(struct store_roots) == 128, "roots size");

struct store_super {
    uint64_t magic;
    uint32_t version;
    uint32_t layout;       /* fingerprint (store_layout) */
    uint64_t incompatible; /* feature words */
    uint64_t readonly_compatible;
    uint64_t compatible;
    uint8_t uuid[16];
    uint64_t frames; /* size of this member */
    uint32_t member_index;
    uint32_t member_count;
    struct store_member member[STORE_MEMBERS];
    uint64_t mono[2];   /* frame of each copy */
    uint64_t dir[2];    /* first frame of each copy */
    uint64_t dir_words; /* chunks at most: up to STORE_CHUNKS_MAX, and up to frames */
    uint64_t bad;       /* first frame of the bad-frame list */
    uint64_t created;   /* seconds since 1970, advisory */
    uint8_t label[32];  /* NUL-terminated */
    struct store_roots roots;
    uint64_t reserved[58];
    uint64_t sequence; /* the valid copy with the higher one is current */
    uint64_t commit;   /* 31..0 CRC-32C of all before it, 63..32 the complement of the CRC */
};
_Static_assert(sizeof(struct store_super) == 1024, "superblock size");
_Static_assert(offsetof(struct store_super, commit) == sizeof(struct store_super) - 8,
               "commit word is last");

/* In both superblock frames, on a line of its own: the committed epoch. Reserved. */
#define STORE_EPOCH_OFFSET 2048u

/* In both mono frames, counter i at i * 64: 47..0 value, 63..48 check. No rollback changes them. */
#define STORE_MONO_TIME   0u /* security time, seconds: high-water mark */
#define STORE_MONO_RESUME 1u /* resume count: +1 at each boot; only the kernel raises it */
#define STORE_MONO_REVOKE \
    2u /* revocation floor: no revocation epoch is above it, no new one below */
#define STORE_MONO_NONCE  3u /* floor for counters used as nonces */
#define STORE_MONO_WRITER 4u /* writer generation: +1 by each writer, before its first store */
#define STORE_MONO_CLOCK  5u /* monotonic clock, ms: upper bound of every time reported so far */
#define STORE_MONO_COUNT  8u
#define STORE_MONO_STRIDE 64u
#define STORE_MONO_MAX    0xffffffffffffull

#endif
