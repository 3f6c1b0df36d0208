/* SPDX-License-Identifier: MIT */
/*
 * The layout of a security context, an object of kind SCTX: masks at the base, then a hash table of
 * capabilities and delegations (security/format.h). Threads may read it, but never write it: the
 * kernel changes it by a call, and twz-obj in a pool that is not in use.
 *
 *   page 1         struct sec_context
 *   pages 16 ...   SEC_BUCKETS pages, one struct sec_bucket each; an absent one is an empty bucket
 *
 * Rights on an object: ((its default permissions & mask) | capabilities | grants) & ~global_mask.
 * The mask is that of the object's override, else default_mask. Masks change in one direction:
 * default_mask and override masks lose bits, global_mask gains bits, and a new override must be
 * within the mask in force for its object.
 *
 * Each change commits with one word:
 *
 *   change        durable before                      COMMIT
 *   insert        the capability in a free place      its commit word, 1
 *   remove        nothing                             its commit word, 0
 *   new override  the override behind the last one    noverrides
 *   a mask        nothing                             the word with the mask
 */
#ifndef SECURITY_SCTX_H
#define SECURITY_SCTX_H

#include <format.h>

/* A mask for the default permissions of one object. */
struct sec_override {
    objid_t id;
    uint64_t mask;     /* TWZ_READ ... */
    uint64_t reserved; /* 0 */
};
_Static_assert(sizeof(struct sec_override) == 32, "override size");

#define SEC_CONTEXT_MAGIC   0x317874632d7a7774ull /* "twz-ctx1" */
#define SEC_CONTEXT_VERSION 1u
#define SEC_OVERRIDES       128u
struct sec_context {
    uint64_t magic;        /* SEC_CONTEXT_MAGIC */
    uint32_t version;      /* SEC_CONTEXT_VERSION */
    uint32_t flags;        /* 0 */
    uint32_t default_mask; /* of the default permissions of objects without an override */
    uint32_t global_mask;  /* rights that the context has on no object */
    uint64_t noverrides;   /* SEC_OVERRIDES at most */
    uint64_t reserved[12]; /* 0 */
    struct sec_override override[SEC_OVERRIDES];
};
_Static_assert(sizeof(struct sec_context) == 4224, "context size");
_Static_assert(offsetof(struct sec_context, override) == 128, "overrides after the head");

/* The table. Of one target there are SEC_CANDIDATES at most, so that a decision is bounded. */
#define SEC_BUCKET_PAGE 16u /* first page of the table, of the object */
#define SEC_BUCKET_BITS 15u
#define SEC_BUCKETS     (1u << SEC_BUCKET_BITS)
#define SEC_PLACES      15u
#define SEC_CANDIDATES  8u
struct sec_bucket {
    uint64_t commit[SEC_PLACES]; /* 1: the place has a capability; 0: it is free */
    uint64_t reserved[17];       /* 0 */
    struct sec_cap cap[SEC_PLACES];
};
_Static_assert(sizeof(struct sec_bucket) == TWZ_PAGE_SIZE, "bucket size");
_Static_assert(offsetof(struct sec_bucket, cap) == 256, "places after the head");

#endif
