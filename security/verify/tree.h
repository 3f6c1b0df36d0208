/* SPDX-License-Identifier: MIT */
/*
 * The hash tree of a sealed object. It covers every page but the record page, in the order of their
 * numbers, and always has the same form:
 *
 *   level 0   a digest of each page: 128 x 2,048
 *   level 1   a digest of each node of 128 digests of level 0: 128 x 16
 *   level 2   a digest of each node of 128 digests of level 1: 16
 *   root      a digest of level 2
 *
 * A digest is BLAKE2b-256 with a person that names the level, so a page cannot stand for a node.
 * The digest of a page of zeros, and of an absent one, is 32 zero bytes, and so is that of a node
 * of such digests. The tree of an object with few pages is therefore small, too. The digests lie in
 * an object of their own (TREE_PAGE_*), where an absent page reads as zeros.
 *
 * The size of the object is in its metadata page, which the tree covers, so a longer object with
 * the same beginning has another root.
 *
 * The functions are pure: no locks, no allocation, no state outside of their arguments. A function
 * that takes a whole page or node takes about 62,000 instructions, one that takes TREE_STEP bytes
 * half of that.
 */
#ifndef VERIFY_TREE_H
#define VERIFY_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <twz/types.h>
#include <verify/hash.h>

#define TREE_DIGEST 32u
#define TREE_SHIFT  7 /* a node has 1 << TREE_SHIFT digests, which fill a page */
#define TREE_FANOUT (1u << TREE_SHIFT)
#define TREE_NODE   4096u /* bytes of a page, and of a node */
#define TREE_STEP   2048u
#define TREE_LEVELS 3u
#define TREE_LEAVES (1u << 18) /* digests of level 0; the first and the last one are zero */
#define TREE_TOP    16u        /* digests of level 2 */

/* Pages of the tree object: the digests of level 2, then the nodes of level 1, then of level 0. */
#define TREE_PAGE_TOP    1u
#define TREE_PAGE_LEVEL1 2u
#define TREE_PAGE_LEVEL0 (TREE_PAGE_LEVEL1 + TREE_TOP)
#define TREE_PAGES       (TREE_PAGE_LEVEL0 + (TREE_LEAVES >> TREE_SHIFT)) /* after the last one */

/* Returns the page of the tree object that has digest `index` of a level. *offset is the digest's
 * offset in the page. `index` counts pages on level 0, nodes of the level below on levels 1, 2. */
uint32_t tree_page_of(unsigned level, uint32_t index, uint32_t *offset);

/* The digest of one element in parts: tree_hash_begin, then tree_hash_add for each part in order,
 * then tree_hash_end. A part must be 8-byte aligned, and a multiple of 8 bytes. */
struct tree_hash {
    struct hash hash;
    uint64_t any; /* the parts so far, ORed */
};
void tree_hash_begin(struct tree_hash *hash, unsigned level);
void tree_hash_add(struct tree_hash *hash, const void *part, size_t len);
void tree_hash_end(struct tree_hash *hash, uint8_t digest[TREE_DIGEST]);

/* All three, for the TREE_NODE bytes of a page (level 0), or of a node of the level below. */
void tree_digest(uint8_t digest[TREE_DIGEST], unsigned level, const void *content);

/* The root of TREE_TOP digests of level 2. */
void tree_root(uint8_t root[TREE_DIGEST], const void *top);

/* The ID of a sealed object. */
objid_t tree_objid(const uint64_t nonce[2], uint32_t perms, objid_t kuid,
                   const uint8_t root[TREE_DIGEST]);

/*
 * The tree of an object, made in steps from its pages, in rising order. It begins zeroed. The
 * caller calls tree_build_next with the next page that is not absent, or TREE_LEAVES after the last
 * one, as long as the result is not TREE_DONE:
 *
 *   TREE_PART    tree_build_part must get the TREE_STEP bytes from build->done on of that page.
 *                After the part that it returns true for, the caller goes on to the next page.
 *   TREE_AGAIN   a step was made.
 *   TREE_FULL    node[closing] is complete. The caller must store it as page tree_build_page of the
 *                tree object, then call tree_build_stored.
 *   TREE_DONE    `top` is complete. The caller must store node[0], a copy of it and then zeros, as
 *                page TREE_PAGE_TOP.
 *
 * Each call takes one TREE_STEP at most.
 */
struct tree_build {
    struct tree_hash hash;
    uint32_t at;                             /* a page in the open nodes */
    uint32_t done;                           /* bytes of the present page or node that are hashed */
    unsigned closing;                        /* the level whose open node is being closed */
    bool used[2];                            /* the open node has a digest that is not zero */
    _Alignas(16) uint8_t node[2][TREE_NODE]; /* the open nodes of levels 0 and 1 */
    _Alignas(16) uint8_t top[TREE_TOP * TREE_DIGEST];
};

enum tree_step { TREE_PART, TREE_AGAIN, TREE_FULL, TREE_DONE };

enum tree_step tree_build_next(struct tree_build *build, uint32_t page);
bool tree_build_part(struct tree_build *build, const void *part);
uint32_t tree_build_page(const struct tree_build *build);
void tree_build_stored(struct tree_build *build);

#endif
