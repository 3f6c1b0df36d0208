/* SPDX-License-Identifier: MIT */
/*
 * Workloads: a start state and a list of operations, run on a store through the recorder and on a
 * model side by side. After it, for each number k of returned operations there is the model of what
 * a recovery must find.
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include "model.h"
#include "record.h"

#define OPS_MAX 20u
/* Start states: 0 a chunk full of empty objects, 1 every sort, 2 the same in a nearly full pool. */
#define STARTS     3u
#define POOL_BYTES (96u * 4096u)

struct arena {
    uint8_t *mem;
    size_t used;
    size_t room;
};

/* Volatile memory for a store: given back all at once. */
void arena_init(struct arena *arena);
void arena_reset(struct arena *arena);
void arena_env(struct arena *arena, struct store_env *env, void *base, uint64_t size);

struct workload {
    uint32_t start;
    uint32_t count;
    uint8_t op[OPS_MAX];
};

/* A user's word that was stored and not flushed: it may be old or new. */
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
    int tight; /* a full pool is an answer to expect */
    /* after k operations: */
    struct model after[OPS_MAX + 1][2]; /* recovered; [1]: with the loose word old */
    uint8_t variants[OPS_MAX + 1];
    uint8_t mixed[OPS_MAX + 1]; /* between k - 1 and k the pages change one by one */
    uint8_t skipped[OPS_MAX + 1];
    const char *error; /* what went wrong while running, or NULL */
    uint32_t error_op;
};

void run_init(struct run *run);
void run_end(struct run *run);

/* Prepare the start state, unrecorded; pool[] holds it then, all durable. 0, or run->error. */
int run_start(struct run *run, uint32_t start);
/* Run the operations, recorded into run->log. 0, or a negative number with run->error set. */
int run_ops(struct run *run, const struct workload *workload);

/* Open run->pool again, and find the objects' rows. 0, or run->error. */
int run_open(struct run *run);

#define SKIP 1 /* not possible in this state: nothing was done */

struct op {
    const char *name;
    int (*run)(struct run *run, const struct op *op);
    uint32_t a, b, c, d, e;
    uint8_t mixed;  /* pages change one by one */
    uint8_t settle; /* a loose word is flushed before */
};

/* Numbers of the start states' objects. */
#define NEWEST 99u /* as an object's number: the last one made */
#define ROOT   0u
#define A      1u /* pages direct and in a tree, parent of B */
#define B      2u /* no pages */
#define C      3u /* shares pages with A */
#define P      4u /* provisional, its witness in ROOT not stored */
#define D      5u /* dead, not released */
#define E      6u /* one frame in four pages: it may be in REF_MAX, five here */

uint32_t op_count(void);
const struct op *op_get(uint32_t number);
/* Make a start state in a fresh pool. 0, or run->error. */
int ops_start(struct run *run, uint32_t start);

#endif
