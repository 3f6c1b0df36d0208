/* SPDX-License-Identifier: MIT */
/*
 * Workloads. A workload is a start state and a list of operations. It runs on a store, through the
 * recorder, and on a model. The run yields the model that a recovery must find after k operations,
 * for each k.
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include <stdbool.h>

#include "model.h"
#include "record.h"

#define OPS_MAX 20u
/* Start states: 0 a chunk of empty objects, 1 objects of every kind, 2 the same in a nearly full
 * pool. */
#define STARTS     3u
#define POOL_BYTES (96u * 4096u)

struct arena {
    uint8_t *mem;
    size_t used;
    size_t capacity;
};

/* Volatile memory of a store; arena_reset frees all of it. */
void arena_init(struct arena *arena);
void arena_reset(struct arena *arena);
void arena_env(struct arena *arena, struct store_env *env, void *base, uint64_t size);

struct workload {
    uint32_t start;
    uint32_t count;
    uint8_t op[OPS_MAX];
};

/* A word of user data that was stored and not flushed: it may be old or new. */
struct loose {
    uint32_t object; /* number + 1, 0: none */
    uint32_t page;
    uint16_t at;
    uint64_t old;
};

struct run {
    uint8_t *pool;
    struct arena arena;
    struct store *store;
    struct event_log log;
    struct model now;
    struct loose loose;
    uint32_t row[MODEL_OBJECTS];
    uint64_t nonce;
    bool tight; /* an operation may fail because the pool is full */
    /* after k operations: */
    struct model after[OPS_MAX + 1][2]; /* recovered; [1]: with the old value of the loose word */
    uint8_t variants[OPS_MAX + 1];
    bool mixed[OPS_MAX + 1]; /* the pages change one by one between k - 1 and k */
    bool skipped[OPS_MAX + 1];
    const char *error; /* failure of the run, or NULL */
    uint32_t error_op;
};

void run_init(struct run *run);
void run_end(struct run *run);

/* Make the start state in pool[], unrecorded and durable. 0, or -1 with run->error set. */
int run_start(struct run *run, uint32_t start);
/* Run the operations, recorded in run->log. 0, or -1 with run->error set. */
int run_ops(struct run *run, const struct workload *workload);

/* Open run->pool again and find the rows of the objects. 0, or -1 with run->error set. */
int run_open(struct run *run);

#define SKIP 1 /* the operation is not possible in this state and did nothing */

struct op {
    const char *name;
    int (*run)(struct run *run, const struct op *op);
    uint32_t a, b, c, d, e;
    bool mixed;       /* pages change one by one */
    bool flush_loose; /* flush a loose word before the operation */
};

/* Numbers of the start states' objects. */
#define NEWEST 99u /* as the number of an object: the last one created */
#define ROOT   0u
#define A      1u /* pages direct and in a tree, parent of B */
#define B      2u /* no pages */
#define C      3u /* shares pages with A */
#define P      4u /* provisional; its witness word is in ROOT and does not have the value */
#define D      5u /* deleted, not released */
#define E      6u /* one frame in four pages; REF_MAX is five here */

uint32_t op_count(void);
const struct op *op_get(uint32_t number);
/* Make a start state in a new pool. 0, or -1 with run->error set. */
int ops_start(struct run *run, uint32_t start);

#endif
