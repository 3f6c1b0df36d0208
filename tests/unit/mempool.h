/* SPDX-License-Identifier: MIT */
/* A pool in anonymous memory for host tests, and an environment whose allocations can be made to
 * fail and are counted. */
#ifndef TESTS_MEMPOOL_H
#define TESTS_MEMPOOL_H

#include <store/store.h>

struct mempool {
    struct store_env env;
    struct store *store;
    struct store_report report; /* the last one */
    unsigned reports;
    long allocated;  /* bytes not yet freed */
    long fail_after; /* allocations that still succeed; negative: all */
    uint64_t nonce;
};

/* Map `frames` frames, format (max_objects as in struct store_mkpool), open, recover. */
void mempool_make(struct mempool *pool, uint64_t frames, uint64_t max_objects);
/* Close and open again; 0 or the error of store_open or store_recover. */
int mempool_reopen(struct mempool *pool, struct store_recovery *recovery);
/* Close and unmap. */
void mempool_end(struct mempool *pool);
/* The environment alone, over memory that is there. */
void mempool_env(struct mempool *pool, void *base, uint64_t size);
/* Problems that store_check finds; each is printed unless `quiet`. Negative: its error. */
long mempool_check(struct mempool *pool, int quiet);
uint64_t mempool_free(const struct mempool *pool); /* frames */
/* Expects that the check finds nothing, and that a reopening changes nothing. */
void mempool_clean(struct mempool *pool);
/* A plain new object; expects success. */
uint32_t mempool_object(struct mempool *pool, objid_t *id);

#endif
