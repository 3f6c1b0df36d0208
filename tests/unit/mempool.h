/* SPDX-License-Identifier: MIT */
/* A pool in anonymous memory for host tests. Its environment counts allocations and can make them
 * fail. */
#ifndef TESTS_MEMPOOL_H
#define TESTS_MEMPOOL_H

#include <stdbool.h>
#include <store/store.h>

struct mempool {
    struct store_env env;
    struct store *store;
    struct store_report report; /* the last report */
    unsigned reports;
    long allocated;  /* bytes not freed yet */
    size_t largest;  /* bytes of the largest allocation so far */
    long fail_after; /* number of allocations that still succeed; negative: all */
    long lost_after; /* answers "no" before a lost read is reported; negative: all */
    uint64_t nonce;
};

/* Map `frames` frames, make a pool (max_objects as in struct store_mkpool), open, recover. */
void mempool_make(struct mempool *pool, uint64_t frames, uint64_t max_objects);
/* Close, open and recover. 0, or the error of store_open or store_recover. */
int mempool_reopen(struct mempool *pool, struct store_recovery *recovery);
/* Close and unmap. */
void mempool_end(struct mempool *pool);
/* Only set up the environment over existing memory. */
void mempool_env(struct mempool *pool, void *base, uint64_t size);
/* Number of problems that store_check finds, or its error. Prints each problem unless `quiet`. */
long mempool_check(struct mempool *pool, bool quiet);
/* Number of free frames. */
uint64_t mempool_free(const struct mempool *pool);
/* Expect that store_check finds no problem, and that recovery finds nothing to do. */
void mempool_clean(struct mempool *pool);
/* Create an object. Expects success. */
uint32_t mempool_object(struct mempool *pool, objid_t *id);

#endif
